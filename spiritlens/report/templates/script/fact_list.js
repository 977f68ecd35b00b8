// The list of facts: searched, filtered, sorted, a tiny map each; only the rows in sight are made, and their maps kept.

const ROW = 44; // pixels
const listed = { rows: [], totals: null, differs: null, tiny: new Map(), made: new Map(), here: -1 };

/** Total effects by fact and modality, and how much a fact differs between them, in the first set's chosen metric. */
function factNumbers() {
  const set = setOf("");
  const m = Math.max(0, set.metrics.findIndex((one) => one.name === chosen.metric));
  const totals = numbers(set.total);
  listed.totals = people.name.map((_, fact) => {
    const found = {};
    promptsOf(fact, set).forEach((prompt, kind) => { found[kind] = totals[m * set.prompts.length + set.place.get(prompt)]; });
    return found;
  });
}

/** Mean size of the difference of the two maps of a fact; NaN where it has one only. */
function differing(fact) {
  const set = setOf("");
  const prompts = promptsOf(fact, set);
  if (!prompts.has("T2T") || !prompts.has("S2T")) return NaN;
  const component = named(set.components, chosen.component).name;
  const [first, second] = ["T2T", "S2T"].map((kind) => set.map(prompts.get(kind), component, named(set.metrics, chosen.metric).name));
  let sum = 0, count = 0;
  const rows = Math.min(first.rows.length, second.rows.length);
  if (set.axis !== "role") return NaN;
  for (let row = 0; row < rows; row += 1) for (let layer = 0; layer < set.layers.length; layer += 1) {
    const apart = second.value(row, layer) - first.value(row, layer);
    if (Number.isFinite(apart)) { sum += Math.abs(apart); count += 1; }
  }
  return count ? sum / count : NaN;
}

function known(fact) {
  const kinds = new Set(people.of[fact].filter((prompt) => people.prompts.known[prompt]).map((prompt) => people.prompts.modality[prompt]));
  if (kinds.has("T2T") && kinds.has("S2T")) return "both";
  return kinds.size ? `${[...kinds][0]} only` : "neither";
}

function filtered() {
  const sought = chosen.search.toLocaleLowerCase();
  const rows = people.name.map((_, fact) => fact).filter((fact) => {
    const text = `${people.subject[fact]} ${people.answer[fact]} ${people.relation[fact]} ${people.name[fact]}`.toLocaleLowerCase();
    return (!sought || text.includes(sought)) &&
      (!chosen.relation || people.relation[fact] === chosen.relation) &&
      (!chosen.group || people.group[fact] === chosen.group) &&
      (!chosen.voice || people.of[fact].some((prompt) => people.prompts.voice[prompt] === chosen.voice)) &&
      (!chosen.known || known(fact) === chosen.known);
  });
  const largest = (fact) => Math.max(...Object.values(listed.totals[fact]), -Infinity);
  if (chosen.sort === "total effect") rows.sort((a, b) => largest(b) - largest(a));
  else if (chosen.sort === "differs most") {
    listed.differs = listed.differs ?? people.name.map((_, fact) => differing(fact));
    const size = (fact) => (Number.isFinite(listed.differs[fact]) ? listed.differs[fact] : -1);
    rows.sort((a, b) => size(b) - size(a));
  } else rows.sort((a, b) => people.subject[a].localeCompare(people.subject[b]));
  return rows;
}

function drawList() {
  const host = document.getElementById("fact-list");
  listed.rows = filtered();
  listed.tiny.clear();
  host.querySelector(".filler").style.height = `${listed.rows.length * ROW}px`;
  document.getElementById("fact-count").textContent =
    `${listed.rows.length} of ${several(people.name.length, "fact")}`;
  drawRows();
}

/** Draws the rows in sight. Those that were made (`kept`, by fact) stay where they are: one may be pressed meanwhile. */
function drawRows(kept = new Map()) {
  const host = document.getElementById("fact-list");
  const filler = host.querySelector(".filler");
  const from = Math.max(0, Math.floor(host.scrollTop / ROW) - 4);
  const until = Math.min(listed.rows.length, Math.ceil((host.scrollTop + host.clientHeight) / ROW) + 4);
  const here = chosenFact(), seen = listed.rows.slice(from, until);
  listed.tiny = new Map(seen.map((fact) => [fact, listed.tiny.get(fact) ?? tinyMaps(fact)]));
  listed.made = new Map(seen.map((fact, place) => [fact, kept.get(fact) ?? factRow(fact, from + place, fact === here)]));
  listed.here = here;
  const rows = [...listed.made.values()];
  [...filler.children].filter((row) => !rows.includes(row)).forEach((row) => row.remove());
  rows.reduceRight((next, row) => { if (row.parentNode !== filler || row.nextSibling !== next) filler.insertBefore(row, next); return row; }, null);
}

