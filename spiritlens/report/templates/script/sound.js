// The sound of a prompt, and stretches cut out of it to the sample.
//
// A sound in the page is decoded and the stretch made a wav of its own: start and end are exact, also where it plays
// slowly or the page is busy. A file beside the page may not be read, only played: there the player stops at the end.

const RATE = 48000; // samples per second, Opus' own
const FADE = 0.003; // seconds at both ends, against clicks
const [LEAD, TAIL] = [0.08, 0.16]; // seconds of silence around a stretch: a browser swallows both ends of a short sound
const KEPT = 6; // decoded sounds
const decoded = new Map();

function soundPlace(prompt) {
  return numbers(header.sounds.prompts).indexOf(prompt);
}

async function samplesOf(which) {
  if (!decoded.has(which)) {
    const ends = numbers(header.sounds.ends);
    const bytes = bytesOf(document.getElementById("sounds").textContent.slice(ends[which], ends[which + 1]));
    const context = new OfflineAudioContext(1, 1, RATE);
    decoded.set(which, context.decodeAudioData(bytes.buffer).then((sound) => sound.getChannelData(0)));
    if (decoded.size > KEPT) decoded.delete(decoded.keys().next().value);
  }
  return decoded.get(which);
}

/** A wav (mono, 16 bits) of samples from −1 to 1, faded in and out, with silence around them. */
function wavOf(samples) {
  const fade = Math.min(Math.round(FADE * RATE), samples.length / 2);
  const [lead, size] = [Math.round(LEAD * RATE), 2 * Math.round((LEAD + TAIL) * RATE) + 2 * samples.length];
  const view = new DataView(new ArrayBuffer(44 + size));
  const word = (at, text) => Array.from(text).forEach((letter, place) => view.setUint8(at + place, letter.charCodeAt(0)));
  word(0, "RIFF"); view.setUint32(4, 36 + size, true); word(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, RATE, true); view.setUint32(28, 2 * RATE, true); view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  word(36, "data"); view.setUint32(40, size, true);
  samples.forEach((sample, place) => {
    const gain = Math.min(1, (place + 1) / fade, (samples.length - place) / fade);
    view.setInt16(44 + 2 * (lead + place), Math.round(32767 * gain * Math.min(1, Math.max(-1, sample))), true);
  });
  return new Blob([view], { type: "audio/wav" });
}

/** Seconds `start` to `end` of a prompt as something to play: its address, the second of the axis at which that begins
 * (`zero`), and from where until where of it is played. */
async function stretchOf(prompt, start, end) {
  const speech = speechOf(prompt);
  const which = numbers(header.sounds.which)[soundPlace(prompt)];
  if (header.sounds.where === "beside it") {
    const last = Math.min(end - speech.soundStart, speech.soundLength);
    return { src: texts(header.sounds.files)[which], zero: speech.soundStart, from: Math.max(0, start - speech.soundStart), until: last };
  }
  const samples = await samplesOf(which);
  const place = (seconds) => Math.round(Math.min(speech.soundLength, Math.max(0, seconds - speech.soundStart)) * RATE);
  const cut = samples.subarray(place(start), place(end));
  return { src: URL.createObjectURL(wavOf(cut)), zero: Math.max(start, speech.soundStart) - LEAD, from: 0, until: LEAD + cut.length / RATE };
}

/** Whether any of these seconds can be heard: of several spoken parts only one has its sound. */
function sounds(speech, start, end) {
  return soundPlace(speech.prompt) >= 0 && end > speech.soundStart && start < speech.soundStart + speech.soundLength;
}
