"""Planted mechanisms told in words, each with the sentences that it must and must not have."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

sys.path.append(str(Path(__file__).parents[1] / "effects"))

from effects_synthetic import role_effects

from experiments.sentence_calibration import (
    AGREEMENTS,
    COMPONENTS,
    DIFFERENCES,
    LAYERS,
    ROLES,
    SUBJECT,
    Law,
    curve,
    mechanism,
    simulated,
    told,
)
from spiritlens.comparison.beside_words import disagreements
from spiritlens.comparison.compare import compare
from spiritlens.comparison.difference_words import difference
from spiritlens.comparison.equivalence import Judged
from spiritlens.comparison.estimates import Estimate
from spiritlens.comparison.margins import Margins
from spiritlens.comparison.references import References
from spiritlens.comparison.result import Comparison
from spiritlens.comparison.rules import Rules

EXACT = Law(spread=0.0, size=0.0, own=0.0, noise=0.0)
"""All facts alike."""


def planted(first: np.ndarray, second: np.ndarray, law: Law | None = None, seed: int = 0) -> xr.Dataset:
    return simulated(np.random.default_rng(seed), first, second, law or Law())


def flat(seed: int) -> xr.Dataset:
    """An untrained twin: maps that have nothing to do with roles, of a total effect that is there."""
    rng = np.random.default_rng(seed)
    maps = [0.3 * rng.normal(size=(len(COMPONENTS), len(ROLES), LAYERS)) for _ in range(2)]
    return planted(*maps, seed=seed)


@pytest.fixture(scope="module")
def same() -> Comparison:
    return compare(planted(mechanism(), mechanism()))


@pytest.fixture(scope="module")
def later() -> Comparison:
    return compare(planted(mechanism(subject=3), mechanism(subject=6)))


def test_the_same_mechanism_has_no_difference_in_words(same: Comparison) -> None:
    text = told(same)
    assert not any(words in text for words in DIFFERENCES)
    assert "the centre of the effect of mlp_out at the subject over layers: equivalent within 0.5 layers" in text
    assert "passes from the subject to the read-out position at layer" in text
    assert "What is peculiar to a fact in writing is peculiar to the same fact in speech" in text
    assert "also among facts of its own relation" in text


def test_machines_that_are_the_same_in_every_fact_are_equivalent() -> None:
    comparison = compare(planted(mechanism(), mechanism(), EXACT))
    text = told(comparison)
    assert comparison.closed == ""
    assert not any(words in text for words in DIFFERENCES)
    assert "equal to rounding in every fact" in comparison.findings[0]
    assert f"In all {comparison.n_tested} cells the two are equivalent within 0.05 of the total effect" in text
    assert IDENTITY_NOT_TESTED in text


IDENTITY_NOT_TESTED = "was not tested: no fact's map differs from the mean map by more than the noise floor"


def test_a_shift_is_told_with_its_direction(later: Comparison) -> None:
    assert "layers later in speech" in told(later)
    assert "earlier" not in told(later)
    assert later["mlp_out"].judged["centre_shift"].verdict == "different"
    back = told(compare(planted(mechanism(subject=6), mechanism(subject=3))))
    assert "layers earlier in speech" in back
    assert "later" not in back
    exact = compare(planted(mechanism(subject=3), mechanism(subject=6), EXACT))
    assert "3.00 [3.00, 3.00] layers later in speech" in told(exact)


def test_another_place_is_told_by_its_cells_and_its_hand_over() -> None:
    comparison = compare(planted(mechanism(passes=7), mechanism(passes=3)))
    text = told(comparison)
    assert comparison.everywhere == "different"
    assert "most of all resid_pre at the" in text
    assert comparison["resid_pre"].judged["handover_shift"].verdict == "different"
    assert "layers earlier in speech" in text


def test_an_effect_that_passes_to_the_words_after_the_subject_is_told_so() -> None:
    """The relation's word takes over, in both or in speech alone: no hand-over to the read-out is told."""
    relation = mechanism(to=ROLES.index("after subject"))
    both = told(compare(planted(relation, relation)))
    assert "passes from the subject to the words after the subject at layer" in both
    assert "read-out position" not in both
    apart = told(compare(planted(mechanism(), relation)))
    assert "passes from the subject to the read-out position at layer" in apart
    assert "in speech; whether that differs was not tested" in apart
    alone = mechanism()
    alone[0, :SUBJECT] = alone[0, SUBJECT + 1 :] = 0
    text = told(compare(planted(mechanism(), alone)))
    assert "in writing; in speech no role is shown to take over, which was not compared" in text
    assert "no other role" not in text
    assert "in writing and to the words after the subject at layer" in apart
    nothing = mechanism()
    nothing[0, :SUBJECT] = nothing[0, SUBJECT + 1 :] = 0
    assert "passes from the subject" not in told(compare(planted(nothing, nothing)))


