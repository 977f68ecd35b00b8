// Layers, heads, paths: a layer opens its heads, a head (or the MLP) the paths out of it and into it. How deep one is
// stands in the state: no layer, a layer, a layer and a head. What is not on the page shows the lines that would run it.

const OF_HEADS = 4; // full colour of heads is this part of the total effect, as in `report/figures`
const OPENS = ["attn_out", "z"]; // components whose cells open the heads of their layer

/** Goes to a layer, or on to a head of it ("mlp": its MLP). */
function openLayer(layer, changes = {}) {
  choose({ view: "layers", layer, head: "", ...changes });
  goTo("layers");
}

/** A link to the heads and paths of the chosen layer, to stand under what was clicked; nothing where none is chosen. */
function deeperLink() {
  if (chosen.layer === "") return null;
  const link = make("a", { href: address({ ...chosen, view: "layers", head: "" }), "data-deeper": chosen.layer, "data-focus": "deeper" }, `layer ${chosen.layer}: its heads and paths`);
  link.addEventListener("click", (event) => { event.preventDefault(); openLayer(chosen.layer); });
  return make("p", { class: "deeper-link" }, link);
}

function showDeeperLink(id) {
  const host = document.getElementById(id);
  if (host) host.replaceChildren(...[deeperLink()].filter(Boolean));
}

/** What the maps by layer and by head show. */
function layerChoice() {
  const { whole, heads } = layerSources();
  const about = whole ?? heads;
  if (!about) return null;
  const rows = about.rows;
  const role = rows.includes(chosen.word) ? chosen.word : rows.includes("read-out") ? "read-out" : rows[rows.length - 1];
  return { component: named(about.components, chosen.component).name, metric: named(about.metrics, chosen.metric).name,
    quantity: chosen.quantity === "share" ? "share" : "effect", role };
}

async function drawLayers() {
  const host = document.getElementById("layers-step");
  if (!host) return;
  await open("averages", "maps", "difference", "heads", "edges");
  hideTip();
  const layer = chosen.layer === "" ? null : Number(chosen.layer);
  const step = layer === null ? allLayers : chosen.head === "" ? headsOfLayer : pathsOfHead;
  const { parts, words, then } = step(layer, chosen.head);
  keepingFocus(document.getElementById("layers"), () => {
    drawTrail(layer, chosen.head);
    host.replaceChildren(make("h3", { id: "layers-heading", tabindex: -1 }, words), ...parts.filter(Boolean));
    if (then) then();
  });
  if (chosen.view === "layers") say(words);
}

/** Where one is, and the way back up. */
function drawTrail(layer, head) {
  const steps = [["all layers", { layer: "", head: "" }],
    ...(layer === null ? [] : [[`layer ${layer}`, { head: "" }]]), ...(layer === null || head === "" ? [] : [[nodeOf(layer, head), {}]])];
  document.getElementById("layers-trail").replaceChildren(make("ol", {}, steps.map(([words, changes], place) => make("li", {},
    place === steps.length - 1 ? make("span", { "aria-current": "step" }, words)
      : make("button", { type: "button", class: "plain", "data-focus": `trail ${words}`, onclick: () => choose({ view: "layers", ...changes }) }, words)))));
}

function nodeOf(layer, head) {
  return head === "mlp" ? `MLP ${layer}` : `L${layer}H${head}`;
}

function linksTo(level) {
  const links = header.deeper.links.filter((one) => one.level === level);
  if (!links.length) return null;
  return make("p", {}, "Figures: ", links.flatMap((one, place) => {
    const link = make("a", { href: `#view=${one.view}`, "data-view": one.view }, one.words);
    link.addEventListener("click", (event) => { event.preventDefault(); choose({ view: one.view }); goTo(one.view); });
    return [place ? ", " : "", link];
  }));
}

/** The lines of a step, of this layer and head. */
function linesFor(step, what, layer, head) {
  const lines = header.deeper.commands;
  const code = lines[step].replaceAll("@layer@", layer).replaceAll("@head@", head);
  return commandBlock(`${what} ${lines.changed || "These lines run them:"}`, code);
}

function allLayers() {
  const { whole, heads } = layerSources();
  const what = layerChoice();
  if (!what) return { words: "All layers", parts: [make("p", {}, "There are no averages over facts: choose a layer in the map of a fact.")] };
  const about = whole ?? heads;
  const largest = (rows) => rows.map((row) => ({ ...row, of: (column) => heads.heads.map((_, head) => row.of([column, head])).reduce((a, b) => (Math.abs(b.mean) > Math.abs(a.mean) ? b : a)) }));
  const rows = whole
    ? [...groupRows(about, what, (column) => [column, 0]), ...differenceRows(header.difference, what, (column) => [column, 0])]
    : largest(groupRows(about, what, (cell) => cell));
  const component = named(about.components, what.component).words;
  return rowsStep("All layers", `${component}, ${what.role}${whole ? "" : ", the largest head of each layer"}`, "choose a layer to see its heads",
    { rows, columns: about.layers, along: "layer", about, what, of: whole ? 1 : OF_HEADS, onChoose: (_, layer) => openLayer(layer) });
}

