// Curves over layers with their bands, all in one panel; crossings are marked.

const PANEL = { left: 46, right: 12, top: 18, bottom: 36 };

/** `curves`: {kind, dash, label, mean, low, high, n}; `crossings`: {kind, at}; `onLayer` is told a clicked layer. */
function drawCurves(host, { layers, curves, crossings = [], thin = [], title, height = 320, marked = "", onLayer }) {
  const width = Math.max(280, host.clientWidth || 640);
  const right = width < 560 ? 12 : 150;
  const inner = { width: width - PANEL.left - right, height: height - PANEL.top - PANEL.bottom };
  const all = [0, ...curves.flatMap((one) => [...one.mean, ...one.low, ...one.high]), ...thin.flatMap((one) => one.mean)].filter(Number.isFinite);
  const [least, most] = [Math.min(...all), Math.max(...all) || 1];
  const x = (place) => PANEL.left + (layers.length > 1 ? place / (layers.length - 1) : 0.5) * inner.width;
  const y = (value) => PANEL.top + (1 - (value - least) / (most - least)) * inner.height;
  const svg = shape("svg", { class: "curves", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title });
  const ticks = niceTicks(least, most);
  const words = tickWords(ticks);
  ticks.forEach((value, place) => {
    svg.append(shape("line", { class: value === 0 ? "zero" : "grid", x1: PANEL.left, x2: PANEL.left + inner.width, y1: y(value), y2: y(value) }));
    svg.append(shape("text", { class: "tick", x: PANEL.left - 6, y: y(value), "text-anchor": "end", "dominant-baseline": "central" }, words[place]));
  });
  tickLayers(layers).forEach((place) => svg.append(
    shape("text", { class: "tick", x: x(place), y: height - PANEL.bottom + 16, "text-anchor": "middle" }, String(layers[place]))));
  svg.append(shape("text", { class: "tick", x: PANEL.left + inner.width / 2, y: height - 4, "text-anchor": "middle" }, "layer"));
  const line = (values) => pathOf(values.map((value, place) => [x(place), y(value)]));
  curves.forEach((one) => {
    const there = one.low.map((low, place) => [low, place]).filter(([low]) => Number.isFinite(low)).map(([, place]) => place);
    if (there.length > 1) {
      const outline = [...there.map((place) => [x(place), y(one.high[place])]), ...there.reverse().map((place) => [x(place), y(one.low[place])])];
      svg.append(shape("path", { class: "band", d: `${pathOf(outline)}Z`, fill: KIND_COLOURS[one.kind] }));
    }
  });
  thin.forEach((one) => svg.append(shape("path", { class: "thin", d: line(one.mean), stroke: KIND_COLOURS[one.kind], "stroke-dasharray": one.dash })));
  curves.forEach((one) => {
    const meant = one.row === "subject" && (!chosen.kind || chosen.kind === one.kind);
    const bold = marked === "curves" && meant;
    svg.append(shape("path", { class: bold ? "curve marked" : "curve", d: line(one.mean), stroke: KIND_COLOURS[one.kind], "stroke-dasharray": one.dash }));
    one.mean.forEach((value, place) => Number.isFinite(value) && svg.append(shape("circle", { class: "point", cx: x(place), cy: y(value), r: 2.6, fill: KIND_COLOURS[one.kind] })));
    const peak = one.mean.indexOf(Math.max(...one.mean.filter(Number.isFinite)));
    if (marked === "peaks" && meant && peak >= 0) svg.append(shape("circle", { class: "outlined peak", "data-kind": one.kind, "data-layer": layers[peak], cx: x(peak), cy: y(one.mean[peak]), r: 8 }));
  });
  if (right > 100) endLabels(svg, curves, x(layers.length - 1) + 10, y, height - PANEL.bottom);
  crossings.forEach((one, index) => {
    const place = placeOf(layers, one.at);
    const meant = marked === "crossings" && (!chosen.kind || chosen.kind === one.kind);
    svg.append(shape("line", { class: meant ? "crossing marked" : "crossing", x1: x(place), x2: x(place), y1: PANEL.top, y2: PANEL.top + inner.height, stroke: KIND_COLOURS[one.kind] }));
    if (one.low !== null) svg.append(shape("line", { class: "crossing-interval", stroke: KIND_COLOURS[one.kind],
      x1: x(placeOf(layers, one.low)), x2: x(placeOf(layers, one.high)), y1: PANEL.top + 12 + 14 * index, y2: PANEL.top + 12 + 14 * index }));
    svg.append(shape("text", { class: "crossing-label", x: x(placeOf(layers, one.low ?? one.at)) - 6, y: PANEL.top + 16 + 14 * index, "text-anchor": "end", fill: KIND_COLOURS[one.kind] }, `${one.kind} ${rounded(one.at, 1)}`));
    if (meant) svg.append(shape("circle", { class: "outlined", cx: x(place), cy: y(meeting(curves, one.kind, layers, place)), r: 11 }));
  });
  const guide = shape("line", { class: "guide", y1: PANEL.top, y2: PANEL.top + inner.height, visibility: "hidden" });
  svg.append(guide);
  const under = (event) => {
    const at = (event.clientX - svg.getBoundingClientRect().left - PANEL.left) / inner.width;
    return Math.min(layers.length - 1, Math.max(0, Math.round(at * (layers.length - 1))));
  };
  const show = (place) => withAttributes(guide, { x1: x(place), x2: x(place), visibility: "visible" });
  const shownLayer = layers.indexOf(Number(chosen.layer || NaN));
  if (shownLayer >= 0) show(shownLayer);
  svg.addEventListener("pointermove", (event) => {
    const place = under(event);
    show(place);
    showTip(event, [`layer ${layers[place]}`, ...curves.map((one) => `${one.label}: ${interval(one.mean[place], one.low[place], one.high[place])}, n = ${one.n}`)]);
  });
  svg.addEventListener("pointerleave", hideTip);
  svg.addEventListener("click", (event) => onLayer && onLayer(layers[under(event)]));
  host.replaceChildren(svg);
  return svg;
}

