// A sentence along one axis, one above the other: the waveform, words and units of speech (words and tokens of writing),
// and the map of its tokens. A cursor runs through all of them while it plays.

const SENTENCE_LEFT = 36; // pixels for the labels of layers
const WAVE = 44; // pixels of a waveform

/** Draws a sentence and returns {svg, light}: its map (null without one), and what lights words by their index.
 *
 * `speech` is null for writing, `map` null for speech alone. `onWord` is told the word that is pointed at, focused, or
 * being said (null: none): of speech a row of `speech.words`, of writing {index}. `onTake` is told a word that was clicked.
 * `compact` leaves the units out. */
function drawSentence(host, { prompt, speech, map = null, name, onWord = () => {}, onTake = () => {}, compact = false, ...options }) {
  const columns = map ? columnsOf(map, speech, zeroRows([map])) : unitColumns(speech);
  const left = map ? SENTENCE_LEFT : 2;
  const axis = placeColumns(columns, { speech, left, width: Math.max(240, host.clientWidth) });
  const field = make("div", { class: "sentence", "data-scale": axis.scale });
  field.style.width = `${axis.width}px`;
  field.style.setProperty("--on-paper", Math.min(1, PAPER_WIDTH / axis.width));
  const view = { prompt, speech, columns, axis, field, name, onWord, onTake, words: [], pointed: null, said: null };
  if (speech) field.append(...corruptedStretches(speech).map((one) => band("corrupted", axis, one)), waveform(view));
  const lanes = make("div", { class: "lanes", role: "group", "aria-label": `Words of ${name}. Arrow keys go along them${speech ? ", Enter plays" : ""}.` });
  const said = new Set((speech?.words ?? []).map((word) => word.index));
  view.words = [...(speech?.words ?? []), ...writtenWords(map).filter((word) => !said.has(word.index))].sort((a, b) => a.index - b.index);
  lanes.append(wordLane(view));
  if (!compact) lanes.append(columnLane(view));
  walkLanes(lanes);
  const mapHost = make("div", { class: "map-host" });
  field.append(lanes, mapHost);
  if (axis.timed.length && !compact) field.append(secondsAxis(axis));
  host.replaceChildren(make("div", { class: "scroll sentence-scroll" }, field));
  const svg = map && drawColumns(mapHost, map, {
    ...options, name, columns, left, width: axis.width,
    onColumn: (column, event) => point(view, column, event),
    onPlay: (column) => speech && play(prompt, column.start, column.end),
  });
  if (speech) followPlaying(view);
  const selected = options.here && map && map.rows.find((row) => row.key === chosen.word);
  view.selected = selected ? view.words.find((word) => word.index === selected.index) : null;
  tellWord(view);
  return { svg, light: (indices) => lightWords(view, indices) };
}

/** Words that a map's tokens are of. */
function writtenWords(map) {
  const texts = new Map((map?.rows ?? []).filter((row) => row.index >= 0).map((row) => [row.index, row.word]));
  return Array.from(texts, ([index, text]) => ({ index, text }));
}

function band(kind, axis, { start, end }) {
  const box = make("div", { class: `stretch ${kind}`, "data-start": start, "data-end": end });
  box.style.left = `${axis.x(start)}px`;
  box.style.width = `${Math.max(1, axis.x(end) - axis.x(start))}px`;
  if (kind === "corrupted") box.append(make("span", {}, "corrupted"));
  return box;
}

function waveform({ prompt, speech, axis, columns }) {
  const svg = shape("svg", { class: "waveform", width: axis.width, height: WAVE, viewBox: `0 0 ${axis.width} ${WAVE}`, "aria-hidden": "true" });
  if (soundPlace(prompt) < 0) return svg;
  const middle = WAVE / 2;
  const points = Array.from(speech.outline, (loud, place) => [speech.soundStart + (place + 0.5) / speech.outline.length * speech.soundLength, loud])
    .filter(([seconds]) => seconds >= speech.from && seconds <= speech.until)
    .map(([seconds, loud]) => [axis.x(seconds), Math.max(0.5, loud / 255 * (middle - 2))]);
  const outline = [...points.map(([x, size]) => [x, middle - size]), ...points.reverse().map(([x, size]) => [x, middle + size])];
  svg.append(shape("path", { class: "wave", d: `${pathOf(outline)}Z` }));
  svg.addEventListener("click", (event) => play(prompt, axis.secondsAt(event.clientX - svg.getBoundingClientRect().left), speech.until));
  svg.setAttribute("data-columns", columns.length);
  return svg;
}

