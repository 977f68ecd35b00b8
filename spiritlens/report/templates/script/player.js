// The player of a spoken prompt: plays all, or just a stretch, slowly or again and again.

const player = { audio: new Audio(), prompt: -1, stop: NaN, start: 0, again: false, listeners: new Set() };

function soundOf(prompt) {
  const { sounds } = header;
  const place = numbers(sounds.prompts).indexOf(prompt);
  if (place < 0) return "";
  const which = numbers(sounds.which)[place];
  if (sounds.where === "beside it") return texts(sounds.files)[which];
  const ends = numbers(sounds.ends);
  const base64 = document.getElementById("sounds").textContent.slice(ends[which], ends[which + 1]);
  return URL.createObjectURL(new Blob([bytesOf(base64)], { type: "audio/ogg; codecs=opus" }));
}

function load(prompt) {
  if (player.prompt === prompt) return;
  player.audio.pause();
  if (player.audio.src.startsWith("blob:")) URL.revokeObjectURL(player.audio.src);
  player.prompt = prompt;
  player.audio.src = soundOf(prompt);
}

/** Plays seconds `start` to `end` of a prompt's sound (all of it, where none are given). */
function play(prompt, start = 0, end = NaN) {
  load(prompt);
  player.start = start;
  player.stop = end;
  player.audio.currentTime = start;
  player.audio.play().catch((error) => say(`The sound cannot be played: ${error.message}`));
  requestAnimationFrame(watch);
}

function watch() {
  const { audio } = player;
  player.listeners.forEach((then) => then(player.prompt, audio.currentTime, !audio.paused));
  if (audio.paused) return;
  if (audio.currentTime >= player.stop) {
    if (player.again) audio.currentTime = player.start;
    else audio.pause();
  }
  requestAnimationFrame(watch);
}

player.audio.addEventListener("ended", () => { if (player.again) play(player.prompt, player.start, player.stop); });

/** The bar of a prompt's player: play and pause, slow, repeat, and where it is. */
function playerBar(prompt, label) {
  if (prompt === undefined || numbers(header.sounds.prompts).indexOf(prompt) < 0) return null;
  const button = make("button", { type: "button", class: "play", "aria-label": `Play: ${label}` }, "▶");
  const along = make("progress", { max: 1, value: 0, "aria-hidden": "true" });
  const slow = make("button", { type: "button", "aria-pressed": String(player.audio.playbackRate < 1) }, "slow");
  const again = make("button", { type: "button", "aria-pressed": String(player.again) }, "repeat");
  button.addEventListener("click", () => {
    if (player.prompt === prompt && !player.audio.paused) player.audio.pause();
    else play(prompt);
  });
  slow.addEventListener("click", () => {
    const rate = player.audio.playbackRate < 1 ? 1 : 0.6;
    player.audio.defaultPlaybackRate = rate;
    player.audio.playbackRate = rate;
    slow.setAttribute("aria-pressed", String(rate < 1));
  });
  again.addEventListener("click", () => {
    player.again = !player.again;
    again.setAttribute("aria-pressed", String(player.again));
  });
  const bar = make("div", { class: "player", "data-prompt": prompt }, button, make("span", { class: "player-label" }, label), along, slow, again);
  const tell = (playing, seconds, on) => {
    if (!bar.isConnected) { player.listeners.delete(tell); return; }
    const mine = playing === prompt;
    button.textContent = mine && on ? "❚❚" : "▶";
    along.value = mine && player.audio.duration ? seconds / player.audio.duration : 0;
  };
  player.listeners.add(tell);
  player.audio.addEventListener("pause", () => tell(player.prompt, player.audio.currentTime, false));
  return bar;
}
