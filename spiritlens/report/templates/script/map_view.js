// A map: rows × layers as cells. The pointer or the arrow keys walk it, a click or Enter chooses a cell.
//
// `map` has rows ({key, label, subject}), layers, value(row, layer), status(row, layer), and may have low, high and n;
// its columns may be heads (`along`), which then are its "layers".
// `zeros` are rows that hold exact zeros only: a run of them is one thin row, as in `report/figures/rows.py`.

const LABEL_WIDTH = 118;
const THIN = 0.5; // height of a run of exact zeros, in rows

/** Rows in which no cell of the maps was run, and some is exact. */
function zeroRows(maps) {
  const statuses = (row) => maps.flatMap((map) => map.layers.map((_, layer) => map.status(row, layer)));
  return new Set(maps[0].rows.map((_, row) => row).filter((row) => {
    const own = statuses(row);
    return own.includes(STATUS.EXACT) && own.every((one) => one === STATUS.EXACT || one === STATUS.ABSENT);
  }));
}

/** Rows from top to bottom, a run of `zeros` as one that is thin; several together are `folded` and have no single name. */
function stripes(rows, zeros) {
  const found = [];
  rows.forEach((_, row) => {
    const last = found[found.length - 1];
    if (zeros.has(row) && last && last.thin) last.rows.push(row);
    else found.push({ rows: [row], thin: zeros.has(row) });
  });
  return found.map((one) => ({ ...one, folded: one.rows.length > 1 }));
}

/** Rows that are drawn as one, in words: which hold zeros, and which this map has no place for. */
function zeroWords(map, rows) {
  const absent = new Set(rows.filter((row) => map.layers.every((_, layer) => map.status(row, layer) === STATUS.ABSENT)));
  return [[rows.filter((row) => !absent.has(row)), "exactly 0"], [[...absent], "no such place"]]
    .filter(([own]) => own.length).map(([own, words]) => `${own.map((row) => map.rows[row].label).join(", ")}: ${words}`);
}

function tickLayers(layers) {
  const step = Math.max(1, Math.ceil(layers.length / 12));
  const ticks = layers.map((_, place) => place).filter((place) => place % step === 0);
  const last = layers.length - 1;
  if (ticks[ticks.length - 1] !== last) {
    if (last - ticks[ticks.length - 1] < step / 2 + 0.5 && ticks.length > 1) ticks.pop();
    ticks.push(last); // the last layer is always labelled
  }
  return ticks;
}

function cellMark(status, x, y, width, height) {
  if (status === STATUS.EXACT) return shape("circle", { class: "exact", cx: x + width / 2, cy: y + height / 2, r: Math.min(2.5, width / 4, height / 4) });
  if (status === STATUS.SCREENED) return shape("path", { class: "screened", d: `M${x + 2} ${y + height - 2}L${x + width - 2} ${y + 2}` });
  return null;
}

/** Draws a map into a host element and returns it. */
function drawMap(host, map, options) {
  const { limit, pale, name, describe, onChoose, outlined = new Set(), zeros = new Set(), rowHeight = 24, labels = true, along = "layer" } = options;
  const width = Math.max(160, host.clientWidth || 320);
  const left = labels ? LABEL_WIDTH : 6;
  const runs = stripes(map.rows, zeros);
  const cellWidth = (width - left - 10) / map.layers.length;
  let y = 2;
  runs.forEach((run) => { run.y = y; run.height = rowHeight * (run.thin ? THIN : 1); y += run.height; });
  const height = y + 34;
  const svg = shape("svg", { class: "map", width, height, viewBox: `0 0 ${width} ${height}`, role: "application",
    "aria-roledescription": "map of cells", "aria-label": `${name}. Arrow keys walk the cells.`, tabindex: 0 });
  const cells = shape("g", { class: "cells" });
  const marks = shape("g", { class: "marks" });
  runs.forEach((run) => {
    const row = run.rows[0];
    if (labels) {
      const text = run.folded ? `${run.rows.length} rows: all 0` : map.rows[row].label;
      svg.append(shape("text", { class: run.thin ? "label thin" : map.rows[row].subject ? "label subject" : "label",
        x: left - 8, y: run.y + run.height / 2, "text-anchor": "end", "dominant-baseline": "central" }, shorten(text)));
    }
    if (map.rows[row].subject && !run.folded) svg.append(shape("rect", { class: "subject-bar", x: left - 4, y: run.y, width: 3, height: run.height }));
    map.layers.forEach((_, layer) => {
      const status = map.status(row, layer);
      const x = left + layer * cellWidth;
      const there = status < STATUS.SCREENED && Number.isFinite(map.value(row, layer));
      cells.append(shape("rect", { class: there ? "cell" : status === STATUS.ABSENT ? "cell absent" : "cell not-run",
        x: x + 0.5, y: run.y + 0.5, width: Math.max(0.5, cellWidth - 1), height: run.height - 1,
        fill: there ? colour(map.value(row, layer), limit, pale) : undefined }));
      const mark = cellMark(status, x, run.y, cellWidth, run.height);
      if (mark) marks.append(mark);
      if (outlined.has(`${map.rows[row].key} ${layer}`)) marks.append(shape("rect", { class: "outlined", x: x + 1.5, y: run.y + 1.5, width: cellWidth - 3, height: run.height - 3 }));
    });
  });
  const cursor = shape("rect", { class: "cursor", visibility: "hidden" });
  svg.append(cells, marks, cursor, layerAxis(map.layers, left, cellWidth, y, width, along));
  host.replaceChildren(svg);
  svg.boxes = new Map(runs.flatMap((run) => run.rows.map((row) => [row, { x: left - 1, y: run.y, width: map.layers.length * cellWidth + 2, height: run.height }])));

  const walk = { run: runs.findIndex((run) => !run.folded && map.rows[run.rows[0]].key === (options.row ?? chosen.word)), layer: map.layers.indexOf(Number(chosen[along] || NaN)) };
  const place = (run, layer, aloud) => {
    Object.assign(walk, { run, layer });
    const { y: top, height: tall } = runs[run];
    withAttributes(cursor, { x: left + layer * cellWidth, y: top, width: cellWidth, height: tall, visibility: "visible" });
    if (aloud) say((runs[run].folded ? zeroWords(map, runs[run].rows) : describe(runs[run].rows[0], layer)).join(", "));
  };
  if (walk.run >= 0 && walk.layer >= 0) place(walk.run, walk.layer, false);
  const take = () => onChoose && onChoose(map.rows[runs[walk.run].rows[0]], map.layers[walk.layer]);
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (step) {
      event.preventDefault();
      const begun = walk.run >= 0 && walk.layer >= 0;
      const run = begun ? Math.min(runs.length - 1, Math.max(0, walk.run + step[0])) : 0;
      const layer = begun ? Math.min(map.layers.length - 1, Math.max(0, walk.layer + step[1])) : 0;
      place(run, layer, true);
    } else if (event.key === "Enter" && walk.run >= 0) {
      take();
    }
  });
  const under = (event) => {
    const box = svg.getBoundingClientRect();
    const layer = Math.floor((event.clientX - box.left - left) / cellWidth);
    const run = runs.findIndex((one) => event.clientY - box.top >= one.y && event.clientY - box.top < one.y + one.height);
    return run >= 0 && layer >= 0 && layer < map.layers.length ? { run, layer } : null;
  };
  svg.addEventListener("pointermove", (event) => {
    const found = under(event);
    if (!found) return hideTip();
    showTip(event, runs[found.run].folded ? zeroWords(map, runs[found.run].rows) : describe(runs[found.run].rows[0], found.layer));
    if (options.onPoint) options.onPoint(map.rows[runs[found.run].rows[0]], map.layers[found.layer]);
  });
  svg.addEventListener("pointerleave", hideTip);
  svg.addEventListener("click", (event) => {
    const found = under(event);
    if (!found || runs[found.run].folded) return;
    place(found.run, found.layer, true);
    take();
  });
  return svg;
}

