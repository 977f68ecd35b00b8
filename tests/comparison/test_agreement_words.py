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
    assert "agree" not in text.replace("not called agreement", "")
    assert text.startswith("By role and layer, the two maps of resid_pre correlate at 1.00 [1.00, 1.00] (a control")
    assert text.endswith(
        ". This is not called agreement: maps of untrained models correlate too, and a control corruption leaves no "
        "effect to make a map of; compare untrained models of the same shape to tell: twins in "
        "sl.comparison.References or StudySettings."
    )
    assert text.count("not called agreement") == 1


def test_what_was_surpassed_is_named(effects: xr.Dataset) -> None:
    text = sentence(effects, floors={"facts that are not known": unlike(1), "a control": planted(NOTHING, NOTHING)})
    assert "and agree closely" in text
    assert "more than facts that are not known (" in text
    assert "a control: no map" in text
    twins = sentence(effects, twins=[planted(NOTHING, NOTHING, seed) for seed in range(3)])
    assert "and agree closely" in twins
    assert "more than 3 twins, none of which has a map;" in twins
    like = sentence(effects, floors={"unknown": effects, "a control": unlike(2)})
    assert "This is not called agreement: the correlation is not shown to be higher than that of unknown." in like


def test_each_reason_is_told_once_for_its_components() -> None:
    """The residual stream agrees to within some layers, the MLPs work at other layers in speech."""
    moved = mechanism()
    moved[1] = mechanism(subject=8.0)[1]
    text = sentence(planted(mechanism(), moved), floors={"a control": unlike(1)})
    assert "the two maps of resid_pre correlate at 1.00 [1.00, 1.00] and agree closely to within" in text
    assert text.count("is not called agreement") == 1
    assert "For mlp_out this is not called agreement: " in text
