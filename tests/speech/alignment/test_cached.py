"""Alignment is done once for an audio and a text; what was doubted is warned of each time."""

import warnings

import pytest

from spiritlens.speech.alignment import cached
from spiritlens.speech.alignment.forced import AlignmentError, AlignmentWarning, align
from spiritlens.speech.audio.waveform import Waveform

pytest.importorskip("pocketsphinx")
TEXT = "the capital of france is paris"


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SPIRITLENS_CACHE", str(tmp_path))


@pytest.fixture
def calls(monkeypatch):
    made, whole = [], cached.align_doubtfully
    monkeypatch.setattr(cached, "align_doubtfully", lambda *given: made.append(given[1]) or whole(*given))
    return made


def test_the_second_time_is_read_and_equal(spoken, calls):
    first = cached.cached_alignment(spoken.waveform, TEXT)
    renamed = Waveform(spoken.waveform.samples, source="another name")
    assert cached.cached_alignment(renamed, TEXT) == first == align(spoken.waveform, TEXT)
    assert calls == [TEXT]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AlignmentWarning)
        cached.cached_alignment(spoken.waveform, "the capital of is paris")
    assert len(calls) == 2, "another text is another alignment"


def test_doubts_are_warned_of_each_time(spoken, calls):
    wrong = "the capital of is paris"
    for _ in range(2):
        with pytest.warns(AlignmentWarning):
            cached.cached_alignment(spoken.waveform, wrong)
    assert calls == [wrong]


def test_a_damaged_file_is_made_again(spoken, tmp_path, calls):
    first = cached.cached_alignment(spoken.waveform, TEXT)
    (path,) = tmp_path.rglob("*.json")
    for content in (b"{", b"{}", b"\xff", b'{"words": [["a", 2, 1]], "doubts": []}', b'{"words": 3, "doubts": []}'):
        path.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AlignmentWarning)
            assert cached.cached_alignment(spoken.waveform, TEXT) == first
    assert len(calls) == 6


def test_what_cannot_be_placed_is_refused_each_time(spoken, calls, tmp_path):
    short = spoken.waveform.slice(0, 0.1)
    for _ in range(2):
        with pytest.raises(AlignmentError, match="cannot be placed"):
            cached.cached_alignment(short, TEXT)
    assert len(calls) == 2
    assert list(tmp_path.rglob("*.json")) == []
