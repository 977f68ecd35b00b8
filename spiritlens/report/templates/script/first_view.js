// The first screen: the subject and the read-out over layers, writing and speech in one panel, and a player.

const first = document.getElementById("first");

/** The set whose averages are drawn: by role, or plain writing where that is asked for, or of the chosen head. */
function firstAverages() {
  const names = Object.keys(header.averages).filter((name) => averageOf(name) && !averageOf(name).heads.length);
  const { whole, heads } = layerSources();
  const plain = names.map(averageOf).find((one, place) => place && names[place] === "plain writing");
  const head = heads ? heads.heads.indexOf(Number(chosen.head || NaN)) : -1;
  if (heads && (head >= 0 || !whole)) return { main: heads, head: Math.max(0, head) };
  return { main: whole, plain, head: 0 };
}

function curvesOf(about, kinds, { component, metric, quantity, head = 0 }) {
  const c = about.components.findIndex((one) => one.name === component);
  const m = about.metrics.findIndex((one) => one.name === metric);
  const get = Object.fromEntries(["mean", "low", "high", "n_facts"].map((what) => [what, about.number(quantity, what)]));
  const rows = about.rows.includes("read-out") ? ["subject", "read-out"] : ["subject", "final marker", "last word"].filter((row) => about.rows.includes(row));
  return rows.flatMap((row) => about.groups.filter((kind) => kinds.includes(kind)).map((kind) => {
    const along = (what) => about.layers.map((_, layer) => get[what](about.groups.indexOf(kind), c, layer, head, about.rows.indexOf(row), m));
    return { key: `${kind} ${row}`, kind, row, dash: row === "subject" ? undefined : "6 4", label: `${kind} ${row}`,
      mean: along("mean"), low: along("low"), high: along("high"), n: Math.max(0, ...along("n_facts")) };
  })).filter((curve) => curve.mean.some(Number.isFinite));
}

const PLAYER_HEIGHT = 124, STATUS_HEIGHT = 30; // pixels of the player with its words, and of the status line

/** Pixels for the curves: what headline, legend, player and status line leave of the first screen. */
function curveHeight(host, legend) {
  const above = host.getBoundingClientRect().top + window.scrollY;
  const below = legend.offsetHeight + (numbers(header.sounds.prompts).length ? PLAYER_HEIGHT : 0) + STATUS_HEIGHT;
  return Math.max(220, Math.min(window.innerWidth < 600 ? 300 : 400, window.innerHeight - above - below));
}

async function drawFirst() {
  const host = document.getElementById("first-picture");
  if (!host) return;
  await open("averages", ...(chosen.fact ? ["maps"] : []));
  showDeeperLink("first-deeper");
  const { main, plain, head } = firstAverages();
  host.closest("figure").hidden = !main;
  if (!main) return;
  const component = named(main.components, chosen.component).name;
  const metric = named(main.metrics, chosen.metric).name;
  const quantity = chosen.quantity === "share" ? "share" : "effect";
  const what = { component, metric, quantity, head };
  const ofHead = main.heads.length ? `, head ${main.heads[head]}` : "";
  const showsPlain = chosen.plain === "yes" && plain;
  const curves = [...(showsPlain ? curvesOf(plain, ["T2T"], what) : curvesOf(main, ["T2T"], what)), ...curvesOf(main, ["S2T", "mixed"], what)];
  const crossings = main.heads.length ? [] : main.groups.map((kind, group) => {
    const source = kind === "T2T" && showsPlain ? plain : main;
    const own = source.groups.indexOf(kind);
    const found = own < 0 ? null : source.crossings[quantity][own][source.components.findIndex((one) => one.name === component)][source.metrics.findIndex((one) => one.name === metric)];
    return found && { kind, at: found[0], low: found[1], high: found[2] };
  }).filter(Boolean);
  const words = quantity === "share" ? "share of the total effect" : `effect on the ${named(main.metrics, metric).words}`;
  document.getElementById("first-caption").textContent =
    `${named(main.components, component).words}${ofHead}: ${words}. Solid: subject; dashed: read-out. Bands: ${Math.round(100 * main.confidence)} % intervals over facts.${ofHead ? "" : " Dotted: where the read-out takes over"}${chosen.fact ? `; thin: ${people.subject[chosenFact()]}` : ""}.`;
  const legend = document.getElementById("first-legend");
  legend.replaceChildren(...curves.map((one) => make("span", { class: "key" }, swatch(one), `${one.label} (n = ${one.n})`)));
  drawCurves(host, { layers: main.layers, curves, crossings, thin: factCurves(what), title: document.getElementById("first-caption").textContent,
    height: curveHeight(host, legend), marked: chosen.mark, onLayer: (layer) => choose({ layer }) });
  const numbersOf = () => curveNumbers(curves, main.layers);
  const caption = `${named(main.components, component).words}${ofHead}: ${words}`;
  document.getElementById("first-take-away").replaceChildren(takeAway(caption, host.closest("figure"), numbersOf), tableBehind(caption, numbersOf));
}

