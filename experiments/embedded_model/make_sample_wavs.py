"""Write the few spoken prompts that ship with the package, with the times of their words.

They let the examples and tests run where no speech engine can be installed. Each `NAME.wav` (16 kHz, 16 bit) has a
`NAME.json` beside it: text, voice, engine, fact, phrasing, and the words as [word, start, end] in seconds.

    python -m experiments.embedded_model.make_sample_wavs
"""

import json
from pathlib import Path

from spiritlens.prompts.facts.loading import load_facts
from spiritlens.prompts.facts.shipped import ASSETS, HELD_OUT
from spiritlens.speech.voices.names import voice as speech_voice
from spiritlens.terms import DEFAULT_VOICE

SAMPLES = (
    ("capital/france", "first", DEFAULT_VOICE),
    ("capital/france", HELD_OUT, DEFAULT_VOICE),
    ("capital/germany", "first", DEFAULT_VOICE),
    ("capital/italy", "first", DEFAULT_VOICE),
    ("capital/japan", "first", DEFAULT_VOICE),
    ("language/turkey", "first", DEFAULT_VOICE),
    ("landmark/colosseum", "first", DEFAULT_VOICE),
    ("capital/france", "first", "flite:slt"),
)


def main(folder: Path = ASSETS / "wavs") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    facts = {fact.id: fact for fact in load_facts()}
    for fact_id, phrasing, voice in SAMPLES:
        fact = facts[fact_id]
        utterance = speech_voice(voice).speak(fact.text(phrasing))
        name = "_".join([fact_id.replace("/", "-"), phrasing.replace(" ", "-"), voice.replace(":", "-")])
        utterance.waveform.write(folder / f"{name}.wav")
        record = {
            "text": utterance.text,
            "voice": voice,
            "engine": utterance.engine,
            "fact": fact_id,
            "phrasing": phrasing,
            "words": [[word.word, round(word.start, 4), round(word.end, 4)] for word in utterance.words],
        }
        (folder / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
