// What is said in a spoken prompt: units, words and the outline of its sound, on one axis of seconds.
// The block "spoken" must be open (`report/page/spoken.py` says what each column holds).

const spoken = { places: null, made: new Map() };

/** Columns of a table as rows from `first` on. */
function rowsOfColumns(columns, first, count, texts) {
  const read = Object.entries(columns).map(([name, described]) => {
    const values = part(described, first, count);
    return [name, texts.includes(name) ? Array.from(values, (place) => table[place]) : values];
  });
  return Array.from({ length: count }, (_, row) => Object.fromEntries(read.map(([name, values]) => [name, values[row]])));
}

/** What is known of a spoken prompt; null for one that is written. */
function speechOf(prompt) {
  const about = header.spoken;
  spoken.places = spoken.places ?? new Map(Array.from(numbers(about.prompts), (one, place) => [one, place]));
  const place = spoken.places.get(prompt);
  if (place === undefined) return null;
  if (!spoken.made.has(prompt)) {
    const [units, words] = [starts(about.unit_sizes), starts(about.word_sizes)];
    const one = (name) => numbers(about[name])[place];
    const slices = about.outline.shape[1];
    spoken.made.set(prompt, {
      prompt, twinPrompt: one("twin_prompts"), segments: one("segments"),
      from: one("heard_start"), until: one("heard_end"), soundStart: one("sound_start"), soundLength: one("sound_length"),
      outline: part(about.outline, place * slices, slices),
      units: rowsOfColumns(about.units, units[place], units[place + 1] - units[place], ["label"]),
      words: rowsOfColumns(about.words, words[place], words[place + 1] - words[place], ["text", "role", "twin_role"]),
    });
  }
  return spoken.made.get(prompt);
}

/** Stretches of seconds in which units are corrupted; neighbours are one. */
function corruptedStretches(speech) {
  const found = [];
  speech.units.filter((unit) => unit.corrupted).forEach((unit) => {
    const last = found[found.length - 1];
    if (last && unit.start - last.end < 0.021) last.end = unit.end;
    else found.push({ start: unit.start, end: unit.end });
  });
  return found;
}

/** The word that is said at a second, if any. */
function wordAt(speech, seconds) {
  return speech.words.find((word) => seconds >= word.start && seconds < word.end);
}

function secondsWords(start, end) {
  return `${fixed(start)}–${fixed(end)} s`;
}
