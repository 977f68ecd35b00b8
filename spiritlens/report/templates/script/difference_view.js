// The difference of the modalities: T2T | S2T | S2T − T2T, the cells of the test outlined; the facts of a cell stand in
// `dots.js`.

async function drawDifference() {
  const host = document.getElementById("difference-maps");
  const about = header.difference;
  if (!host) return;
  showDeeperLink("difference-deeper");
  if (header.deeper.difference && (chosen.by === "head" || !about)) return drawHeadDifference(host);
  if (!about) return;
  await open("difference", "pairs", "maps");
  const component = about.components.includes(chosen.component) ? chosen.component : about.components[0];
  const metric = about.metrics[chosen.metric] ? chosen.metric : Object.keys(about.metrics)[0];
  const quantity = chosen.quantity === "effect" ? "effect" : "share";
  const source = about.metrics[metric][quantity];
  const c = about.components.indexOf(component);
  const at = (row, layer) => (c * about.layers.length + layer) * about.rows.length + row;
  const status = numbers(about.status);
  const maps = ["first", "second", "difference"].map((side) => ({
    rows: about.rows.map((label) => ({ key: label, label, subject: label === "subject" })), layers: about.layers, component: { name: component },
    total: NaN, floor: 0,
    value: (row, layer) => numbers(source[side].mean)[at(row, layer)],
    low: (row, layer) => numbers(source[side].low)[at(row, layer)],
    high: (row, layer) => numbers(source[side].high)[at(row, layer)],
    n: (row, layer) => numbers(source[side].n_facts)[at(row, layer)],
    status: (row, layer) => status[at(row, layer)],
  }));
  const average = averageOf(Object.keys(header.averages)[0]);
  const totals = average.total.mean.map((row) => Math.abs(row[average.metrics.findIndex((one) => one.name === metric)]));
  const { limit, pale, words: reach } = quantity === "share" ? scaleOf(maps, [1], 0) : scaleOf(maps, totals, about.metrics[metric].floor);
  const tested = about.tested && about.tested.metric === metric ? about.tested : null;
  const outlined = new Set();
  const all = new Set(); // what a finding speaks of: all compared cells, or one
  about.rows.forEach((row, r) => about.layers.forEach((number, layer) => {
    if (tested && tested.verdicts[numbers(tested.verdict)[at(r, layer)]] === "different") outlined.add(`${row} ${layer}`);
    const meant = chosen.mark === "compared" || (chosen.mark === "cell" && row === chosen.word && String(number) === chosen.layer);
    if (meant && status[at(r, layer)] === STATUS.MEASURED) all.add(`${row} ${layer}`);
  }));
  const zeros = zeroRows(maps);
  const names = [about.kinds[0], about.kinds[1], `${about.kinds[1]} − ${about.kinds[0]}`];
  const panels = names.map((name) => make("figure", { class: "panel", "data-side": name }, make("figcaption", {}, make("strong", {}, name), ` · n = ${several(mostFacts(maps[names.indexOf(name)]), "fact")}`), make("div", { class: "map-host" }), tableBehind(`the map ${name}`, () => gridOf(maps[names.indexOf(name)]))));
  host.replaceChildren(...panels);
  const placeWords = (side, row, layer) => `${names[side]}, ${about.rows[row]}, layer ${about.layers[layer]}`;
  const describe = (side) => (row, layer) => (maps[side].status(row, layer) >= STATUS.SCREENED ? [placeWords(side, row, layer), STATUS_WORDS[maps[side].status(row, layer)]] : [placeWords(side, row, layer),
    `mean ${interval(maps[side].value(row, layer), maps[side].low(row, layer), maps[side].high(row, layer))}`, `n = ${several(maps[side].n(row, layer), "fact")}`,
    ...(tested && side === 2 ? [`${tested.verdicts[numbers(tested.verdict)[at(row, layer)]] || "not compared"}, p = ${number(numbers(tested.p_value)[at(row, layer)])} (all cells at once)`] : []),
    ...(maps[side].status(row, layer) === STATUS.EXACT ? [STATUS_WORDS[STATUS.EXACT]] : [])]);
  maps.forEach((map, side) => drawMap(panels[side].querySelector(".map-host"), map, {
    limit, pale, name: names[side], describe: describe(side), zeros, outlined: side === 2 && chosen.mark !== "compared" ? outlined : all, labels: true,
    onPoint: (row, layer) => drawDots({ component, metric, quantity }, about.rows.indexOf(row.key), about.layers.indexOf(layer)),
    onChoose: (row, layer) => (OPENS.includes(component) ? openLayer(layer, { word: row.key }) : choose({ word: row.key, layer }, { entry: false })),
  }));
  const words = quantity === "share" ? "share of the fact's total effect" : "effect";
  document.getElementById("difference-scales").replaceChildren(
    colourBar(`${words} (${reach})`, limit, pale), statusLegend(maps, "not compared: no such place in half of the facts"));
  document.getElementById("difference-take-away").replaceChildren(takeAway(`difference ${component} ${metric} ${quantity}`, host.closest("figure"),
    () => together(maps.map((map, side) => differenceCells(map, names[side], { component, metric, quantity }, side === 2 && tested ? (row, layer) => tested.verdicts[numbers(tested.verdict)[at(row, layer)]] : () => "")))));
  document.getElementById("difference-about").textContent = `${several(about.n_facts, "fact")} of ${several(about.n_subjects, "subject")}, known in both.` +
    (tested ? testWords(tested, component, outlined.size) : " No test of cells was made in this metric.");
  if (chosen.word === "total effect") return drawTotals({ metric, quantity: "effect" });
  const row = Math.max(0, about.rows.indexOf(about.rows.includes(chosen.word) ? chosen.word : "subject"));
  drawDots({ component, metric, quantity }, row, Math.max(0, about.layers.indexOf(Number(chosen.layer || about.layers[Math.floor(about.layers.length / 3)]))));
}