function factRow(fact, place, here) {
  const totals = Object.entries(listed.totals[fact]).map(([kind, value]) => `${kind} ${number(value)}`).join(" · ");
  const row = make("div", { class: `fact${here ? " here" : ""}${chosen.mark === "paired" && pairedFacts().has(people.name[fact]) ? " meant" : ""}`, role: "option", id: `fact-${fact}`, "aria-selected": String(here), "data-fact": people.name[fact],
    "aria-setsize": listed.rows.length, "aria-posinset": place + 1 },
    make("span", { class: "fact-name" }, make("bdi", {}, people.subject[fact]), " → ", make("bdi", {}, people.answer[fact])),
    make("span", { class: "fact-about" }, totals), listed.tiny.get(fact));
  row.style.top = `${place * ROW}px`;
  row.addEventListener("click", () => choose({ fact: people.name[fact] }));
  return row;
}

/** The facts that were compared, by name. */
function pairedFacts() {
  if (!header.difference || !opened.has("difference")) return new Set();
  listed.paired = listed.paired ?? new Set(texts(header.difference.facts));
  return listed.paired;
}

/** Both maps of a fact, a few pixels a cell. */
function tinyMaps(fact) {
  const set = setOf("");
  const component = named(set.components, chosen.component).name;
  const maps = [...promptsOf(fact, set).values()].map((prompt) => set.map(prompt, component, named(set.metrics, chosen.metric).name));
  if (set.axis !== "role" || !maps.length) return make("span", {});
  const canvas = make("canvas", { class: "tiny", width: maps.length * (set.layers.length + 1) - 1, height: maps[0].rows.length, "aria-hidden": "true" });
  const context = canvas.getContext("2d");
  const limit = Math.max(...maps.map((map) => Math.abs(map.total)));
  maps.forEach((map, side) => map.rows.forEach((_, row) => map.layers.forEach((_, layer) => {
    const value = map.value(row, layer);
    if (!Number.isFinite(value)) return;
    context.fillStyle = colour(value, limit, withinNoise(map));
    context.fillRect(side * (set.layers.length + 1) + layer, row, 1, 1);
  })));
  return canvas;
}

function startList() {
  const host = document.getElementById("fact-list");
  const unlike = (values) => [...new Set(values)].filter(Boolean).sort();
  const search = make("input", { type: "search", placeholder: "search", "aria-label": "Search facts", value: chosen.search });
  search.addEventListener("input", () => choose({ search: search.value }, { entry: false }));
  const filters = [["Relation", "relation", unlike(people.relation)], ["Group", "group", unlike(people.group)],
    ["Voice", "voice", unlike(people.prompts.voice)], ["Known", "known", unlike(people.name.map((_, fact) => known(fact)))]];
  document.getElementById("fact-filters").replaceChildren(search,
    ...filters.filter(([, , values]) => values.length > 1).map(([label, name, values]) => choice(label, name, [["", "all"], ...values.map((value) => [value, value])])),
    choice("Sorted by", "sort", [["", "name"], ["total effect", "total effect"], ["differs most", "what differs most between reading and hearing"]]));
  host.addEventListener("scroll", () => requestAnimationFrame(() => drawRows(listed.made)), { passive: true });
  host.addEventListener("keydown", (event) => {
    if (event.key === "Enter") document.getElementById("fact-title")?.focus();
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8, Home: -Infinity, End: Infinity }[event.key];
    if (!step) return;
    event.preventDefault();
    const now = listed.rows.indexOf(chosenFact());
    const next = Math.min(listed.rows.length - 1, Math.max(0, now + step));
    host.scrollTop = Math.min(Math.max(host.scrollTop, (next + 1) * ROW - host.clientHeight), next * ROW);
    choose({ fact: people.name[listed.rows[next]] }, { entry: false }); // whose row is then among those that are drawn
  });
  factNumbers();
  follow(["metric"], factNumbers);
  follow(["metric", "component"], () => { listed.differs = null; });
  follow(["search", "relation", "group", "voice", "known", "sort", "metric", "component"], drawList);
  const meant = async () => { if (chosen.mark === "paired") await open("difference"); drawRows(); };
  follow(["mark"], meant);
  meant();
  follow(["fact"], () => {
    [listed.here, chosenFact()].forEach((fact) => listed.made.delete(fact));
    drawRows(listed.made);
    host.setAttribute("aria-activedescendant", `fact-${chosenFact()}`);
  });
  drawList();
}