function pathOf(points) {
  let begun = false;
  return points.map(([x, y]) => {
    if (!Number.isFinite(y)) { begun = false; return ""; }
    const text = `${begun ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    begun = true;
    return text;
  }).join("");
}

/** Names at the ends of curves, pushed apart where they would lie on each other. */
function endLabels(svg, curves, x, y, bottom) {
  const labels = curves.map((one) => ({ one, at: y(one.mean[one.mean.length - 1]) })).filter((label) => Number.isFinite(label.at)).sort((a, b) => a.at - b.at);
  labels.forEach((label, place) => { if (place) label.at = Math.max(label.at, labels[place - 1].at + 15); });
  const over = labels.length ? Math.max(0, labels[labels.length - 1].at - bottom) : 0;
  labels.forEach((label) => svg.append(shape("text", { class: "end-label", x, y: label.at - over, "dominant-baseline": "central", fill: KIND_COLOURS[label.one.kind] }, label.one.label)));
}

/** The place of a layer that may lie between two. */
function placeOf(layers, at) {
  const next = layers.findIndex((layer) => layer >= at);
  if (next <= 0) return Math.max(0, next);
  return next - 1 + (at - layers[next - 1]) / (layers[next] - layers[next - 1]);
}

/** The height at which a modality's subject curve passes a place between two layers. */
function meeting(curves, kind, layers, place) {
  const mean = curves.find((one) => one.kind === kind && one.row === "subject")?.mean ?? [];
  const low = Math.min(layers.length - 1, Math.floor(place)), high = Math.min(layers.length - 1, low + 1);
  return mean[low] + (place - low) * (mean[high] - mean[low]);
}

function niceTicks(least, most) {
  const rough = (most - least) / 5 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= rough);
  const ticks = [];
  for (let at = Math.ceil(least / step); at * step <= most + 1e-9; at += 1) ticks.push(at * step);
  return ticks;
}
