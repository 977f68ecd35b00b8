"""Ceilings of a study: the same facts in another phrasing and in another voice, beside the study's own, by modality."""

from dataclasses import replace
from pathlib import Path

import pytest

import spiritlens as sl
from spiritlens.effects.shards import RunFolder
from spiritlens.prompts.facts.sounds import FactSound
from spiritlens.studies.ceilings import other_prompts, study_ceilings
from spiritlens.studies.pairs import AskedForm, PairedPrompts, pair_prompts
from spiritlens.studies.traces import trace
from spiritlens.terms import DEFAULT_VOICE

SETTINGS = sl.studies.StudySettings(components=("resid_pre",), samples=1, ceilings=("phrasing", "voice"))


@pytest.fixture(scope="module")
def lens() -> "sl.Lens":
    return sl.load()


@pytest.fixture(scope="module")
def pair(lens: "sl.Lens") -> PairedPrompts:
    fact = next(fact for fact in sl.load_facts() if fact.group == "both" and len(fact.templates) > 1)
    prompts = pair_prompts(lens, fact, AskedForm(DEFAULT_VOICE)).prompts
    return PairedPrompts(fact, *prompts, {"T2T": True, "S2T": True})


def test_the_next_phrasing_is_asked_in_both_modalities(lens: "sl.Lens", pair: PairedPrompts) -> None:
    other = other_prompts(lens, pair, "phrasing", SETTINGS)
    assert [prompt.kind for prompt in other] == ["T2T", "S2T"]
    assert {prompt.phrasing for prompt in other} & {pair.spoken.phrasing} == set()
    assert {prompt.answer for prompt in other} == {pair.spoken.answer}
    one = replace(pair.fact, templates={pair.spoken.phrasing: pair.fact.templates[pair.spoken.phrasing]})
    assert other_prompts(lens, replace(pair, fact=one), "phrasing", SETTINGS) == ()


def test_another_voice_is_one_that_the_fact_brings(lens: "sl.Lens", pair: PairedPrompts) -> None:
    assert other_prompts(lens, pair, "voice", SETTINGS) == ()
    sounds = tuple(FactSound(name, pair.spoken.phrasing, pair.spoken.waveform) for name in (DEFAULT_VOICE, "reader"))
    spoken = other_prompts(lens, replace(pair, fact=replace(pair.fact, sounds=sounds)), "voice", SETTINGS)
    assert [(prompt.kind, prompt.voice) for prompt in spoken] == [("S2T", "reader")]


def test_ceilings_are_pairs_of_one_modality(lens: "sl.Lens", pair: PairedPrompts, tmp_path: Path) -> None:
    effects = trace(lens, pair.prompts, SETTINGS, tmp_path)
    found = study_ceilings(lens, [pair], SETTINGS, effects, RunFolder(tmp_path / "ceilings"))
    assert list(found) == ["two phrasings in writing", "two phrasings in speech"]
    for (own, other), kind in zip(found.values(), ("T2T", "S2T"), strict=True):
        assert own["modality"].values.tolist() == other["modality"].values.tolist() == [kind]
        assert own["phrasing"].item() != other["phrasing"].item()
    assert (tmp_path / "ceilings" / "phrasing").is_dir()
    floors = sl.studies.Floors(ceilings=found)
    assert list(floors.references.ceilings) == list(found)
    assert study_ceilings(lens, [pair], replace(SETTINGS, ceilings=()), effects, RunFolder(tmp_path)) == {}