/** The words: a spoken one plays its stretch, any lights its twin. */
function wordLane(view) {
  const { columns, axis, prompt } = view;
  const lane = make("div", { class: "lane words" });
  view.words.forEach((word) => {
    const spoken = Number.isFinite(word.start);
    const own = columns.filter((column) => column.word === word.index);
    const from = spoken ? axis.x(word.start) : own[0].x;
    const until = spoken ? axis.x(word.end) : own[own.length - 1].x + own[own.length - 1].width;
    const times = spoken ? [secondsWords(word.start, word.end)] : [];
    const subject = word.subject || own.some((column) => column.subject);
    const button = make("button", { type: "button", tabindex: -1, class: subject ? "word subject" : "word", "data-word": word.index, "data-focus": `${view.name} word ${word.index}`,
      "aria-label": [word.text, ...times, ...(subject ? ["subject"] : [])].join(", ") }, make("bdi", {}, word.text));
    put(button, from, until);
    listen(view, button, word, [word.text, ...times, ...(word.twin_role ? ["its written twin is lit"] : [])],
      spoken ? () => play(prompt, word.start, word.end) : () => {});
    button.addEventListener("click", () => view.onTake(word));
    lane.append(button);
  });
  return lane;
}

/** Units of speech, each of which plays; tokens of writing, and markers. */
function columnLane(view) {
  const { columns, prompt, speech } = view;
  const lane = make("div", { class: "lane tokens" });
  columns.forEach((column) => {
    const text = column.folded ? "" : column.label.replace(/^\[Hu(\d+)\]$/, "$1").replace(/^▁/, "");
    const wide = text.length * 6.4 + 4 <= column.width;
    const shownText = wide || column.width >= 11 ? make("bdi", {}, wide ? text : shorten(text, 7)) : null;
    const box = make(column.timed ? "button" : "span", { class: wide ? "token" : "token upright", ...(column.timed ? { type: "button", tabindex: -1, "aria-label": `${column.label}, ${secondsWords(column.start, column.end)}` } : {}) }, shownText);
    put(box, column.x, column.x + column.width);
    const word = view.words.find((one) => one.index === column.word) ?? null;
    if (column.timed) listen(view, box, word, [column.label, secondsWords(column.start, column.end)], () => play(prompt, column.start, column.end), column);
    lane.append(box);
  });
  if (!speech) lane.setAttribute("aria-hidden", "true"); // the map below says each token
  return lane;
}

function put(box, from, until) {
  box.style.left = `${from}px`;
  box.style.width = `${Math.max(2, until - from)}px`;
}

/** What pointing, focus and clicks do to a word or unit. */
function listen(view, button, word, lines, hear, stretch = word) {
  const on = () => pointAt(view, word, stretch);
  const off = () => { hideTip(); pointAt(view, null, null); };
  button.addEventListener("pointerenter", (event) => {
    on();
    if (player.pointing && moved(event)) hear();
  });
  button.addEventListener("pointermove", (event) => showTip(event, lines));
  button.addEventListener("pointerleave", off);
  button.addEventListener("focus", on);
  button.addEventListener("blur", off);
  button.addEventListener("click", hear);
}

const pointer = { x: NaN, y: NaN };
document.addEventListener("pointermove", (event) => Object.assign(pointer, { x: event.clientX, y: event.clientY }), { capture: true, passive: true });

/** Whether a mouse came here, rather than what is drawn anew came under it. */
function moved(event) {
  return event.pointerType === "mouse" && (event.clientX !== pointer.x || event.clientY !== pointer.y);
}

/** A column of the map is pointed at: its word lights, and where pointing plays, it is heard. */
function point(view, column, event) {
  const before = view.column;
  view.column = column;
  if (column === before) return;
  const word = column ? view.words.find((one) => one.index === column.word) ?? null : null;
  pointAt(view, word, column?.timed ? column : null);
  if (column?.timed && view.speech && player.pointing && event?.pointerType === "mouse") play(view.prompt, column.start, column.end);
}