def test_two_places_that_do_the_same_have_no_peak() -> None:
    """A redundant mechanism: MLPs at layers 2 and 9 carry the same, so that the highest of them is chance."""
    twice = mechanism()
    twice[1, SUBJECT] = 0.6 * (curve(2, 1) + curve(9, 1))
    comparison = compare(planted(twice, twice))
    assert comparison["mlp_out"].judged["peak_shift"].why == "a plateau has no peak"
    assert "its peak" not in told(comparison)
    assert not any(words in told(comparison) for words in DIFFERENCES)


def test_agreement_is_told_beside_twins_only(same: Comparison) -> None:
    effects = planted(mechanism(), mechanism())
    assert not any(words in told(same) for words in AGREEMENTS)
    assert "This is not called agreement: maps of untrained models correlate too, and none was compared;" in told(same)
    twins = [flat(seed) for seed in range(5)]
    beside = compare(effects, references=References(twins=twins))
    assert "and agree closely to within" in told(beside)
    assert "5 twins: " in told(beside)
    alike = compare(
        effects, references=References(twins=[planted(mechanism(), mechanism(), seed=seed) for seed in range(5)])
    )
    assert not any(words in told(alike) for words in AGREEMENTS)
    assert "the correlation is not shown to be higher than that of 5 twins." in told(alike)


def test_floors_and_ceilings_are_named() -> None:
    effects = planted(mechanism(), mechanism())
    spoken = effects.isel(prompt=np.flatnonzero(effects["modality"].values == "S2T"))
    unknown = flat(3).assign_coords(known=("prompt", np.zeros(effects.sizes["prompt"], dtype=np.int64)))
    found = compare(
        effects, references=References(floors={"unknown facts": unknown}, ceilings={"two voices": (spoken, spoken)})
    )
    assert "two voices: 1.00" in told(found)
    assert "unknown facts: " in told(found)
    assert [row.part for row in found["mlp_out"].beside.rows][:3] == ["ceiling", "measured", "floor"]


def test_relations_that_explain_what_facts_share_are_told() -> None:
    """All facts of a relation have one map of their own: nothing is left within relations."""
    rng = np.random.default_rng(0)
    effects = planted(mechanism(), mechanism(), Law(own=0.0, size=0.0, relations=3, facts=30))
    maps = rng.normal(0, 0.2, (3, len(COMPONENTS), LAYERS, len(ROLES)))
    own = np.array([int(name[-1]) for name in effects["relation"].values.tolist()])
    changed = effects.assign(restored=effects["restored"] + (effects["status"].dims, maps[own])[1][..., None, None])
    text = told(compare(changed))
    assert "within relations it is not shown" in text
    assert "so that relations may do it" in text


def test_too_few_subjects_are_said_to_be_that() -> None:
    comparison = compare(planted(mechanism(), mechanism(subject=6), Law(facts=5)))
    assert comparison.findings[1] == (
        "Nothing more is told: 5 subjects are too few to find anything, at least 6 are needed."
    )
    assert not any(words in told(comparison) for words in DIFFERENCES)


def test_a_total_effect_that_is_not_there_closes_the_comparison() -> None:
    """A shift of three layers in the maps, of a total effect that is none in speech."""
    effects = planted(mechanism(subject=3), mechanism(subject=6))
    spoken = effects["modality"].values == "S2T"
    clean = effects["clean"].copy(deep=True)
    clean.values[spoken] = 0.1 + np.random.default_rng(0).normal(0, 0.1, (24, 1))
    comparison = compare(effects.assign(clean=clean))
    assert "the total effect in speech on the probability is not told from 0" in comparison.findings[1]
    clean.values[spoken] = 0.13
    small = compare(effects.assign(clean=clean))
    assert "is smaller than 0.05 (0.03 " in small.findings[1]
    for one in (comparison, small):
        assert not any(words in told(one) for words in DIFFERENCES)
        assert "nothing is told of it" in repr(one)


def test_a_metric_that_is_not_of_the_answer_says_nothing_alone() -> None:
    effects = planted(mechanism(), mechanism()).assign_coords(metric=["kl"], metric_sign=("metric", [1]))
    effects = effects.assign_coords(metric_words=("metric", ["KL divergence from the clean run"]))
    assert "the metric is not one of the answer" in compare(effects).findings[1]


NOISE = "gaussian noise added to the embeddings of the"
DONE = {
    "corrupting the subject lowers": {"corruption": f"{NOISE} subject", "noise_law": "gaussian"},
    "corrupting a control span beside the subject lowers": {"corruption": f"{NOISE} control", "noise_law": "gaussian"},
    "the zero knock-out of the embeddings of the subject lowers": {
        "corruption": "zero knock-out of the embeddings of the subject"
    },
    "the knock-out (attention of all edges cut in all layers) lowers": {
        "corruption": "attention of all edges cut in all layers"
    },
    "putting the counterfactual prompt in the prompt's place lowers": {"corruption": "counterfactual prompts"},
    "place (patched with a control: other word) lowers": {
        "corruption": "counterfactual prompts",
        "config_json": '{"control": "other word"}',
    },
    "the corruption lowers": {},
}


