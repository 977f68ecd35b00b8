"""A second aligner's words beside the prompt's own: units of the subject that change, counted by hand."""

import numpy as np
import pytest
from prompt_making import speech_prompt, text_prompt

from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.second_alignment import AlignmentChange, alignment_change
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.words import WordInterval

pytest.importorskip("jiwer", reason="jiwer counts word errors")


@pytest.fixture
def spoken(spirit, units, words) -> Prompt:
    """Units of 80 ms; the subject, 0.84 to 1.32 s, has six of them."""
    return speech_prompt(spirit, units, words, "New Zealand", waveform=Waveform(np.full(26_880, 0.1, np.float32)))


def moved(words: list[WordInterval], by: float) -> list[WordInterval]:
    return [WordInterval(word.word, word.start + by, word.end + by) for word in words]


@pytest.mark.parametrize(("units_later", "changed"), [(0, 0), (1, 2), (2, 4), (-1, 2), (4, 8), (-0.4, 0)])
def test_words_that_are_later_by_some_units(spoken: Prompt, words, units_later: float, changed: int) -> None:
    """Each unit that the subject wins at one end it loses at the other."""
    found = alignment_change(spoken, moved(words[1:], 0.08 * units_later))
    assert found.own == spoken.subject.positions
    assert (found.n_changed, found.share) == (changed, changed / 6)


def test_its_own_words_change_nothing(spoken: Prompt, words) -> None:
    assert alignment_change(spoken, words) == AlignmentChange(spoken.subject.positions, spoken.subject.positions)


def test_words_may_be_written_otherwise_and_misheard(spoken: Prompt) -> None:
    found = alignment_change(spoken, [WordInterval("of", 0.6, 0.84), WordInterval("Newsealand,", 0.84, 1.24)])
    assert found.n_changed == 1
    alone = alignment_change(spoken, [WordInterval("Zealand", 1.08, 1.32)])  # "new" was not heard
    assert (alone.n_changed, alone.second) == (3, spoken.subject.positions[3:])


def test_what_cannot_be_aligned_is_refused(spoken: Prompt, spirit, units, words) -> None:
    written = text_prompt(spirit, "the capital of new zealand is", "New Zealand")
    for prompt, given, reason in (
        (written, words, "no spoken part"),
        (speech_prompt(spirit, units, words), words, "no sound"),
        (speech_prompt(spirit, units, words, waveform=spoken.waveform), words, "subject is not spoken"),
        (
            spoken,
            [WordInterval("New", 0.8, 1.0), WordInterval("Zealand's.", 1.0, 1.6)],
            "'Zealand's.' stands for the subject 'new zealand' and a",
        ),
        (spoken, words[:3], "none of the second aligner's words stands for the subject 'new zealand'"),
    ):
        with pytest.raises(ValueError, match=f"prompt {prompt.id} cannot be aligned a second time: .*{reason}"):
            alignment_change(prompt, given)