function curveNumbers(curves, layers) {
  return { columns: ["curve", "layer", "mean", "low", "high", "facts"],
    rows: curves.flatMap((one) => layers.map((layer, place) => [one.label, layer, one.mean[place], one.low[place], one.high[place], one.n])) };
}

/** The chosen fact's own curves, thin; none before one is chosen. */
function factCurves({ component, metric, quantity, head }) {
  const { main } = firstAverages();
  const set = main.heads.length ? sets.get(header.deeper.heads) : setOf("");
  if (!chosen.fact || set.axis !== "role" || !opened.has("maps")) return [];
  return [...promptsOf(chosenFact(), set)].flatMap(([kind, prompt]) => {
    const map = set.map(prompt, component, metric, String(set.heads[head] ?? ""));
    const whole = quantity === "share" ? map.total : 1;
    if (!(Math.abs(whole) > Math.abs(quantity === "share" ? map.floor : 0))) return [];
    return ["subject", "read-out"].map((role) => map.rows.findIndex((row) => row.key === role)).filter((row) => row >= 0)
      .map((row) => ({ kind, dash: map.rows[row].key === "subject" ? undefined : "6 4", mean: map.layers.map((_, layer) => map.value(row, layer) / whole) }));
  });
}

function swatch(one) {
  const line = shape("svg", { width: 26, height: 10, "aria-hidden": "true" });
  line.append(shape("line", { x1: 1, x2: 25, y1: 5, y2: 5, class: "curve", stroke: KIND_COLOURS[one.kind], "stroke-dasharray": one.dash }));
  return line;
}

function drawFirstChoices() {
  const host = document.getElementById("first-choices");
  const { whole, heads } = layerSources();
  const main = whole ?? heads;
  const { plain } = firstAverages();
  if (!host || !main) return;
  host.replaceChildren(
    choice("Component", "component", main.components.map((one) => [one.name, one.words])),
    choice("Metric", "metric", main.metrics.map((one) => [one.name, one.words])),
    choice("Shown", "quantity", [["effect", "effect"], ["share", "share of the total effect"]]),
    ...(heads ? [choice("Head", "head", [...(whole ? [["", "whole layers"]] : []), ...heads.heads.map((head) => [String(head), String(head)])])] : []),
    ...(plain ? [toggle("plain writing", "plain")] : []));
}

/** Choices show what is chosen. They come and go with their views, so that one follower sees to all on the page. */
function followChoices() {
  follow(Object.keys(NOTHING), () => document.querySelectorAll("[data-choice]").forEach((one) => one.show()));
}

/** A choice of one part of the state. */
function choice(label, name, options) {
  const list = make("select", { "data-choice": name }, options.map(([value, words]) => make("option", { value }, words)));
  list.show = () => { list.value = options.some(([value]) => value === chosen[name]) ? chosen[name] : options[0][0]; };
  list.show();
  list.addEventListener("change", () => choose({ [name]: list.value }));
  return make("label", { class: "choice" }, `${label} `, list);
}

function toggle(label, name) {
  const button = make("button", { type: "button", "data-choice": name }, label);
  button.show = () => button.setAttribute("aria-pressed", String(chosen[name] === "yes"));
  button.show();
  button.addEventListener("click", () => choose({ [name]: chosen[name] === "yes" ? "" : "yes" }));
  return button;
}

/** Why a fact that was spoken cannot be heard. */
function silence(fact) {
  if (people.of[fact].every((prompt) => people.prompts.modality[prompt] === "T2T")) return [];
  const none = !numbers(header.sounds.prompts).length;
  return [make("p", { class: "quiet" }, none ? "No sound was given: make the page with prompts=… to hear what was asked." : "No sound of this fact was given.")];
}

async function drawFirstPlayer() {
  await open("spoken");
  const host = document.getElementById("first-player");
  if (!host) return;
  const fact = chosenFact();
  const spoken = [...promptsOf(fact).values(), ...people.of[fact]].find((prompt) => soundPlace(prompt) >= 0);
  if (spoken === undefined) return host.replaceChildren(...silence(fact));
  const lanes = make("div", {});
  host.replaceChildren(playerBar(spoken, `${people.subject[fact]} → ${people.answer[fact]}`), lanes);
  drawSentence(lanes, { prompt: spoken, speech: speechOf(spoken), name: people.subject[fact], compact: true });
}
