// A map with the sentence along it and layers upwards: a column for each token, as wide as it lasts.
// As in `map_view.js` the pointer or the arrow keys walk it and a click or Enter chooses a cell; Space plays a column.

const TALLEST = 24, LOWEST = 4; // pixels of a layer

/** Draws a map of tokens into a host element and returns it. `columns` are placed ones (`sentence_axis.js`). */
function drawColumns(host, map, options) {
  const { columns, left, width, limit, pale, name, describe, onChoose, onColumn = () => {}, onPlay = () => {} } = options;
  const count = map.layers.length;
  const tall = Math.max(LOWEST, Math.min(TALLEST, Math.floor(256 / count)));
  const height = count * tall + 6;
  const svg = shape("svg", { class: "map columns", width, height, viewBox: `0 0 ${width} ${height}`, role: "application", "aria-roledescription": "map of cells",
    "aria-label": `${name}. Arrow keys walk the cells, layers go upwards.`, tabindex: 0, "data-focus": name });
  const top = (layer) => 3 + (count - 1 - layer) * tall;
  const [cells, marks] = [shape("g", { class: "cells" }), shape("g", { class: "marks" })];
  columns.forEach((column, place) => map.layers.forEach((_, layer) => {
    const row = column.rows[0];
    const status = map.status(row, layer);
    const there = status < STATUS.SCREENED && Number.isFinite(map.value(row, layer));
    const gap = column.width > 5 ? 1 : 0.4;
    cells.append(shape("rect", { class: there ? "cell" : status === STATUS.ABSENT ? "cell absent" : "cell not-run", "data-column": place,
      x: column.x + gap / 2, y: top(layer) + 0.5, width: Math.max(0.5, column.width - gap), height: Math.max(0.5, tall - 1),
      fill: there ? colour(map.value(row, layer), limit, pale) : undefined }));
    const mark = cellMark(status, column.x, top(layer), column.width, tall);
    if (mark) marks.append(mark);
  }));
  const cursor = shape("rect", { class: "cursor", visibility: "hidden" });
  svg.append(cells, marks, cursor, upwardAxis(map.layers, left, top, tall));
  host.replaceChildren(svg);
  svg.boxes = new Map(columns.flatMap((column) => column.rows.map((row) => [row, { x: column.x, y: 1, width: column.width, height: height - 2 }])));

  const chosenColumn = options.here ? columns.findIndex((one) => map.rows[one.rows[0]].key === chosen.word) : -1;
  const walk = { column: chosenColumn >= 0 ? chosenColumn : columns.findIndex((one) => one.timed), layer: map.layers.indexOf(Number(chosen.layer || NaN)) };
  const place = (column, layer, aloud) => {
    Object.assign(walk, { column, layer });
    withAttributes(cursor, { x: columns[column].x, y: top(layer), width: columns[column].width, height: tall, visibility: "visible" });
    if (aloud) { onColumn(columns[column]); say(cellOf(columns[column], layer).join(", ")); }
  };
  const cellOf = (column, layer) => (column.folded ? zeroWords(map, column.rows) : describe(column.rows[0], layer));
  const take = () => onChoose(map.rows[columns[walk.column].rows[0]], map.layers[walk.layer]);
  if (chosenColumn >= 0 && walk.layer >= 0) place(walk.column, walk.layer, false);
  else walk.layer = -1;
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
    const begun = walk.column >= 0 && walk.layer >= 0;
    if (step) {
      event.preventDefault();
      if (!begun) return place(Math.max(0, walk.column), 0, true);
      return place(Math.min(columns.length - 1, Math.max(0, walk.column + step[0])), Math.min(count - 1, Math.max(0, walk.layer + step[1])), true);
    }
    if (event.key === "Enter" && begun) take();
    if (event.key === " " && begun && columns[walk.column].timed) { event.preventDefault(); onPlay(columns[walk.column]); }
    return undefined;
  });
  const under = (event) => {
    const box = svg.getBoundingClientRect();
    const column = columns.findIndex((one) => event.clientX - box.left >= one.x && event.clientX - box.left < one.x + one.width);
    const layer = count - 1 - Math.floor((event.clientY - box.top - 3) / tall);
    return column >= 0 && layer >= 0 && layer < count ? { column, layer } : null;
  };
  svg.addEventListener("pointermove", (event) => {
    const found = under(event);
    onColumn(found ? columns[found.column] : null, event);
    if (!found) return hideTip();
    return showTip(event, cellOf(columns[found.column], found.layer));
  });
  svg.addEventListener("pointerleave", () => { hideTip(); onColumn(null); });
  svg.addEventListener("click", (event) => {
    const found = under(event);
    if (!found) return;
    place(found.column, found.layer, true);
    if (columns[found.column].timed) onPlay(columns[found.column]);
    if (!columns[found.column].folded) take();
  });
  return svg;
}

function upwardAxis(layers, left, top, tall) {
  const axis = shape("g", { class: "axis" });
  const step = Math.ceil(14 / tall);
  const last = layers.length - 1;
  layers.forEach((layer, place) => {
    if (place === last || (place % step === 0 && last - place >= step)) {
      axis.append(shape("text", { x: left - 6, y: top(place) + tall / 2, "text-anchor": "end", "dominant-baseline": "central" }, String(layer)));
    }
  });
  const middle = (top(0) + tall + top(last)) / 2;
  axis.append(shape("text", { x: 9, y: middle, "text-anchor": "middle", transform: `rotate(-90 9 ${middle})` }, "layer"));
  return axis;
}
