"""The cache of what was heard: keyed by sound and recogniser, safe to delete, equal with and without it."""

import json
from pathlib import Path

import numpy as np
import pytest

from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.recognition.cached import CachedRecogniser
from spiritlens.speech.recognition.heard import Heard
from spiritlens.speech.words import WordInterval

SOUND = Waveform(np.full(1600, 0.1, np.float32), source="one.wav")


class Counting:
    def __init__(self, digest: str = "counting 1") -> None:
        self.digest, self.calls = digest, 0

    def __call__(self, waveform: Waveform) -> Heard:
        self.calls += 1
        return Heard("Où est, Paris?", [WordInterval("Où", 0, 0.04), WordInterval("est,", 0.04, 0.1)])


def test_the_second_time_is_read_and_equal(tmp_path: Path) -> None:
    counting = Counting()
    cached = CachedRecogniser(counting, tmp_path)
    first = cached(SOUND)
    assert cached(Waveform(SOUND.samples, source="another name")) == first == counting(SOUND)
    assert counting.calls == 2
    assert (cached.name, cached.digest) == ("Counting", "counting 1")


def test_another_sound_and_another_recogniser_are_heard_anew(tmp_path: Path) -> None:
    one, other = Counting(), Counting("counting 2")
    CachedRecogniser(one, tmp_path)(SOUND)
    CachedRecogniser(one, tmp_path)(Waveform(SOUND.samples[:800]))
    CachedRecogniser(other, tmp_path)(SOUND)
    assert (one.calls, other.calls) == (2, 1)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"text": 5, "words": []}', '{"text": "a", "words": [["a", 1]]}'])
def test_a_damaged_entry_is_heard_again(tmp_path: Path, damage: str) -> None:
    counting = Counting()
    cached = CachedRecogniser(counting, tmp_path)
    first = cached(SOUND)
    cached.path(SOUND).write_text(damage)
    assert cached(SOUND) == first
    assert counting.calls == 2
    assert json.loads(cached.path(SOUND).read_text())["text"] == first.text


def test_a_folder_that_cannot_be_written_costs_only_the_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert CachedRecogniser(Counting(), tmp_path / "file")(SOUND).text == "Où est, Paris?"


def test_what_cannot_be_told_from_another_is_not_cached() -> None:
    with pytest.raises(ValueError, match=r"the recogniser .*<lambda> has no digest"):
        CachedRecogniser(lambda waveform: "")
    with pytest.raises(ValueError, match="folder=5"):
        CachedRecogniser(Counting(), 5)  # type: ignore[arg-type]
