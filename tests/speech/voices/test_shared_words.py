"""Words that espeak-ng runs together are told apart by their phones."""

from dataclasses import replace

import pytest

from spiritlens.speech.engines.phones import Phone
from spiritlens.speech.voices.names import voice
from spiritlens.speech.voices.shared_words import _cuts, edit_distance, split_shared_words, words_apart
from spiritlens.speech.words import interval_groups


def test_edit_distance_by_hand():
    assert edit_distance(["k", "ae", "t"], ["k", "ae", "t"]) == 0
    assert edit_distance(["k", "ae", "t"], ["g", "ae"]) == 1.5  # k for g is half, t is one too many
    assert edit_distance([], ["k"]) == 1
    assert edit_distance(["k"], ["ae"]) == 1


def test_cut_by_hand():
    phones = [Phone("ih", 0.0, 0.05), Phone("n", 0.05, 0.1), Phone("dh", 0.1, 0.12), Phone("ax", 0.12, 0.2)]
    assert _cuts(phones, [["ih", "n"], ["dh", "ah"]]) == [0.1]
    with pytest.raises(ValueError, match="1 phones cannot be separated into 2 words"):
        _cuts(phones[:1], [["ih"], ["dh"]])


@pytest.mark.parametrize(
    "text", ["it lies in the city", "the key of the house is on the table", "people from the netherlands"]
)
def test_each_word_gets_its_own_interval(text):
    speaker = voice()
    utterance = speaker.speak(text)
    assert len(interval_groups(utterance.words)) < len(utterance.words), "this text must hold a shared interval"
    split = split_shared_words(utterance, speaker)
    assert len(interval_groups(split.words)) == len(split.words)
    for before, after in zip(split.words, split.words[1:], strict=False):
        assert before.end <= after.start + 1e-9
    for word, following in zip(split.words[1:], split.words, strict=False):
        if word.word == "the":
            first = next(phone for phone in split.phones if phone.start >= word.start - 1e-9)
            assert first.label == "dh"
            assert following.word != "the"
    kept = [word for word in utterance.words if sum(w.start == word.start for w in utterance.words) == 1]
    assert set(kept) <= set(split.words)


def test_words_that_cannot_be_separated_stay_together(spoken):
    speaker = voice()
    utterance = speaker.speak("it lies in the city")
    assert words_apart(utterance, speaker).words == split_shared_words(utterance, speaker).words
    mute = replace(utterance, phones=())
    assert words_apart(mute, speaker).words == utterance.words


def test_nothing_to_split(spoken):
    assert split_shared_words(spoken, voice()).words == spoken.words
