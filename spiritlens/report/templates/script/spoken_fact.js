// The chosen fact as it is said and written: sentences over their maps, and the twins that tie them.

/** Draws the maps of a fact's panels and returns their elements. By token each map lies under its sentence; by role
 * what is said stands in `above`, and the maps beside each other. */
function drawFactMaps({ set, kinds, prompts, maps, panels, above, options }) {
  const own = (side) => speechOf(prompts.get(kinds[side]));
  const written = kinds.indexOf("T2T");
  const drawn = [];
  const sentences = new Map();
  const onWord = (side) => (word) => {
    const speech = own(side);
    if (!speech) { // a written word lights those that say it
      sentences.forEach((sentence, other) => other !== side && own(other) && paired(own(other), prompts.get("T2T")) &&
        sentence.light(word ? own(other).words.filter((one) => one.twin === word.index).map((one) => one.index) : []));
      return;
    }
    if (set.axis === "role" && drawn[side]) light(drawn[side], maps[side], word ? roleRows(maps[side], word.role) : []);
    if (written >= 0 && drawn[written] && paired(speech, prompts.get("T2T"))) {
      light(drawn[written], maps[written], word ? twinRows(maps[written], word) : []);
      sentences.get(written)?.light(word ? [word.twin] : []);
    }
  };
  kinds.forEach((kind, side) => {
    const speech = own(side);
    const place = panels[side].querySelector(".map-host");
    const prompt = prompts.get(kind);
    if (set.axis === "role") {
      drawn[side] = drawMap(place, maps[side], options(side));
      drawn[side].dataset.focus = `map ${kind}`;
    } else {
      const sentence = drawSentence(place, { prompt, speech, map: maps[side], onWord: onWord(side), here: chosen.kind === kind, ...options(side),
        onTake: (word) => choose({ view: "facts", kind, word: maps[side].rows.find((row) => row.index === word.index).key }, { entry: false }) });
      sentences.set(side, sentence);
      drawn[side] = sentence.svg;
    }
  });
  if (set.axis === "role") above.replaceChildren(...kinds.flatMap((kind, side) => (own(side) ? [spokenPanel(prompts.get(kind), kind)] : [])));
  kinds.forEach((kind, side) => {
    const lanes = above.querySelector(`[data-said="${kind}"] .lanes-host`);
    if (lanes) sentences.set(side, drawSentence(lanes, { prompt: prompts.get(kind), speech: own(side), name: `${kind}, spoken`, onWord: onWord(side) }));
  });
  tellListeners();
  return drawn;
}

/** Whether a spoken prompt's twins are words of this written one: of the one they were found in, or of its phrasing. */
function paired(speech, written) {
  const { phrasing } = people.prompts;
  return speech.twinPrompt === written || (speech.twinPrompt >= 0 && phrasing[speech.twinPrompt] === phrasing[written]);
}

function spokenPanel(prompt, kind) {
  return make("figure", { class: "said", "data-said": kind },
    make("figcaption", {}, make("strong", {}, kind), " as it is said.", make("span", { class: "hint" }, " Click a word or a unit to hear it; its role is lit in the maps.")),
    playerBar(prompt, voiceWords(prompt)), make("div", { class: "lanes-host" }));
}

function voiceWords(prompt) {
  return [people.subject[people.prompts.fact[prompt]], people.prompts.voice[prompt]].filter(Boolean).join(", ");
}

/** Draws anew and gives the focus back to where it was. */
function keepingFocus(host, draw) {
  const key = host.contains(document.activeElement) ? document.activeElement.dataset.focus : undefined;
  draw();
  const again = key && [...host.querySelectorAll("[data-focus]")].find((one) => one.dataset.focus === key);
  if (again) again.focus({ preventScroll: true });
}
