// The chosen fact: its maps in writing and in speech on one scale, what was asked, and the sound.

async function drawFact() {
  const host = document.getElementById("fact");
  await open("maps", "tokens", "spoken");
  const fact = chosenFact();
  const own = [...sets.values()].filter((set) => promptsOf(fact, set).size);
  const set = own.find((one) => one.name === chosen.set) ?? own[0];
  const component = named(set.components, chosen.component).name;
  const metric = named(set.metrics, chosen.metric).name;
  const prompts = promptsOf(fact, set);
  const kinds = ["T2T", "S2T", "mixed"].filter((kind) => prompts.has(kind));
  const maps = kinds.map((kind) => set.map(prompts.get(kind), component, metric, chosen.head));
  const floors = maps.map((map) => Math.abs(map.floor)); // of one map's noise the other knows nothing
  const scale = scaleOf(maps, maps.map((map) => map.total), maps.every(withinNoise) ? Math.max(...floors) : 0);
  const zeros = set.axis === "role" ? zeroRows(maps) : null;
  const panels = kinds.map((kind, side) => factPanel(set, prompts.get(kind), maps[side], kind));
  const above = make("div", { class: "sentences" });
  hideTip();
  keepingFocus(host, () => {
    host.replaceChildren(
      make("h3", { id: "fact-title", tabindex: -1, "data-focus": "title" }, make("bdi", {}, people.subject[fact]), " → ", make("bdi", {}, people.answer[fact])),
      make("p", { class: "quiet" }, `${people.relation[fact] || "no relation"} · ${people.name[fact]}`),
      make("div", { class: "choices" }, ...factChoices(own, set, fact)),
      above,
      make("div", { class: set.axis === "role" ? "side-by-side" : "stacked" }, panels),
      colourBar(`effect on the ${named(set.metrics, metric).words} (${scale.words})`, scale.limit, scale.pale),
      statusLegend(maps), ...[deeperLink()].filter(Boolean),
      takeAway(`${people.subject[fact]} ${component}`, host, () => together(kinds.map((kind, side) => cellsOf(maps[side], { modality: kind, component, metric })))));
    const options = (side) => ({
      limit: scale.limit, pale: scale.pale || withinNoise(maps[side]), name: `${kinds[side]}: ${people.subject[fact]}, ${component}`,
      zeros, rowHeight: 26, describe: (row, layer) => cellWords(maps[side], row, layer),
      onChoose: (row, layer) => {
        const here = { kind: kinds[side], word: row.key, layer };
        if (set.axis === "role" && OPENS.includes(component)) openLayer(layer, { ...here, head: set.heads.length ? chosen.head || set.heads[0] : "" });
        else choose({ view: "facts", ...here });
      },
    });
    drawFactMaps({ set, kinds, prompts, maps, panels, above, options });
  });
  say(`${people.subject[fact]}: ${kinds.map((kind, side) => `${kind} total effect ${number(maps[side].total)}`).join(", ")}`);
}

function factPanel(set, prompt, map, kind) {
  const knows = people.prompts.known[prompt] ? "" : ", not known";
  return make("figure", { class: "panel", "data-kind": kind, "data-prompt": prompt },
    make("figcaption", {}, make("strong", {}, kind), ` · total effect ${number(map.total)}${knows} · ${several(set.samples, "noise sample")}`,
      withinNoise(map) ? make("span", { class: "within" }, " The total effect lies within the noise floor: this map shows noise, and at a quarter of the colour.") : null,
      set.axis !== "role" && soundPlace(prompt) >= 0 ? make("span", { class: "hint" }, " · click a word, a unit or a column to hear it") : null),
    set.axis === "role" || !speechOf(prompt) ? null : playerBar(prompt, voiceWords(prompt)),
    make("div", { class: "map-host" }), tableBehind(`the map ${kind}, ${map.component.name}`, () => gridOf(map)));
}

function factChoices(own, set, fact) {
  const lists = [choice("Component", "component", set.components.map((one) => [one.name, one.words])),
    choice("Metric", "metric", set.metrics.map((one) => [one.name, one.words]))];
  if (own.length > 1) lists.unshift(choice("Map", "set", own.map((one) => [one.name, one.name])));
  if (set.heads.length) lists.push(choice("Head", "head", set.heads.map((head) => [String(head), String(head)])));
  for (const [label, name] of [["Voice", "voice"], ["Phrasing", "phrasing"]]) {
    const asked = [...new Set(people.of[fact].filter((prompt) => set.place.has(prompt)).map((prompt) => people.prompts[name][prompt]))].filter(Boolean);
    if (asked.length > 1) lists.push(choice(label, name, asked.map((value) => [value, value])));
  }
  return lists;
}
