"""A planted slope is recovered and covered, and a difference that goes with errors alone vanishes at zero."""

import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

sys.path.append(str(Path(__file__).parents[1] / "effects"))

from effects_synthetic import role_effects

import spiritlens as sl
from spiritlens.comparison.covariate import adjusted_difference, difference_by


def recognised(effects: xr.Dataset, errors: np.ndarray) -> xr.Dataset:
    """The effects with the errors of each fact [fact] at its spoken prompts, NaN at its written ones."""
    spoken = effects["modality"].values == "S2T"
    facts = [int(name.partition("/")[2]) for name in effects["fact_id"].values.tolist()]
    return effects.assign_coords(word_error=("prompt", np.where(spoken, errors[facts], np.nan)))


def test_a_line_by_hand() -> None:
    found = adjusted_difference([1.0, 2.0, 3.0], [0.0, 1.0, 2.0], ["a", "b", "c"])
    assert (found.difference.value, found.slope.value, found.at_zero.value) == (2, 1, 1)
    assert (found.least, found.n_facts, found.n_subjects, found.n_unmeasured) == (0, 3, 3, 0)


def test_it_is_numpys_least_squares() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 2, 40), rng.normal(0, 1, 40)
    found = adjusted_difference(y, x, np.arange(40))
    slope, zero = np.polyfit(x, y, 1)
    assert found.slope.value == pytest.approx(slope, abs=1e-10)
    assert found.at_zero.value == pytest.approx(zero, abs=1e-10)
    assert found.difference.value == pytest.approx(y.mean())


def test_intervals_cover_a_planted_slope_and_zero() -> None:
    """In 60 samples of 40 facts the 95 % interval misses each of them rarely."""
    missed = np.zeros(2)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x = rng.choice([0.0, 0.2, 0.4, 1.0], 40)
        found = adjusted_difference(0.3 - 0.5 * x + rng.normal(0, 0.2, 40), x, np.arange(40))
        missed += [not found.slope.low <= -0.5 <= found.slope.high, not found.at_zero.low <= 0.3 <= found.at_zero.high]
    assert (missed <= 9).all()  # 3 expected; more than 9 of 60 has a probability below 0.1 %


def test_a_subject_of_many_facts_is_left_out_as_one() -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 1, 8)
    y = x + rng.normal(0, 0.3, 8)
    once = adjusted_difference(y, x, list("abcdefgh"))
    often = adjusted_difference(np.repeat(y, 5), np.repeat(x, 5), list(np.repeat(list("abcdefgh"), 5)))
    ends = [(each.slope.value, each.slope.low, each.slope.high) for each in (once, often)]
    assert ends[0] == pytest.approx(ends[1])
    assert often.n_subjects == 8


@pytest.mark.parametrize(("level", "at_zero"), [(0.0, 2.0), (0.5, float("nan"))])
def test_one_value_of_the_covariate_has_no_slope(level: float, at_zero: float) -> None:
    found = adjusted_difference([1.0, 2.0, 3.0], [level] * 3, ["a", "b", "c"])
    assert np.isnan(found.slope.value)
    assert found.at_zero.value == pytest.approx(at_zero, nan_ok=True)


def test_facts_that_were_not_measured_are_counted() -> None:
    found = adjusted_difference([1.0, 2.0, 9.0, np.nan], [0.0, 1.0, np.nan, 1.0], list("abcd"))
    assert (found.n_facts, found.n_unmeasured, found.slope.value) == (2, 2, 1)


def test_a_difference_that_goes_with_the_errors_alone_vanishes_without_them() -> None:
    effects = role_effects(n_facts=40, seed=2)
    errors = np.random.default_rng(0).choice([0.0, 0.25, 0.5, 1.0], 40)
    spoken = effects["modality"] == "S2T"
    heard = recognised(effects, errors)
    lost = 0.4 * heard["word_error"].fillna(0) * spoken
    heard = heard.assign(corrupted=heard["corrupted"] + lost)  # total effects fall by 0.4 per error
    found = difference_by(heard)
    assert found.slope.value == pytest.approx(-0.4, abs=0.1)
    assert found.slope.high < 0
    assert found.difference.high < 0
    assert found.at_zero.low < 0 < found.at_zero.high
    assert (found.n_facts, found.n_subjects) == (40, 40)


def test_phrasings_are_averaged_and_the_order_turns_the_signs() -> None:
    effects = role_effects(n_facts=6, phrasings=2)
    heard = recognised(effects, np.arange(6) / 4.0)
    found = difference_by(heard, metric="logit")
    total = sl.effects.total(heard).sel(metric="logit")
    per_fact = [total[total["fact_id"] == f"capital/{fact}"] for fact in range(6)]
    expected = [float(one[one["modality"] == "S2T"].mean() - one[one["modality"] == "T2T"].mean()) for one in per_fact]
    assert found.difference.value == pytest.approx(np.mean(expected))
    assert found.slope.value == pytest.approx(np.polyfit(np.arange(6) / 4.0, expected, 1)[0])


@pytest.mark.parametrize(
    ("change", "settings", "said"),
    [
        (lambda effects: effects, {}, "none of 8 facts has a difference and a covariate"),
        (lambda effects: effects.drop_vars("word_error"), {}, "no word_error: trace prompts of recognise"),
        (lambda effects: effects, {"covariate": "known"}, "covariate='known': expected one of word_error"),
        (lambda effects: effects, {"metric": "rank"}, "metric='rank' was not traced; choose from probability"),
        (lambda effects: effects, {"kinds": ("S2T", "S2T")}, "expected two different ones"),
        (lambda effects: effects.isel(prompt=effects["modality"] == "S2T"), {}, "no fact is known in both"),
        (lambda effects: effects, {"confidence": 95}, "confidence=95"),
    ],
)
def test_what_cannot_be_compared_is_refused(change, settings, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        difference_by(change(role_effects()), **settings)


def test_arrays_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="give one difference, number and subject a fact"):
        adjusted_difference([1.0, 2.0], [0.0], ["a", "b"])
