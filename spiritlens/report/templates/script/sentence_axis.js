// One axis for a sentence: stretches of seconds, and between them the tokens that have no time (markers, written words).
//
// A column is a token, or a run of markers that hold exact zeros only: {rows, label, start, end, timed, word}. Placing them
// gives each x and width in pixels.

const NARROW = 9, MARKER = 24, LETTERED = 46; // pixels of columns without a time
const LEAST_SCALE = 140; // pixels a second: below this words cannot be read, and the sentence scrolls

/** Columns of a map of tokens, in seconds where they have any; runs of markers among the `folded` rows are one column. */
function columnsOf(map, speech, folded) {
  const units = new Map(speech ? speech.units.map((unit) => [unit.position, unit]) : []);
  let heard = -Infinity;
  const columns = [];
  map.rows.forEach((row, place) => {
    const unit = units.get(row.position) ?? (row.position < 0 && speech?.segments === 1 ? row : {});
    const timed = Number.isFinite(unit.start) && unit.start >= heard - 1e-6;
    if (timed) heard = unit.end;
    const last = columns[columns.length - 1];
    const thin = !timed && row.index < 0 && folded.has(place);
    if (thin && last?.folded) last.rows.push(place);
    else columns.push({ rows: [place], label: row.label, word: row.index, subject: row.subject, folded: thin, timed, start: timed ? unit.start : NaN, end: timed ? unit.end : NaN });
  });
  return columns.map((one) => ({ ...one, folded: one.folded && one.rows.length > 1 }));
}

/** The columns of a spoken prompt without a map: its units. */
function unitColumns(speech) {
  return speech.units.map((unit) => ({ rows: [], label: unit.label, word: unit.word, subject: unit.subject, folded: false, timed: true, start: unit.start, end: unit.end }));
}

/** Places columns from `left` on within `width`; returns pixels of seconds (`x`), seconds of pixels and the whole width. */
function placeColumns(columns, { speech, left, width }) {
  const pieces = [];
  columns.forEach((column) => {
    const last = pieces[pieces.length - 1];
    if (!column.timed) pieces.push({ column });
    else if (last && !last.column) last.end = Math.max(last.end, column.end);
    else pieces.push({ start: column.start, end: column.end });
  });
  const timed = pieces.filter((piece) => !piece.column);
  timed.forEach((piece, place) => {
    piece.start = place ? piece.start : Math.min(piece.start, speech.from);
    piece.end = place + 1 < timed.length ? Math.max(piece.end, timed[place + 1].start) : Math.max(piece.end, speech.until);
  });
  const untimed = pieces.filter((piece) => piece.column);
  const open = untimed.filter((piece) => !piece.column.folded);
  const each = timed.length ? MARKER : Math.min(LETTERED, Math.max(MARKER, (width - left - NARROW * (untimed.length - open.length)) / open.length));
  untimed.forEach((piece) => { piece.width = piece.column.folded ? NARROW : each; });
  const fixed = untimed.reduce((sum, piece) => sum + piece.width, 0);
  const seconds = timed.reduce((sum, piece) => sum + piece.end - piece.start, 0);
  const scale = seconds ? Math.max(LEAST_SCALE, (width - left - fixed - 2) / seconds) : 0;
  let at = left;
  pieces.forEach((piece) => {
    piece.x = at;
    piece.width = piece.width ?? (piece.end - piece.start) * scale;
    at += piece.width;
    if (piece.column) Object.assign(piece.column, { x: piece.x, width: piece.width });
  });
  const pieceAt = (one) => timed.find((piece) => one <= piece.end) ?? timed[timed.length - 1];
  const x = (one) => { const piece = pieceAt(one); return piece.x + Math.min(piece.end - piece.start, Math.max(0, one - piece.start)) * scale; };
  columns.filter((column) => column.timed).forEach((column) => Object.assign(column, { x: x(column.start), width: x(column.end) - x(column.start) }));
  const secondsAt = (pixel) => {
    const piece = timed.find((one) => pixel < one.x + one.width) ?? timed[timed.length - 1];
    return piece.start + Math.max(0, Math.min(piece.width, pixel - piece.x)) / scale;
  };
  return { x, secondsAt, width: at + 2, scale, timed };
}