/** Of how many facts a map tells, which some of its cells lack: in shares those of a small total effect are left out. */
function mostFacts(map) {
  return Math.max(0, ...map.rows.flatMap((_, row) => map.layers.map((_, layer) => map.n(row, layer))));
}

/** The cells of one of the three maps as rows. */
function differenceCells(map, side, about, verdict) {
  return { columns: ["side", ...Object.keys(about), "role", "layer", "mean", "low", "high", "facts", "verdict"],
    rows: map.rows.flatMap((row, r) => map.layers.map((layer, l) => [side, ...Object.values(about), row.label, layer, map.value(r, l), map.low(r, l), map.high(r, l), map.n(r, l), verdict(r, l) ?? ""])) };
}

function testWords(tested, component, count) {
  const how = `by ${Number(tested.margin.toPrecision(2))} of the total effect or more, by a test of all ${several(tested.n_tested, "cell")} at once`;
  if (!count) return ` No cell of ${component} is shown to differ ${how}.`;
  return ` Outlined: the ${several(count, "cell")} of ${component} that ${count === 1 ? "differs" : "differ"} ${how}.`;
}

/** What each fact has in one cell in either modality, in effect or in share of its own total effect. */
function factCells({ component, metric, quantity }, row, layer) {
  const about = header.difference;
  const source = about.metrics[metric];
  const c = about.components.indexOf(component);
  const set = setOf("");
  const m = set.metrics.findIndex((one) => one.name === metric);
  const own = (side, fact) => {
    if (!about.places) return entry(source.facts, side * about.n_facts + fact, (c * about.layers.length + layer) * about.rows.length + row);
    const rows = texts(set.rows.labels);
    const place = numbers(about.places)[side * about.n_facts + fact];
    const at = (set.components.findIndex((one) => one.name === component) * set.layers.length + set.layers.indexOf(about.layers[layer])) * rows.length + rows.indexOf(about.rows[row]);
    return entry(set.values, m * set.prompts.length + place, at);
  };
  return factsAt(about, source, quantity, own);
}

/** Each fact's own numbers in one cell, with the mean and its interval. */
function drawDots(what, row, layer) {
  const about = header.difference;
  const source = about.metrics[what.metric][what.quantity].difference;
  const cell = (about.components.indexOf(what.component) * about.layers.length + layer) * about.rows.length + row;
  drawStrip(`${about.rows[row]}, layer ${about.layers[layer]}`, factCells(what, row, layer),
    [numbers(source.mean)[cell], numbers(source.low)[cell], numbers(source.high)[cell]]);
}

/** Each fact's total effects. */
function drawTotals({ metric }) {
  const about = header.difference;
  const source = about.metrics[metric];
  const totals = numbers(source.totals);
  const facts = Array.from({ length: about.n_facts }, (_, fact) => ({ fact, first: totals[fact], second: totals[about.n_facts + fact] }));
  const host = document.getElementById("difference-dots");
  const sides = [[0, about.kinds[0]], [1, about.kinds[1]], [null, "difference"]];
  keepingFocus(host, () => host.replaceChildren(...sides.map(([side, kind]) => {
    const meant = chosen.mark === "totals" && (!chosen.kind || chosen.kind === kind);
    return make("div", { class: meant ? "totals marked" : "totals", "data-kind": kind }, strip("total effect", facts, source.total[side ?? 2], about, side));
  })));
}
