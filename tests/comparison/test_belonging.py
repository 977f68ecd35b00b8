"""A comparison is told from one of other effects, by its settings and by its numbers."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from effects_synthetic import role_effects, token_effects

from spiritlens.comparison.belonging import check_compared, other_effects
from spiritlens.comparison.compare import compare
from spiritlens.comparison.paired_effects import PairedEffects
from spiritlens.comparison.result import Comparison


@pytest.fixture(scope="module")
def effects() -> xr.Dataset:
    return role_effects(n_facts=7, phrasings=2)


@pytest.fixture(scope="module")
def comparison(effects: xr.Dataset) -> Comparison:
    return compare(effects, resamples=20, permutations=20)


def test_the_same_effects_belong(effects: xr.Dataset, comparison: Comparison) -> None:
    assert other_effects(comparison, PairedEffects(effects)) == ""
    rounded = effects.assign(restored=effects["restored"].astype(np.float32))
    assert other_effects(comparison, PairedEffects(rounded)) == ""
    check_compared(
        compare(effects, last="by role", metric="logit", resamples=20, permutations=20), PairedEffects(effects)
    )
    turned = compare(effects, kinds=("S2T", "T2T"), resamples=20, permutations=20)
    assert other_effects(turned, PairedEffects(effects)) == ""
    tokens = token_effects()
    assert other_effects(compare(tokens, resamples=20, permutations=20), PairedEffects(tokens)) == ""


OTHERS: dict[str, tuple[Callable[[xr.Dataset], xr.Dataset], str]] = {
    "facts": (lambda one: one.isel(prompt=slice(4, None)), "7 facts of 7 subjects were compared, and here 6 of 6"),
    "seed": (lambda one: role_effects(n_facts=7, phrasings=2, seed=1), "its total effects are others"),
    "one cell": (
        lambda one: one.assign(restored=one["restored"] + 0.01 * (one["layer"] == 3) * (one["modality"] == "S2T")),
        "the differences of its cells are others",
    ),
    "layers": (lambda one: one.isel(layer=slice(0, 5)), "its layers are others"),
    "components": (lambda one: one.isel(component=[1]), "its components are others"),
    "metric": (lambda one: one.isel(metric=[1]), "the probability was compared, which was not traced here"),
    "direction": (lambda one: one.assign_attrs(direction="noising"), "denoising was compared, and this is noising"),
    "writing": (lambda one: one.isel(prompt=one["modality"].values == "T2T"), "no S2T prompt was traced here"),
    "heads": (lambda one: one.expand_dims("head"), "whole layers were compared"),
    "unknown": (lambda one: one.assign_coords(known=0 * one["known"]), "no fact is known in both"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_effects_are_told_in_a_sentence(name: str, effects: xr.Dataset, comparison: Comparison) -> None:
    change, why = OTHERS[name]
    other = change(effects)
    assert why in other_effects(comparison, PairedEffects(other))
    with pytest.raises(ValueError, match=r"the comparison is of other effects \(.*\): pass sl\.compare\(effects\)"):
        check_compared(comparison, PairedEffects(other))


def test_a_changed_total_does_not_belong(effects: xr.Dataset, comparison: Comparison) -> None:
    changed = replace(comparison, total=(comparison.total[0], replace(comparison.total[1], value=0.5)))
    assert other_effects(changed, PairedEffects(effects)) == "its total effects are others"
