"""Forced transcripts: where they stand, whose words they are, and who is warned without one."""

import warnings

import numpy as np
import pytest
from prompt_making import mixed_prompt, speech_prompt, text_prompt

from spiritlens.prompts.building.segments import SpeechSegment, TextSegment
from spiritlens.prompts.building.transcripts import spoken_text
from spiritlens.prompts.vocabulary.families import FAMILIES, SPEECHGPT_META, SPIRE
from spiritlens.speech.units import UnitStream

SAID = "The capital of New Zealand is"
ASKED = ("New Zealand", "Wellington")


def at_rate(vocabulary, units):
    return UnitStream.from_frames(
        np.repeat(units.ids, int(vocabulary.family.unit_rate / 25)), vocabulary.family.unit_rate
    )


def forced(vocabulary, units, words, **about):
    return speech_prompt(
        vocabulary, at_rate(vocabulary, units), words, *ASKED, **{"text": SAID, "transcript": "forced"} | about
    )


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("speechgpt-com", f"<20><eosp> <eoh>. [SpeechGPT]: {SAID}; [ta]"),
        ("spire", f"{chr(0xF0000 + 20)}\nEnglish: {SAID}"),
        ("ustm", f"<|unit20|><|correspond|>{SAID}"),
        ("usdm", f"<|unit20|><|correspond|>{SAID.lower()}\n### Agent\n"),
        ("anygpt", f"<🗣️20><eosp><eoh> [MMGPT]: {SAID}"),
    ],
)
def test_the_transcript_stands_where_the_model_writes_its_own(vocabularies, units, words, name, end):
    vocabulary = vocabularies[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prompt = forced(vocabulary, units, words)
    assert prompt.text.endswith(end)
    assert vocabulary.encode(prompt.text) == list(prompt.ids)
    assert prompt.kind == "S2T"
    plain = speech_prompt(vocabulary, at_rate(vocabulary, units), words, "New Zealand", text=SAID)
    common = len(plain.ids) - (name == "ustm")  # its marker says which of the two follows
    assert prompt.ids[:common] == plain.ids[:common]
    assert prompt.subject == plain.subject, "the subject is the one that is heard"


def test_words_of_the_transcript_are_words_of_the_prompt(vocabularies, units, words):
    prompt = forced(vocabularies["speechgpt-com"], units, words)
    assert prompt.words == (*(word.word for word in words), *SAID.split())
    written = [at for at, modality in enumerate(prompt.modalities) if modality == "text" and prompt.word_index[at] >= 0]
    assert {prompt.words[prompt.word_index[at]] for at in written} == set(SAID.split())
    assert prompt.roles[written[0]] == "after subject"
    assert prompt.roles[written[-1]] == "last word"
    ending = [prompt.labels[position] for position in prompt.span("final marker")]
    assert "".join(ending).replace("▁", " ") == "; [ta]"
    second = forced(vocabularies["speechgpt-com"], units, words, occurrence=1)
    assert set(second.subject.positions) <= set(written)
    assert second.ids == prompt.ids


def test_without_a_text_the_transcript_is_the_words(vocabularies, units, words):
    prompt = forced(vocabularies["spire"], units, words, text="")
    assert prompt.text.endswith("\nEnglish: " + " ".join(word.word for word in words))


@pytest.mark.parametrize("name", [name for name, family in FAMILIES.items() if not family.extra_streams][:-1])
def test_families_that_answer_after_a_transcript_warn_and_no_others(vocabularies, units, words, name):
    vocabulary = next(held for held in vocabularies.values() if held.family.name == name)
    segment = SpeechSegment(at_rate(vocabulary, units), words)
    told = "answers a spoken prompt with a transcript first: the next token is no answer. transcript='forced'"
    if vocabulary.family.answers == "after_transcript":
        with pytest.warns(UserWarning, match=told):
            mixed_prompt(vocabulary, [segment], *ASKED)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mixed_prompt(vocabulary, [segment])  # nothing is asked
        text_prompt(vocabulary, SAID, *ASKED)
        if vocabulary.family.answers == "at_once":
            mixed_prompt(vocabulary, [segment], *ASKED)


def test_the_flag_is_on_the_models_that_have_it():
    flagged = {name for name, family in FAMILIES.items() if family.answers == "after_transcript"}
    assert flagged == {"speechgpt-com", "spire", "usdm", "anygpt"}
    assert FAMILIES["speechgpt-com"].spoken_turn[0] == f"{SPEECHGPT_META}[Human]: "
    with pytest.raises(ValueError, match="answers 'after_transcript' needs transcript_turn"):
        SPIRE.replace(transcript_turn=None)


def test_what_cannot_be_forced_is_refused(vocabularies, spirit, units, words):
    with pytest.raises(ValueError, match="family 'spiritlm-base' writes no transcript of a spoken prompt"):
        speech_prompt(spirit, units, words, *ASKED, transcript="forced")
    with pytest.raises(ValueError, match="transcript='forced': the prompt has no speech"):
        text_prompt(vocabularies["spire"], SAID, *ASKED, transcript="forced")
    silent = SpeechSegment(at_rate(vocabularies["spire"], units), ())
    with pytest.raises(ValueError, match="what was said is not known; give it as text= or words="):
        spoken_text(SPIRE, [TextSegment("listen"), silent])
    with pytest.raises(ValueError, match="transcript='always': expected one of none, forced"):
        text_prompt(vocabularies["spire"], SAID, *ASKED, transcript="always")