@pytest.mark.parametrize("words", DONE)
def test_what_was_done_is_told_as_what_it_is(words: str) -> None:
    changed = planted(mechanism(), mechanism()).assign_attrs(**DONE[words])
    assert words in compare(changed, resamples=20, permutations=20).findings[0]


def test_conditions_are_said(same: Comparison) -> None:
    assert "one voice in speech (one voice)" in told(same)
    assert "one phrasing in writing" in told(same)
    noised = planted(mechanism(), mechanism()).assign_attrs(noise_law="gaussian")
    assert "The doses of noise are not matched" not in told(compare(noised.assign_attrs(noise_law="")))
    less = noised["clean"].copy(deep=True)
    less.values[1::2] = 0.1 + 0.7 * (less.values[1::2] - 0.1)
    assert "The doses of noise are not matched" in told(compare(noised.assign(clean=less)))
    two = role_effects(n_facts=8, phrasings=2)
    voices = np.where(two["phrasing"].values == "0", "a", "b")
    text = told(compare(two.assign_coords(voice=("prompt", voices))))
    assert "one phrasing" not in text
    assert "one voice" not in text


def test_the_margin_decides_what_is_a_difference() -> None:
    effects = planted(mechanism(subject=3), mechanism(subject=6))
    wide = compare(effects, rules=Rules(margins=Margins(layers=5)))
    assert wide["mlp_out"].judged["centre_shift"].verdict == "equivalent"
    assert "layers later" not in told(wide)
    cells = compare(effects, rules=Rules(margins=Margins(share=0.75)))
    assert cells.n_different == 0


def test_each_verdict_has_its_words() -> None:
    nan = float("nan")
    judged = {
        "0.30 [0.20, 0.40] more": Judged(0.3, 0.2, 0.4, 0.05, 0.1, "different"),
        "0.30 [0.20, 0.40] less": Judged(-0.3, -0.4, -0.2, 0.05, 0.1, "different"),
        "0.30 less": Judged(-0.3, nan, nan, 0.05, nan, "different"),
        "equivalent within 0.05 (difference 0.01 [−0.02, 0.03])": Judged(0.01, -0.02, 0.03, 0.05, 0.1, "equivalent"),
        (
            "neither a difference nor equality is shown "
            "(difference 0.10 [−0.10, 0.30]; one of 0.4 would have been found)"
        ): Judged(0.1, -0.1, 0.3, 0.05, 0.4, "undecided"),
        "a difference could not be computed (a plateau has no peak)": Judged(
            nan, nan, nan, 0.5, nan, "undecided", "a plateau has no peak"
        ),
    }
    assert [difference(one, "more", "less") for one in judged.values()] == list(judged)


def test_metrics_that_disagree_are_told() -> None:
    effects = simulated(np.random.default_rng(0), metrics=("probability", "logit_difference"))
    comparison = compare(effects)
    second = comparison.second
    assert second is not None
    assert "In the logit of the answer − logit of the foil the same is: total effects:" in told(comparison)
    assert disagreements(comparison, second) == []
    apart = replace(second, total_difference=Judged(0.5, 0.4, 0.6, 0.05, 0.1, "different"), n_different=3)
    assert disagreements(comparison, apart) == ["total effects", "cells"]
    assert "the two metrics disagree about total effects and cells" in told(replace(comparison, second=apart))


def test_no_interval_of_the_largest_cell_excludes_what_it_was_chosen_for(later: Comparison) -> None:
    """The interval of the chosen cell is that which holds for all cells at once, wider than its own."""
    cells = later.cells.where(later.cells["verdict"] == "different")
    place = {dim: int(at) for dim, at in abs(cells["difference"]).argmax(...).items()}
    largest = later.cells.isel(place)
    assert float(largest["low"]) < float(largest["difference"]) < float(largest["high"])
    ends = sorted(abs(float(largest[name])) for name in ("low", "high"))
    assert f"[{ends[0]:.2f}, {ends[1]:.2f}] of the total effect" in told(later)


def test_nothing_is_said_about_storage(same: Comparison, later: Comparison) -> None:
    text = f"{told(same)} {told(later)}".lower()
    assert not any(word in text for word in ("stored", "storage", "located", "kept in"))
    assert all(sentence.endswith(".") for sentence in (*same.findings, *later.findings))


def test_a_comparison_prints_itself(later: Comparison) -> None:
    text = repr(later)
    assert text.startswith("S2T against T2T: 24 facts of 24 subjects, probability, denoising")
    assert f"{later['mlp_out'].peak_shift} different" in text
    assert f"{later.n_different} of {later.n_tested} cells differ by 0.05 of the total effect or more" in text
    assert "fact identity 0." in text
    assert text.endswith("engine: no canary: this result holds no patch whose outcome is known beforehand")
    assert repr(Estimate(-0.001, -0.01, 0.01)) == "0.00 [−0.01, 0.01]"
