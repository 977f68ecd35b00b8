// The sound of a prompt, and stretches cut out of it to the sample.
//
// A sound is decoded and the stretch made a wav of its own: start and end are exact, also where it plays slowly or the
// page is busy. Sounds beside the page stand in style sheets: a page that is opened from a folder may read no other file
// (of sounds and pictures it is shown what they hold, but not told), and a style sheet runs nothing.

const RATE = 48000; // samples per second, Opus' own
const FADE = 0.003; // seconds at both ends, against clicks
const [LEAD, TAIL] = [0.08, 0.16]; // seconds of silence around a stretch: a browser swallows both ends of a short sound
const KEPT = 6; // decoded sounds
const decoded = new Map();

function soundPlace(prompt) {
  return numbers(header.sounds.prompts).indexOf(prompt);
}

/** The one value that a style sheet beside the page sets, which has the name of the file. It styles an element that stands
 * apart: else the browser would find out anew how all of the page looks, twice a sound. */
function readBeside(file) {
  return new Promise((then, fail) => {
    const apart = make("span", { hidden: true });
    const sheet = make("link", { rel: "stylesheet", href: file });
    const value = `--${file.split("/").pop().split(".")[0]}`;
    sheet.addEventListener("load", () => {
      then(getComputedStyle(apart).getPropertyValue(value).trim().slice(1, -1));
      apart.remove();
    });
    sheet.addEventListener("error", () => { apart.remove(); fail(new Error(`${file} is missing; the folder belongs beside this page`)); });
    apart.attachShadow({ mode: "open" }).append(sheet);
    document.body.append(apart);
  });
}

/** A sound in base64. */
async function encodedSound(which) {
  if (header.sounds.where === "beside it") return readBeside(texts(header.sounds.files)[which]);
  const ends = numbers(header.sounds.ends);
  return document.getElementById("sounds").textContent.slice(ends[which], ends[which + 1]);
}

async function samplesOf(which) {
  if (!decoded.has(which)) {
    const read = encodedSound(which).then((encoded) => new OfflineAudioContext(1, 1, RATE).decodeAudioData(bytesOf(encoded).buffer));
    decoded.set(which, read.then((sound) => sound.getChannelData(0)));
    read.catch(() => decoded.delete(which)); // it is tried again
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

/** Seconds `start` to `end` of a prompt as something to play: its address, and the second of the axis at which that begins
 * (`zero`). */
async function stretchOf(prompt, start, end) {
  const speech = speechOf(prompt);
  const samples = await samplesOf(numbers(header.sounds.which)[soundPlace(prompt)]);
  const place = (seconds) => Math.round(Math.min(speech.soundLength, Math.max(0, seconds - speech.soundStart)) * RATE);
  const cut = samples.subarray(place(start), place(end));
  return { src: URL.createObjectURL(wavOf(cut)), zero: Math.max(start, speech.soundStart) - LEAD };
}

/** Whether any of these seconds can be heard: of several spoken parts only one has its sound. */
function sounds(speech, start, end) {
  return soundPlace(speech.prompt) >= 0 && end > speech.soundStart && start < speech.soundStart + speech.soundLength;
}
