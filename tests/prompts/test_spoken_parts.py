"""Which part of a prompt its sound is of, which words are said in it, and which of these are the subject."""

from dataclasses import replace

import numpy as np
import pytest
from prompt_making import mixed_prompt, speech_prompt, text_prompt

from spiritlens.prompts.building.segments import SpeechSegment, TextSegment
from spiritlens.prompts.prompt import Prompt, Span
from spiritlens.prompts.spoken_parts import spoken_part, spoken_segments
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.units import UnitStream
from spiritlens.speech.words import WordInterval

SOUND = Waveform(np.linspace(-0.5, 0.5, 26_880, dtype=np.float32))  # 1.68 s
SUBJECT = "New Zealand"


def said(prompt: Prompt) -> list[str]:
    part = spoken_part(prompt)
    return [prompt.words[number] for number in part.words]


def subject(prompt: Prompt) -> list[str]:
    return [prompt.words[number] for number in spoken_part(prompt).subject]


def test_a_spoken_prompt_is_one_part(spirit, units, words) -> None:
    prompt = speech_prompt(spirit, units, words, SUBJECT, waveform=SOUND)
    part = spoken_part(prompt)
    assert part.waveform is SOUND
    assert part.offset == 0
    assert [prompt.families[place] for place in part.units] == ["unit"] * 21
    assert said(prompt) == ["the", "capital", "of", "new", "zealand", "is"]
    assert subject(prompt) == ["new", "zealand"]


def test_words_without_a_unit_are_said_all_the_same(spirit, units, words) -> None:
    """The first word of the subject, of 4 ms between two units' centres, and the last word of the sentence."""
    short = [*words[:3], WordInterval("new", 0.841, 0.845), WordInterval("zealand", 0.845, 1.32)]
    prompt = speech_prompt(spirit, units, [*short, WordInterval("is", 1.661, 1.665)], SUBJECT, waveform=SOUND)
    assert {3, 5}.isdisjoint(prompt.word_index)
    assert said(prompt) == ["the", "capital", "of", "new", "zealand", "is"]
    assert subject(prompt) == ["new", "zealand"]


def test_solved_examples_are_not_what_the_sound_is_of(spirit, units, words) -> None:
    example = SpeechSegment(units[:16], words[:2])
    question = SpeechSegment(units, words, SOUND)
    prompt = mixed_prompt(spirit, [question], SUBJECT, examples=[(example, "cat")])
    assert len(spoken_segments(prompt)) == 2
    assert said(prompt) == ["the", "capital", "of", "new", "zealand", "is"]
    assert min(spoken_part(prompt).units) > max(spoken_segments(prompt)[0])


def test_a_subject_spoken_within_writing_is_cut_out_of_its_recording(spirit, units, words) -> None:
    segment = SpeechSegment(units, words, SOUND).part(SUBJECT)
    prompt = mixed_prompt(spirit, [TextSegment("the capital of"), segment, TextSegment("is")], SUBJECT)
    part = spoken_part(prompt)
    assert said(prompt) == subject(prompt) == ["new", "zealand"]
    assert part.offset == pytest.approx(0.84, abs=0.05)
    assert part.waveform.duration == pytest.approx(0.48, abs=0.05)
    first = round(part.offset * SOUND.rate)
    assert np.array_equal(part.waveform.samples, SOUND.samples[first : first + len(part.waveform)])


def test_a_subject_in_writing_is_not_said(spirit, units, words) -> None:
    prompt = mixed_prompt(spirit, [TextSegment("cat :"), SpeechSegment(units, words, SOUND)], "cat")
    assert said(prompt) == ["the", "capital", "of", "new", "zealand", "is"]
    assert subject(prompt) == []
    without = speech_prompt(spirit, units, words, waveform=SOUND)
    assert subject(without) == []


def test_a_subject_under_another_name_is_the_words_of_its_tokens(spirit, units, words) -> None:
    prompt = speech_prompt(spirit, units, words, SUBJECT, waveform=SOUND)
    assert subject(replace(prompt, subject=Span("the land", prompt.subject.positions))) == ["new", "zealand"]


def test_prompts_that_cannot_be_listened_to(spirit, units, words) -> None:
    written = text_prompt(spirit, "the capital of new zealand is", SUBJECT)
    silent = speech_prompt(spirit, units, words, SUBJECT)
    one, other = SpeechSegment(units, words, SOUND), SpeechSegment(units, words, SOUND)
    twice = mixed_prompt(spirit, [one, TextSegment("and"), other])
    nameless = replace(speech_prompt(spirit, units, words, waveform=SOUND), words=(), word_index=(-1,) * 25)
    for prompt, reason in (
        (written, "no spoken part"),
        (silent, "units but no sound"),
        (twice, "2 spoken parts and the sound of one, which may be any of 2"),
        (nameless, "no words are known"),
    ):
        with pytest.raises(ValueError, match=reason):
            spoken_part(prompt)


def test_units_without_times_have_the_whole_sound(spirit, words) -> None:
    units = UnitStream.from_frames(np.repeat(np.arange(21), 2), rate=25.0)
    prompt = speech_prompt(spirit, units, words, SUBJECT, waveform=SOUND)
    timeless = replace(prompt, starts=(float("nan"),) * len(prompt), ends=(float("nan"),) * len(prompt))
    assert spoken_part(timeless).waveform is SOUND