function pointAt(view, word, stretch) {
  view.pointed = word;
  view.field.querySelector(".stretch.pointed")?.remove();
  if (stretch && Number.isFinite(stretch.start)) view.field.append(band("pointed", view.axis, stretch));
  tellWord(view);
}

/** Lights the word that is pointed at, else the one that is being said, else the chosen one. */
function tellWord(view) {
  const word = view.pointed ?? view.said ?? view.selected ?? null;
  if (word?.index === view.told?.index) return;
  view.told = word;
  lightWords(view, word ? [word.index] : []);
  view.onWord(word);
}

function lightWords(view, indices) {
  view.field.querySelectorAll(".word").forEach((button) => button.classList.toggle("lit", indices.includes(Number(button.dataset.word))));
}

/** One tab stop: left and right go along words or units, down and up between a word and its units. */
function walkLanes(lanes) {
  const line = (kind) => [...lanes.querySelectorAll(`button.${kind}`)];
  const middle = (button) => button.offsetLeft + button.offsetWidth / 2;
  const first = line("word")[0] ?? line("token")[0];
  if (first) first.tabIndex = 0;
  lanes.addEventListener("keydown", (event) => {
    const now = event.target.closest("button");
    const kind = now?.classList.contains("word") ? "word" : "token";
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    const other = { ArrowDown: "token", ArrowUp: "word" }[event.key];
    if (!now || (!step && (!other || other === kind || !line(other).length))) return;
    event.preventDefault();
    const own = line(step ? kind : other);
    const next = step ? own[Math.min(own.length - 1, Math.max(0, own.indexOf(now) + step))]
      : other === "token" ? own.find((one) => middle(one) >= now.offsetLeft) ?? own[own.length - 1]
        : own.findLast((one) => one.offsetLeft <= middle(now)) ?? own[0];
    lanes.querySelectorAll("button").forEach((button) => { button.tabIndex = button === next ? 0 : -1; });
    next.focus();
  });
}

/** The cursor: where what is heard now lies, through all lanes and the map. */
function followPlaying(view) {
  const { field, axis, prompt, speech } = view;
  const cursor = make("div", { class: "play-cursor", hidden: true });
  const heard = make("div", { class: "stretch heard", hidden: true });
  field.append(heard, cursor);
  const tell = (playing, seconds, on) => {
    if (!field.isConnected) return player.listeners.delete(tell);
    const mine = playing === prompt && !player.audio.ended && (on || player.audio.currentTime > 0);
    cursor.hidden = !mine;
    heard.hidden = !mine || (player.start === speech.from && player.end === speech.until);
    const said = mine && on ? wordAt(speech, seconds) ?? null : null;
    if (said !== view.said) { view.said = said; tellWord(view); }
    if (!mine) return undefined;
    put(heard, axis.x(player.start), axis.x(player.end));
    const x = axis.x(seconds);
    cursor.style.transform = `translateX(${x.toFixed(1)}px)`;
    cursor.dataset.seconds = seconds.toFixed(4);
    const scroller = field.parentNode;
    if (on && (x < scroller.scrollLeft || x > scroller.scrollLeft + scroller.clientWidth - 8)) scroller.scrollLeft = x - scroller.clientWidth / 4;
    return undefined;
  };
  player.listeners.add(tell);
}

function secondsAxis(axis) {
  const height = 18;
  const svg = shape("svg", { class: "axis seconds", width: axis.width, height, viewBox: `0 0 ${axis.width} ${height}`, "aria-hidden": "true" });
  const step = [0.1, 0.2, 0.5, 1, 2, 5].find((one) => one * axis.scale >= 52) ?? 10;
  axis.timed.forEach((piece) => {
    const first = Math.ceil(piece.start / step - 1e-6);
    for (let at = first; at * step <= piece.end + 1e-6; at += 1) {
      const x = axis.x(at * step);
      svg.append(shape("line", { class: "grid", x1: x, x2: x, y1: 0, y2: 4 }));
      const side = x < 12 ? "start" : x > axis.width - 14 ? "end" : "middle";
      svg.append(shape("text", { class: "tick", x, y: 15, "text-anchor": side }, `${fixed(at * step, 1)}${at === first ? " s" : ""}`));
    }
  });
  return svg;
}
