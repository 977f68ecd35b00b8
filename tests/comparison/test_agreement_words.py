"""The word agree: only beside another run that has a map, or untrained twins, which are named."""

import numpy as np
import pytest
import xarray as xr

from experiments.sentence_calibration import COMPONENTS, LAYERS, ROLES, Law, mechanism, simulated
from spiritlens.comparison.agreement_words import agreement_sentence
from spiritlens.comparison.compare import compare
from spiritlens.comparison.references import References

NOTHING = 0 * mechanism()


def planted(first: np.ndarray, second: np.ndarray, seed: int = 0) -> xr.Dataset:
    return simulated(np.random.default_rng(seed), first, second, Law())


def unlike(seed: int) -> xr.Dataset:
    """Another run whose two maps have nothing in common."""
    rng = np.random.default_rng(seed)
    return planted(*(0.3 * rng.normal(size=(len(COMPONENTS), len(ROLES), LAYERS)) for _ in range(2)), seed=seed)


@pytest.fixture(scope="module")
def effects() -> xr.Dataset:
    return planted(mechanism(), mechanism())


def sentence(effects: xr.Dataset, **given: object) -> str:
    return agreement_sentence(compare(effects, references=References(**given), resamples=50, permutations=50))


def test_a_control_without_a_map_is_no_floor_that_was_passed(effects: xr.Dataset) -> None:
    text = sentence(effects, floors={"a control corruption": planted(NOTHING, NOTHING)})
    assert "agree" not in text.replace("not told as agreement", "")
    assert "a control corruption has no map to be compared with, and nothing else was that learnt nothing" in text
    assert "more than with one map shifted by" in text


def test_what_was_surpassed_is_named(effects: xr.Dataset) -> None:
    text = sentence(effects, floors={"facts that are not known": unlike(1), "a control": planted(NOTHING, NOTHING)})
    assert "and agree closely" in text
    assert "more than facts that are not known (" in text
    assert "a control: no map" in text
    twins = sentence(effects, twins=[planted(NOTHING, NOTHING, seed) for seed in range(3)])
    assert "and agree closely" in twins
    assert "more than 3 twins, of which none has a map" in twins
    like = sentence(effects, floors={"unknown": effects, "a control": unlike(2)})
    assert "it is not shown to be more than that of unknown" in like
