// Facts, prompts and maps, as views ask for them.

const STATUS = { MEASURED: 0, EXACT: 1, SCREENED: 2, ABSENT: 3 };

/** Facts and prompts: columns, one entry each. Made once the blocks "texts" and "facts" are open. */
const people = {};

function readFacts() {
  const { facts, prompts } = header;
  Object.entries(facts).forEach(([name, described]) => { people[name] = texts(described); });
  people.prompts = Object.fromEntries(Object.entries(prompts).map(([name, described]) => [
    name, ["fact", "known"].includes(name) ? numbers(described) : texts(described),
  ]));
  people.place = new Map(people.name.map((name, place) => [name, place]));
  people.of = people.name.map(() => []);
  people.prompts.fact.forEach((fact, prompt) => people.of[fact].push(prompt));
}

/** A dataset's maps of single prompts. */
class MapSet {
  constructor(name, about) {
    Object.assign(this, about, { name });
    this.prompts = numbers(about.prompts);
    this.place = new Map(Array.from(this.prompts, (prompt, place) => [prompt, place]));
    this.block = about.axis === "role" ? "maps" : "tokens";
  }

  /** The map of a prompt: its rows, and the value and status of each cell; null where the prompt is not in the set. */
  map(prompt, component, metric, head) {
    const place = this.place.get(prompt);
    if (place === undefined) return null;
    const c = Math.max(0, this.components.findIndex((one) => one.name === component));
    const m = Math.max(0, this.metrics.findIndex((one) => one.name === metric));
    const h = Math.max(0, this.heads.indexOf(Number(head || this.heads[0])));
    const rows = this.rowsOf(place);
    const [n, heads, layers] = [rows.length, this.heads.length || 1, this.layers.length];
    const values = segment(this.values, m * this.prompts.length + place);
    const from = this.statusStart(place);
    const status = part(this.status, from, values.length);
    const at = (row, layer) => ((c * layers + layer) * heads + h) * n + row;
    return {
      rows, layers: this.layers, component: this.components[c], metric: this.metrics[m],
      total: numbers(this.total)[m * this.prompts.length + place],
      floor: numbers(this.floor)[m * this.prompts.length + place],
      value: (row, layer) => values[at(row, layer)],
      status: (row, layer) => status[at(row, layer)],
    };
  }

  statusStart(place) {
    return starts(this.values.sizes)[place]; // those of the first metric lie first, one prompt after another
  }

  rowsOf(place) {
    if (this.axis === "role") {
      return texts(this.rows.labels).map((label) => ({ key: label, label, role: label, subject: label === "subject" }));
    }
    const from = starts(this.rows.sizes);
    const range = [from[place], from[place + 1]];
    const columns = {};
    for (const name of ["labels", "roles", "words", "parts"]) {
      if (this.rows[name]) columns[name] = Array.from(part(this.rows[name], range[0], range[1] - range[0]), (one) => table[one]);
    }
    for (const name of ["start", "end", "word_index", "position"]) columns[name] = part(this.rows[name], range[0], range[1] - range[0]);
    return columns.labels.map((label, row) => ({
      key: String(row), label, role: columns.roles[row], subject: columns.roles[row] === "subject",
      word: columns.words ? columns.words[row] : "", part: columns.parts ? columns.parts[row] : "",
      index: columns.word_index[row], position: columns.position[row], start: columns.start[row], end: columns.end[row],
      begins: row === 0 || columns.word_index[row] !== columns.word_index[row - 1],
    }));
  }
}

const sets = new Map();

function readMaps() {
  Object.entries(header.maps).forEach(([name, about]) => sets.set(name, new MapSet(name, about)));
}

/** The chosen set, or the first. */
function setOf(name) {
  return sets.get(name) ?? sets.values().next().value;
}

/** The chosen one of a list of {name}, or the first. */
function named(list, name) {
  return list.find((one) => one.name === name) ?? list[0];
}

/** The chosen fact's place, or the first. */
function chosenFact() {
  return people.place.get(chosen.fact) ?? 0;
}

/** Prompts of a fact by modality; of several the one of the chosen voice and phrasing, else the first. */
function promptsOf(fact, set) {
  const found = new Map();
  const fits = (prompt) => ["voice", "phrasing"].filter((name) => chosen[name] && people.prompts[name][prompt] === chosen[name]).length;
  people.of[fact].filter((prompt) => !set || set.place.has(prompt)).forEach((prompt) => {
    const kind = people.prompts.modality[prompt];
    if (!found.has(kind) || fits(prompt) > fits(found.get(kind))) found.set(kind, prompt);
  });
  return found;
}

/** Averages of a set: numbers along `group component layer head row metric`. */
function averageOf(name) {
  const about = header.averages[name];
  if (!about || about.missing) return null;
  const sizes = [about.groups.length, about.components.length, about.layers.length, about.heads.length || 1, about.rows.length, about.metrics.length];
  const number = (quantity, what) => {
    const array = numbers(about[quantity][what]);
    return (group, component, layer, head, row, metric) =>
      array[((((group * sizes[1] + component) * sizes[2] + layer) * sizes[3] + head) * sizes[4] + row) * sizes[5] + metric];
  };
  return { ...about, number };
}
