// The difference of the modalities by layer and head, in one role: T2T | S2T | S2T − T2T, and the facts of a head.

const SIDES = ["first", "second", "difference"];

async function drawHeadDifference(host) {
  const about = header.deeper.difference;
  await open("heads", "head pairs", "maps", "averages");
  const component = about.components.includes(chosen.component) ? chosen.component : about.components[0];
  const metric = about.metrics[chosen.metric] ? chosen.metric : Object.keys(about.metrics)[0];
  const quantity = chosen.quantity === "effect" ? "effect" : "share";
  const role = about.rows.includes(chosen.word) ? chosen.word : about.rows.includes("read-out") ? "read-out" : about.rows[about.rows.length - 1];
  const what = { component, metric, quantity };
  const [c, r] = [about.components.indexOf(component), about.rows.indexOf(role)];
  const at = (head, layer) => ((c * about.layers.length + layer) * about.heads.length + head) * about.rows.length + r;
  const maps = SIDES.map((side) => {
    const get = (name) => numbers(about.metrics[metric][quantity][side][name]);
    return { rows: about.heads.map((head) => ({ key: String(head), label: `head ${head}`, subject: false })), layers: about.layers, component: { name: component },
      value: (head, layer) => get("mean")[at(head, layer)], low: (head, layer) => get("low")[at(head, layer)], high: (head, layer) => get("high")[at(head, layer)],
      n: (head, layer) => get("n_facts")[at(head, layer)], status: (head, layer) => (Number.isFinite(get("mean")[at(head, layer)]) ? STATUS.MEASURED : STATUS.ABSENT) };
  });
  const heads = averageOf(header.deeper.heads);
  const totals = heads ? heads.total.mean.map((row) => Math.abs(row[namedPlace(heads.metrics, metric)])).filter(Number.isFinite) : [1];
  const limit = (quantity === "share" ? 1 : Math.max(...totals)) / OF_HEADS;
  const names = [...about.kinds, `${about.kinds[1]} − ${about.kinds[0]}`];
  const panels = names.map((name, side) => make("figure", { class: "panel", "data-side": name }, make("figcaption", {}, make("strong", {}, name), ` · ${component}, ${role} · n = ${several(mostFacts(maps[side]), "fact")}`),
    make("div", { class: "map-host" }), tableBehind(`the map ${name} by head`, () => gridOf(maps[side]))));
  host.replaceChildren(...panels);
  maps.forEach((map, side) => drawMap(panels[side].querySelector(".map-host"), map, {
    limit: side === 2 ? limit / 2 : limit, name: `${names[side]}, ${role}, by layer and head`, row: chosen.head, rowHeight: Math.max(9, Math.min(24, 420 / about.heads.length)),
    describe: (head, layer) => [`${names[side]}, layer ${about.layers[layer]}, head ${about.heads[head]}, ${role}`, `mean ${interval(map.value(head, layer), map.low(head, layer), map.high(head, layer))}`, `n = ${several(map.n(head, layer), "fact")}`],
    onPoint: (row, layer) => drawHeadDots(about, what, about.heads.indexOf(Number(row.key)), about.layers.indexOf(layer), role),
    onChoose: (row, layer) => openLayer(layer, { head: row.key, word: role }),
  }));
  const words = quantity === "share" ? "share of the fact's total effect" : "effect";
  document.getElementById("difference-scales").replaceChildren(
    colourBar(`${about.kinds[0]} and ${about.kinds[1]}: ${words} (full colour: a quarter)`, limit), colourBar(`difference of the ${words}`, limit / 2), statusLegend(maps, "not compared: no such place, or nothing can change there"));
  document.getElementById("difference-take-away").replaceChildren(takeAway(`difference by head ${component} ${metric} ${quantity} ${role}`, host.closest("figure"),
    () => together(maps.map((map, side) => headCells(map, names[side], { component, metric, quantity, role })))));
  document.getElementById("difference-about").textContent = `${several(about.n_facts, "fact")} of ${several(about.n_subjects, "subject")}, known in both, head by head. No test of heads was made.`;
  const [head, layer] = [about.heads.indexOf(Number(chosen.head || NaN)), about.layers.indexOf(Number(chosen.layer || NaN))];
  drawHeadDots(about, what, Math.max(0, head), Math.max(0, layer), role);
}

/** The cells of one of the three maps as rows. */
function headCells(map, side, about) {
  return { columns: ["side", ...Object.keys(about), "head", "layer", "mean", "low", "high", "facts"],
    rows: map.rows.flatMap((row, r) => map.layers.map((layer, l) => [side, ...Object.values(about), row.key, layer, map.value(r, l), map.low(r, l), map.high(r, l), map.n(r, l)])) };
}

/** Each fact's own numbers of one head. */
function drawHeadDots(about, { component, metric, quantity }, head, layer, role) {
  const title = `${role}, layer ${about.layers[layer]}, head ${about.heads[head]}`;
  const source = about.metrics[metric];
  const cell = ((about.components.indexOf(component) * about.layers.length + layer) * about.heads.length + head) * about.rows.length + about.rows.indexOf(role);
  const triple = ["mean", "low", "high"].map((name) => numbers(source[quantity].difference[name])[cell]);
  drawStrip(title, factsAt(about, source, quantity, ownOfHead(about, { component, metric }, cell, head, layer, role)), triple, about);
}

/** What a fact has of a head in a modality: in its one map, or as its several were paired. */
function ownOfHead(about, { component, metric }, cell, head, layer, role) {
  if (!about.places) return (side, fact) => entry(about.metrics[metric].facts, side * about.n_facts + fact, cell);
  const set = sets.get(header.deeper.heads);
  const rows = texts(set.rows.labels);
  const places = numbers(about.places);
  const m = namedPlace(set.metrics, metric);
  const at = ((namedPlace(set.components, component) * set.layers.length + set.layers.indexOf(about.layers[layer])) * set.heads.length + head) * rows.length + rows.indexOf(role);
  return (side, fact) => entry(set.values, m * set.prompts.length + places[side * about.n_facts + fact], at);
}