function headsOfLayer(layer) {
  const { heads } = layerSources();
  const words = `Heads of layer ${layer}`;
  const mlp = make("p", {}, make("button", { type: "button", "data-focus": "mlp", onclick: () => openLayer(layer, { head: "mlp" }) }, `paths of the MLP of layer ${layer}`));
  const place = heads ? heads.layers.indexOf(layer) : -1;
  if (place < 0) {
    const known = headsInEdges(layer).map((head) => make("button", { type: "button", "data-focus": `head ${head}`, onclick: () => openLayer(layer, { head }) }, `L${layer}H${head}`));
    return { words, parts: [linesFor("heads", `The heads of layer ${layer} were not run.`, layer, ""),
      known.length ? make("p", { class: "choices" }, "Paths were run of ", known) : null, mlp, linksTo("heads")] };
  }
  const what = { ...layerChoice(), component: named(heads.components, chosen.component).name };
  if (!heads.rows.includes(what.role)) what.role = heads.rows[heads.rows.length - 1];
  const cell = (column) => [place, column];
  const rows = [...groupRows(heads, what, cell), ...differenceRows(header.deeper.difference, what, cell), ...ownRows(sets.get(header.deeper.heads), what, cell)];
  const step = rowsStep(words, `${named(heads.components, what.component).words}, ${what.role}`, "choose a head to see its paths",
    { rows, columns: heads.heads, along: "head", about: heads, what, of: OF_HEADS, layer, onChoose: (_, head) => openLayer(layer, { head }) });
  return { ...step, parts: [...step.parts, mlp, linksTo("heads")] };
}

/** A step that is a map: modalities and their difference as rows. */
function rowsStep(words, caption, hint, { rows, columns, along, about, what, of, layer, onChoose }) {
  const map = mapOfRows(rows, columns);
  const m = namedPlace(about.metrics, what.metric);
  const limit = (what.quantity === "share" ? 1 : Math.max(...about.total.mean.map((row) => Math.abs(row[m])).filter(Number.isFinite)) || 1) / of;
  const unit = what.quantity === "share" ? "share of the total effect" : `effect on the ${named(about.metrics, what.metric).words}`;
  const panel = make("figure", { class: "panel", "data-step": along }, make("figcaption", {}, `${caption} · ${unit}: ${hint}.`), make("div", { class: "map-host" }),
    colourBar(`${unit} (full colour: ${of === 1 ? "" : "a quarter of "}the total effect)`, limit), tableBehind(words, () => rowsTable(map, columns, along)));
  panel.append(takeAway(words, panel, () => rowsTable(map, columns, along)));
  const describe = (row, column) => {
    const { mean, low, high, n } = map.cell(row, column);
    return [`${map.rows[row].label}, ${along === "head" ? `layer ${layer}, head ${columns[column]}` : `layer ${columns[column]}`}, ${what.role}`,
      n === undefined ? `effect ${number(mean)}` : `mean ${interval(mean, low, high)}`, ...(n === undefined ? [] : [`n = ${several(n, "fact")}`])];
  };
  const then = () => {
    const svg = drawMap(panel.querySelector(".map-host"), map, { limit, name: words, describe, onChoose, rowHeight: 30, along });
    svg.setAttribute("data-focus", `map of ${along}s`);
  };
  return { words, parts: [panel], then };
}

function rowsTable(map, columns, along) {
  return { columns: ["row", along, "mean", "low", "high", "facts"],
    rows: map.rows.flatMap((row, r) => columns.map((column, c) => { const { mean, low, high, n } = map.cell(r, c); return [row.label, column, mean, low ?? NaN, high ?? NaN, n ?? ""]; })) };
}

function pathsOfHead(layer, head) {
  const words = `Paths of ${nodeOf(layer, head)}`;
  const kind = head === "mlp" ? " MLP" : "";
  const parts = ["out of", "into"].flatMap((side) => {
    const found = Object.entries(header.deeper.paths).map(([name, about]) => [name, about, edgesOf(about, side, layer, head)]).filter(([, , edges]) => edges.length);
    if (found.length) return found.map(([name, about, edges]) => edgePanel(name, about, side, nodeOf(layer, head), edges));
    return [linesFor(side + kind, `Paths ${side} ${nodeOf(layer, head)} were not run.`, layer, head)];
  });
  return { words, parts: [...parts, linksTo("paths")] };
}

/** The rows of averages, the one first that is shown where none is chosen. */
function roleChoice(rows) {
  const shown = rows.includes("read-out") ? "read-out" : rows[rows.length - 1];
  return choice("Role", "word", [shown, ...rows.filter((row) => row !== shown)].map((row) => [row, row]));
}

/** The lists by which a layer, a head and what is shown are chosen; a head that was not run is named by its number. */
function startLayers() {
  const { whole, heads } = layerSources();
  const about = whole ?? heads;
  const host = document.getElementById("layers-choices");
  const known = heads ? heads.heads : [];
  const field = make("input", { type: "number", min: 0, step: 1, "aria-label": "Head", "data-choice": "head", size: 4 });
  field.addEventListener("change", () => /^\d+$/.test(field.value) && choose({ head: field.value }));
  field.show = () => { field.value = chosen.head === "mlp" ? "" : chosen.head; field.closest("label").hidden = chosen.layer === ""; };
  host.replaceChildren(
    ...(about ? [choice("Layer", "layer", [["", "all"], ...about.layers.map((layer) => [String(layer), String(layer)])])] : []),
    known.length ? choice("Head", "head", [["", "all"], ...known.map((head) => [String(head), String(head)]), ["mlp", "MLP"]])
      : make("label", { class: "choice" }, "Head ", field),
    ...(about ? [roleChoice(about.rows)] : []));
  if (!known.length) field.show();
}
