"""Words are established only where recognitions and the alignment agree."""

import pytest

from spiritlens.speech.alignment import sphinx
from spiritlens.speech.alignment.recognition import _has, _recognised, established_words
from spiritlens.speech.alignment.unit_words import words_of_units
from spiritlens.speech.encoders.loading import load_encoder
from spiritlens.speech.voices.names import voice
from spiritlens.speech.words import WordInterval

pytest.importorskip("pocketsphinx")


@pytest.mark.slow
def test_clear_speech_is_recognised(available):
    if "flite" not in available:
        pytest.skip("flite does not speak on this machine")
    utterance = voice("flite:rms").speak("she found the old key under the kitchen table")
    words = established_words(utterance.waveform)
    assert [word.word for word in words] == utterance.text.split()
    assert [word.start for word in words] == pytest.approx([word.start for word in utterance.words], abs=0.06)


@pytest.mark.slow
def test_the_human_recording_gives_some_words_and_no_doubtful_ones(recording, data):
    words = established_words(recording)
    first = [word.word for word in _recognised(recording, 2e-4)]
    assert 3 <= len(words) < len(first)
    assert {"something", "said"} <= {word.word for word in words}
    assert "minister" not in {word.word for word in words}, "recognitions differ there"
    units = load_encoder({"kind": "hubert"}, data / "hubert_small").encode(recording)
    index = words_of_units(units, words)
    assert set(index.tolist()) == {-1, *range(len(words))}


def test_overlap_by_half():
    sought = WordInterval("a", 1.0, 2.0)
    assert _has([WordInterval("a", 1.4, 2.2)], sought)
    assert not _has([WordInterval("a", 1.6, 2.4)], sought)
    assert not _has([WordInterval("b", 1.0, 2.0)], sought)
    assert not _has([WordInterval("a", 0.0, 3.0)], sought)


def test_a_recognition_that_was_stopped_leaves_no_trace(spoken, monkeypatch):
    expected = _recognised(spoken.waveform, 2e-4)
    assert expected

    def stop(waveform, floor):
        raise KeyboardInterrupt

    with monkeypatch.context() as stopped:
        stopped.setattr(sphinx, "padded_with_noise", stop)
        with pytest.raises(KeyboardInterrupt):
            _recognised(spoken.waveform, 2e-4)
    assert _recognised(spoken.waveform, 2e-4) == expected
