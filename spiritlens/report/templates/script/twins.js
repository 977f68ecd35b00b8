// Twins: the tokens of a written map that say what a spoken word says.

/** Rows of a map that are of a spoken word's twin: its tokens, or in a map by role the row of its role. */
function twinRows(map, word) {
  const rows = map.rows.map((row, place) => ({ row, place }));
  if (map.rows[0]?.index !== undefined) return !(word.twin >= 0) ? [] : rows.filter(({ row }) => row.index === word.twin).map(({ place }) => place);
  return roleRows(map, word.twin_role);
}

/** Rows of a map by role that are of a role; the last word may be what the read-out is. */
function roleRows(map, role) {
  const there = (place) => map.layers.some((_, layer) => map.status(place, layer) !== STATUS.ABSENT);
  const own = map.rows.findIndex((row) => row.label === role);
  if (own >= 0 && there(own)) return [own];
  const readout = role === "last word" ? map.rows.findIndex((row) => row.label === "read-out") : -1;
  return readout >= 0 ? [readout] : [];
}

/** Lights rows of a drawn map (none: darkens it). */
function light(svg, map, rows) {
  svg.querySelector(".twins")?.remove();
  const group = shape("g", { class: "twins", "data-rows": rows.map((row) => map.rows[row].label).join(" ") });
  const boxes = rows.map((row) => svg.boxes.get(row)).filter(Boolean);
  if (boxes.length) { // tokens of a word lie beside each other
    const [x, y] = [Math.min(...boxes.map((box) => box.x)), Math.min(...boxes.map((box) => box.y))];
    const [right, bottom] = [Math.max(...boxes.map((box) => box.x + box.width)), Math.max(...boxes.map((box) => box.y + box.height))];
    group.append(shape("rect", { class: "twin", x: x + 1, y: y + 1, width: right - x - 2, height: bottom - y - 2 }));
  }
  if (rows.length) svg.append(group);
}