/** What the marks of cells mean, of those that the maps have. */
function statusLegend(maps, absent = "no such place") {
  const found = new Set(maps.flatMap((map) => map.rows.flatMap((_, row) => map.layers.map((_, layer) => map.status(row, layer)))));
  const keys = [[STATUS.EXACT, "exact", "exactly 0: nothing can change, not run"], [STATUS.SCREENED, "screened", "screened out, not run"], [STATUS.ABSENT, "absent", absent]];
  return make("p", { class: "legend quiet" }, keys.filter(([status]) => found.has(status)).map(([status, name, words]) => {
    const picture = shape("svg", { width: 16, height: 16, "aria-hidden": "true" }, shape("rect", { class: `cell ${name === "exact" ? "" : name === "absent" ? "absent" : "not-run"}`, x: 0.5, y: 0.5, width: 15, height: 15, fill: name === "exact" ? colour(0, 1) : undefined }));
    const mark = cellMark(status, 0, 0, 16, 16);
    if (mark) picture.append(mark);
    return make("span", { class: "key" }, picture, words);
  }));
}

function layerAxis(layers, left, cellWidth, y, width, words = "layer") {
  const axis = shape("g", { class: "axis" });
  tickLayers(layers).forEach((place) => axis.append(
    shape("text", { x: left + (place + 0.5) * cellWidth, y: y + 13, "text-anchor": "middle" }, String(layers[place]))));
  axis.append(shape("text", { x: left + (width - left) / 2, y: y + 29, "text-anchor": "middle" }, words));
  return axis;
}

function shorten(text, most = 16) {
  const letters = Array.from(text);
  return letters.length > most ? `${letters.slice(0, most - 1).join("")}…` : text;
}

const tip = document.getElementById("tip");

function showTip(event, lines) {
  tip.replaceChildren(...lines.map((line) => make("div", {}, line)));
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, document.documentElement.clientWidth - box.width - 4))}px`;
  tip.style.top = `${event.clientY + 18 + box.height > window.innerHeight ? event.clientY - box.height - 12 : event.clientY + 18}px`;
}

function hideTip() {
  tip.hidden = true;
}

const STATUS_WORDS = ["measured", "exact: nothing can change, not run", "screened out, not run", "no such place"];

/** A cell in words. */
function cellWords(map, row, layer) {
  const status = map.status(row, layer);
  const value = map.value(row, layer);
  const told = status >= STATUS.SCREENED ? STATUS_WORDS[status] : `effect ${number(value)}`;
  const share = status < STATUS.SCREENED && map.total > Math.abs(map.floor) ? `, ${number(value / map.total)} of the total effect` : "";
  return [`layer ${layerWords(map, layer)}`, rowWords(map.rows[row]), told + share, ...(status < STATUS.SCREENED ? [STATUS_WORDS[status]] : [])];
}

function layerWords(map, layer) {
  const [first, last] = map.component.windows ? map.component.windows[layer] : [0, 0];
  return last > first ? `${map.layers[layer]} (layers ${first}–${last} patched together)` : `${map.layers[layer]}`;
}

function rowWords(row) {
  if (row.word === undefined) return row.label;
  const part = row.part && row.part !== "none" ? ` (${row.part})` : "";
  const time = Number.isFinite(row.start) ? `, ${fixed(row.start)}–${fixed(row.end)} s` : "";
  return `token ${row.label}${row.word ? ` of ‘${row.word}’` : ""}, ${row.role}${part}${time}`;
}
