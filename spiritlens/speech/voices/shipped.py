"""Utterances that travel inside the package, for machines on which no speech engine can be installed.

They are what the voices said when the embedded model was made: a wav file each, with its text, voice and word times (s)
in a JSON file of the same name.
"""

import json
from pathlib import Path

from spiritlens.speech.audio.waveform import read_waveform
from spiritlens.speech.engines.utterance import Utterance
from spiritlens.speech.words import WordInterval

FOLDER = Path(__file__).parents[2] / "assets" / "wavs"


def shipped_texts(voice: str) -> tuple[str, ...]:
    """The texts that are shipped in a voice."""
    return tuple(record["text"] for record in _records().values() if record["voice"] == voice)


def shipped_utterance(text: str, voice: str) -> Utterance | None:
    """The shipped utterance of a text (letter case aside) in a voice; None where there is none. It has no phones."""
    for path, record in _records().items():
        if (record["text"].lower(), record["voice"]) == (text.lower().strip(), voice):
            words = tuple(WordInterval(*word) for word in record["words"])
            waveform = read_waveform(path.with_suffix(".wav"))
            return Utterance(waveform, record["text"], words, (), voice, record["engine"])
    return None


def _records() -> dict[Path, dict[str, str]]:
    return {path: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}
