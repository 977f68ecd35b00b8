// The rows of a map by layer or by head: a modality's average, the difference, the chosen fact's own. `of(place)` gives
// {mean, low, high, n} of a column, of a fact {mean} alone.

/** What is known of layers and of heads: averages of whole layers, and of single heads. */
function layerSources() {
  const found = Object.keys(header.averages).map(averageOf).filter(Boolean);
  return { whole: found.find((one) => !one.heads.length) ?? null, heads: found.find((one) => one.heads.length) ?? null };
}

/** One row for each modality; `cell` gives the places [layer, head] of a column. */
function groupRows(about, { component, metric, quantity, role }, cell) {
  const [c, m, r] = [namedPlace(about.components, component), namedPlace(about.metrics, metric), about.rows.indexOf(role)];
  const get = Object.fromEntries(["mean", "low", "high", "n_facts"].map((what) => [what, about.number(quantity, what)]));
  return about.groups.map((kind, group) => ({ label: kind, of: (column) => {
    const [layer, head] = cell(column);
    const number = (what) => get[what](group, c, layer, head, r, m);
    return { mean: number("mean"), low: number("low"), high: number("high"), n: number("n_facts") };
  } }));
}

/** The row S2T − T2T, where both were compared. */
function differenceRows(source, { component, metric, quantity, role }, cell) {
  const own = source?.metrics[metric]?.[quantity]?.difference;
  if (!own || !source.components.includes(component) || !source.rows.includes(role)) return [];
  const [c, r] = [source.components.indexOf(component), source.rows.indexOf(role)];
  const heads = source.heads ? source.heads.length : 1;
  return [{ label: `${source.kinds[1]} − ${source.kinds[0]}`, difference: true, of: (column) => {
    const [layer, head] = cell(column);
    const at = ((c * source.layers.length + layer) * heads + head) * source.rows.length + r;
    return { mean: numbers(own.mean)[at], low: numbers(own.low)[at], high: numbers(own.high)[at], n: numbers(own.n_facts)[at] };
  } }];
}

/** The chosen fact's own rows, one for each modality in which it was traced; none before one is chosen. */
function ownRows(set, { component, metric, quantity, role }, cell) {
  if (!chosen.fact || !set || set.axis !== "role") return [];
  return [...promptsOf(chosenFact(), set)].flatMap(([kind, prompt]) => {
    const maps = (set.heads.length ? set.heads : [""]).map((head) => set.map(prompt, component, metric, String(head)));
    const row = maps[0].rows.findIndex((one) => one.key === role);
    const whole = quantity === "share" ? maps[0].total : 1;
    if (row < 0 || !(Math.abs(whole) > (quantity === "share" ? Math.abs(maps[0].floor) : 0))) return [];
    return [{ label: `${kind}: ${people.subject[chosenFact()]}`, of: (column) => {
      const [layer, head] = cell(column);
      return { mean: maps[head].status(row, layer) < STATUS.SCREENED ? maps[head].value(row, layer) / whole : NaN };
    } }];
  });
}

function namedPlace(list, name) {
  return Math.max(0, list.findIndex((one) => one.name === name));
}

/** Rows as a map. */
function mapOfRows(rows, columns) {
  const found = rows.map((row) => columns.map((_, column) => row.of(column)));
  return {
    rows: rows.map((row) => ({ key: row.label, label: row.label, subject: false })), layers: columns, component: {},
    value: (row, column) => found[row][column].mean, cell: (row, column) => found[row][column],
    status: (row, column) => (Number.isFinite(found[row][column].mean) ? STATUS.MEASURED : STATUS.ABSENT),
  };
}
