import numpy as np
import pytest
from prompt_making import mixed_prompt

from spiritlens.prompts.building.segments import SpeechSegment, TextSegment
from spiritlens.speech.alignment.unit_words import WordRule
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.units import UnitStream
from spiritlens.speech.words import WordInterval


def test_the_subject_alone_may_be_heard(spirit, units, words):
    heard = SpeechSegment(units, words).part("New Zealand")
    prompt = mixed_prompt(spirit, [TextSegment("the capital of"), heard, TextSegment("is")], "New Zealand", "the")
    assert prompt.text == "[Text] the capital of[Speech][Hu10][Hu11][Hu12][Hu13][Hu14][Hu15][Text] is"
    assert prompt.words == ("the", "capital", "of", "new", "zealand", "is")
    assert len(prompt.subject) == 6


def test_a_part_keeps_the_times_and_the_sound_of_the_whole(units, words):
    sound = Waveform(np.full(26_880, 0.1, dtype=np.float32), 16_000)
    whole = SpeechSegment(
        units, words, sound, {"pitch": UnitStream.from_frames(np.arange(21), 12.5)}, WordRule("start", 1)
    )
    part = whole.part("zealand")
    assert part.words == (words[4],)
    assert part.units.starts.tolist() == pytest.approx([1.12, 1.2, 1.28])
    assert part.streams["pitch"].ids.tolist() == [14, 15, 16]
    assert (part.waveform, part.word_rule) == (sound, WordRule("start", 1))


def test_which_part_where_the_words_occur_twice(units):
    words = [WordInterval(word, 0.2 * n, 0.2 * n + 0.2) for n, word in enumerate(["rome", "is", "rome"])]
    segment = SpeechSegment(units, words)
    assert segment.part("Rome", occurrence=1).words[0].start == pytest.approx(0.4)
    with pytest.raises(ValueError, match="'Rome' occurs 2 times in the words 'rome is rome'; say which one"):
        segment.part("Rome")


def test_parts_that_cannot_be_cut_out(units, words):
    segment = SpeechSegment(units, words)
    with pytest.raises(ValueError, match="'Spain' does not occur in the words 'the capital of new zealand is'"):
        segment.part("Spain")
    shared = [WordInterval("in", 0.1, 0.5), WordInterval("the", 0.1, 0.5), WordInterval("hague", 0.5, 1.0)]
    with pytest.raises(
        ValueError, match="'in the' shares one interval of the speech, which 'the Hague' would cut in two"
    ):
        SpeechSegment(units, shared).part("the Hague")
    assert len(SpeechSegment(units, shared).part("in the Hague").words) == 3
    coarse = SpeechSegment(
        UnitStream.from_frames([4, 5], rate=2.0), [WordInterval("so", 0.3, 0.7), WordInterval("oslo", 0.7, 0.9)]
    )
    with pytest.raises(ValueError, match="no unit of the speech falls on 'so'"):
        coarse.part("so")
