// Paths and edges of one node: those out of it and those into it, the largest first, each with the mean of either modality
// and its interval. The node at the other end can be gone to.

const MOST_EDGES = 24;
const EDGE_WIDTH = 190, EDGE_ROW = 13; // pixels

/** Whether a node of an edge is the chosen one: a head of a layer, or its MLP. */
function isNode(node, layer, head) {
  return node.layer === layer && (head === "mlp" ? node.component.startsWith("mlp") : node.head === Number(head) && node.head >= 0);
}

/** Heads of a layer of which some result holds an edge. */
function headsInEdges(layer) {
  const nodes = Object.values(header.deeper.paths).flatMap((one) => [...one.senders, ...one.receivers]);
  return [...new Set(nodes.filter((node) => node.layer === layer && node.head >= 0).map((node) => node.head))].sort((a, b) => a - b);
}

/** The edges of a result out of a node or into it: {node, position, sides: [{kind, mean, low, high, n}]}, by size. */
function edgesOf(about, side, layer, head) {
  const nodes = side === "out of" ? about.senders : about.receivers;
  const others = side === "out of" ? about.receivers : about.senders;
  const [own, other] = side === "out of" ? [0, 1] : [1, 0];
  const edges = numbers(about.edges);
  const [groups, metrics] = [about.groups.length, about.metrics.length];
  const m = namedPlace(about.metrics, chosen.metric);
  const found = [];
  for (let edge = 0; edge < edges.length / 3; edge += 1) {
    const node = nodes[edges[3 * edge + own]];
    if (!isNode(node, layer, head)) continue;
    const sides = about.groups.map((kind, group) => {
      const at = (edge * groups + group) * metrics + m;
      return { kind, mean: numbers(about.mean)[at], low: numbers(about.low)[at], high: numbers(about.high)[at], n: numbers(about.n_facts)[at] };
    }).filter((one) => one.n > 0);
    if (sides.length) found.push({ from: node, node: others[edges[3 * edge + other]], position: about.positions[edges[3 * edge + 2]], sides });
  }
  const size = (one) => Math.max(...one.sides.map((each) => Math.abs(each.mean)));
  return found.sort((a, b) => size(b) - size(a));
}

/** A list of edges, with what it holds as a table. */
function edgePanel(name, about, side, nodeWords, edges) {
  const shown = edges.slice(0, MOST_EDGES);
  const most = Math.max(1e-12, ...shown.flatMap((one) => one.sides.flatMap((each) => [each.mean, each.low, each.high])).filter(Number.isFinite).map(Math.abs));
  const words = (one) => (side === "out of" ? `${one.from.name} → ${one.node.name}` : `${one.node.name} → ${one.from.name}`);
  const apart = new Set(edges.map((one) => one.position)).size > 1;
  const rows = shown.map((one) => make("li", { class: "edge", "data-edge": words(one) },
    make("span", { class: "edge-name" }, otherNode(one.node, words(one)), apart ? ` · ${one.position}` : ""),
    edgeBars(one.sides, most),
    make("span", { class: "edge-numbers" }, one.sides.map((each) => `${each.kind} ${interval(each.mean, each.low, each.high)} (n = ${each.n})`).join(" · "))));
  const title = `${side === "out of" ? "Out of" : "Into"} ${nodeWords}: ${name}`;
  const kept = about.there > numbers(about.edges).length / 3 ? ` The page holds the ${numbers(about.edges).length / 3} largest of ${about.there}.` : "";
  const counts = `${shown.length < edges.length ? `${shown.length} of ` : ""}${several(edges.length, "path")}, the largest first.${kept}`;
  const numbersOf = () => ({ columns: ["path", "position", "modality", "change", "low", "high", "facts"],
    rows: edges.flatMap((one) => one.sides.map((each) => [words(one), one.position, each.kind, each.mean, each.low, each.high, each.n])) });
  return make("figure", { class: "panel edges", "data-side": side, "data-of": name },
    make("figcaption", {}, make("strong", {}, title), ` · ${about.metrics[namedPlace(about.metrics, chosen.metric)].words} · ${counts}`),
    make("ol", { class: "edge-list", "aria-label": title }, rows), takeAway(title, null, numbersOf, null), tableBehind(title, numbersOf));
}

/** The other end of an edge: a head or an MLP is gone to, the answer is where paths end. */
function otherNode(node, words) {
  if (node.layer < 0) return words;
  const head = node.head >= 0 ? node.head : "mlp";
  return make("button", { type: "button", class: "plain", "data-focus": `node ${words}`, onclick: () => openLayer(node.layer, { head }) }, words);
}

function edgeBars(sides, most) {
  const height = sides.length * EDGE_ROW + 2;
  const x = (value) => 4 + (value / most + 1) / 2 * (EDGE_WIDTH - 8);
  const svg = shape("svg", { width: EDGE_WIDTH, height, viewBox: `0 0 ${EDGE_WIDTH} ${height}`, "aria-hidden": "true" });
  svg.append(shape("line", { class: "zero", x1: x(0), x2: x(0), y1: 0, y2: height }));
  sides.forEach((one, place) => {
    const y = 1 + (place + 0.5) * EDGE_ROW;
    if (Number.isFinite(one.low)) svg.append(shape("line", { class: "crossing-interval", x1: x(one.low), x2: x(one.high), y1: y, y2: y, stroke: KIND_COLOURS[one.kind] }));
    svg.append(shape("circle", { class: "point", cx: x(one.mean), cy: y, r: 4, fill: KIND_COLOURS[one.kind] }));
  });
  return svg;
}
