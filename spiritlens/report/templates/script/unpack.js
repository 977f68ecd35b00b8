// Numbers and words of the page, unpacked when they are wanted. The form is that of `report/page/packing.py`.

const header = JSON.parse(document.getElementById("header").textContent);
const opened = new Map(); // bytes of each block that was unpacked
const opening = new Map();
let table = []; // all texts, in their places

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const letters = atob(base64);
  return Uint8Array.from({ length: letters.length }, (_, place) => letters.charCodeAt(place));
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Unpacks blocks by name; a block is unpacked once. */
async function open(...names) {
  await Promise.all(names.map((name) => {
    if (!opening.has(name)) opening.set(name, openOne(name));
    return opening.get(name);
  }));
}

async function openOne(name) {
  const element = document.querySelector(`script[data-block="${name}"]`);
  opened.set(name, element ? await inflate(bytesOf(element.textContent)) : new Uint8Array());
  if (name === "texts") table = JSON.parse(new TextDecoder().decode(opened.get(name)));
}

const KINDS = { uint8: [1, Uint8Array], int16: [2, Int16Array], int32: [4, Int32Array], float32: [4, Float32Array] };
const whole = new WeakMap(); // arrays that were unpacked as a whole, by their description

/** A whole array, flat. Its block must have been opened. */
function numbers(described) {
  if (!whole.has(described)) {
    const count = described.shape.reduce((product, size) => product * size, 1);
    whole.set(described, part(described, 0, count));
  }
  return whole.get(described);
}

/** Entries from `first` on: byte k of every number lies in plane k. */
function part(described, first, count) {
  const [width, Kind] = KINDS[described.kind];
  const all = described.shape.reduce((product, size) => product * size, 1);
  const source = opened.get(described.block);
  const bytes = new Uint8Array(count * width);
  for (let plane = 0; plane < width; plane += 1) {
    const start = described.at + plane * all + first;
    for (let place = 0; place < count; place += 1) bytes[place * width + plane] = source[start + place];
  }
  return new Kind(bytes.buffer);
}

const startsOf = new WeakMap();
const MISSING = -32768;

/** Where each of several stretches begins, from their sizes; the last entry is where all end. */
function starts(sizes) {
  if (!startsOf.has(sizes)) {
    const found = [0];
    numbers(sizes).forEach((size) => found.push(found[found.length - 1] + size));
    startsOf.set(sizes, found);
  }
  return startsOf.get(sizes);
}

/** One segment as numbers, NaN where there is none. */
function segment(described, place) {
  const from = starts(described.sizes);
  const codes = part(described.codes, from[place], from[place + 1] - from[place]);
  const step = numbers(described.steps)[place];
  return Float64Array.from(codes, (code) => (code === MISSING ? NaN : code * step));
}

/** One entry of a segment. */
function entry(described, place, index) {
  const code = part(described.codes, starts(described.sizes)[place] + index, 1)[0];
  return code === MISSING ? NaN : code * numbers(described.steps)[place];
}

/** The texts of an array of places. */
function texts(described) {
  return Array.from(numbers(described), (place) => table[place]);
}
