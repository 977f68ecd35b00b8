// The player: one stretch of one prompt at a time, at its pace or at half of it, once or again and again.
// All seconds are those of the prompt's axis (`speech.js`).

const player = {
  audio: new Audio(), prompt: -1, start: 0, end: 0, cut: null, turn: 0,
  rate: 1, again: false, pointing: false, listeners: new Set(),
};
player.audio.preservesPitch = true;

/** Plays seconds `start` to `end` of a prompt; all that is heard of it, where none are given. */
async function play(prompt, start, end) {
  const speech = speechOf(prompt);
  const [from, until] = [start ?? speech.from, end ?? speech.until];
  if (!sounds(speech, from, until)) return say("There is no sound of this part.");
  const turn = player.turn + 1;
  stop();
  player.turn = turn;
  const cut = await stretchOf(prompt, from, until).catch((error) => say(`The sound cannot be read: ${error.message}`));
  if (!cut || turn !== player.turn) return undefined; // something else was asked for meanwhile
  if (player.cut) URL.revokeObjectURL(player.cut.src);
  Object.assign(player, { prompt, start: from, end: until, cut });
  player.audio.src = cut.src;
  return begin();
}

function begin() {
  if (player.audio.currentTime) player.audio.currentTime = 0;
  return resume();
}

function resume() {
  player.audio.playbackRate = player.rate;
  requestAnimationFrame(watch);
  return player.audio.play().catch((error) => { if (error.name !== "AbortError") say(`The sound cannot be played: ${error.message}`); });
}

/** Stops; what was awaited is not played. */
function stop() {
  player.turn += 1;
  player.audio.pause();
}

/** The second of the axis that is heard now. */
function heardNow() {
  return player.cut ? Math.min(player.end, Math.max(player.start, player.cut.zero + player.audio.currentTime)) : 0;
}

function tellListeners() {
  const playing = !player.audio.paused && !player.audio.ended;
  player.listeners.forEach((then) => then(player.prompt, heardNow(), playing));
}

function watch() {
  tellListeners();
  if (!player.audio.paused) requestAnimationFrame(watch);
}

function ended() {
  if (player.again) begin();
  tellListeners();
}

player.audio.addEventListener("ended", ended);
player.audio.addEventListener("pause", tellListeners);

/** Plays a prompt, or pauses it and goes on. */
function playOrPause(prompt) {
  const speech = speechOf(prompt);
  const whole = player.prompt === prompt && player.start === speech.from && player.end === speech.until;
  if (player.prompt === prompt && !player.audio.paused) stop();
  else if (whole && player.audio.paused && !player.audio.ended && player.audio.currentTime > 0) resume();
  else play(prompt);
}

/** The bar of a prompt's player; null where there is no sound. */
function playerBar(prompt, label) {
  if (prompt === undefined || soundPlace(prompt) < 0) return null;
  const button = make("button", { type: "button", class: "play", "aria-label": `Play: ${label}`, "data-focus": `play ${prompt}` }, "▶");
  const clock = make("span", { class: "clock" });
  const toggles = [["slow", "half as fast", () => player.rate < 1, () => { player.rate = player.rate < 1 ? 1 : 0.5; player.audio.playbackRate = player.rate; }],
    ["repeat", "again and again", () => player.again, () => { player.again = !player.again; }],
    ["by pointing", "words play when the pointer comes onto them", () => player.pointing, () => { player.pointing = !player.pointing; }]]
    .map(([name, title, on, turn]) => ({ on, button: make("button", { type: "button", class: "player-choice", title, "data-player": name, "aria-pressed": "false", onclick: () => { turn(); tellListeners(); } }, name) }));
  button.addEventListener("click", () => playOrPause(prompt));
  const bar = make("div", { class: "player", "data-prompt": prompt }, button, make("span", { class: "player-label" }, label), clock, toggles.map((one) => one.button));
  const { until } = speechOf(prompt);
  const tell = (playing, seconds, on) => {
    if (bar.parentNode && !bar.isConnected) return player.listeners.delete(tell);
    const mine = playing === prompt;
    button.textContent = mine && on ? "❚❚" : "▶";
    clock.textContent = `${rounded(mine ? seconds : 0, 2)} / ${rounded(until, 2)} s`;
    return toggles.forEach((one) => one.button.setAttribute("aria-pressed", String(one.on())));
  };
  player.listeners.add(tell);
  tell(player.prompt, heardNow(), !player.audio.paused);
  return bar;
}

/** Space plays and pauses what a part of the page shows, wherever the focus is but on something that Space presses. */
function spacePlays(part) {
  part.addEventListener("keydown", (event) => {
    const shown = part.querySelector(".player");
    if (event.key !== " " || event.defaultPrevented || !shown || event.target.closest("button, input, select, summary, a, textarea")) return;
    event.preventDefault();
    playOrPause(Number(shown.dataset.prompt));
  });
}
