"""The marker's own effect: found where it is, nothing where the maps are the same, in words that fit."""

import numpy as np
import pytest
import xarray as xr
from effects_synthetic import role_effects

from spiritlens.studies.marker_effect import marker_effect


def written(seed: int, n_facts: int = 10) -> xr.Dataset:
    """Plain written prompts, read at their last word."""
    effects = role_effects(n_facts=n_facts, seed=seed)
    return effects.isel(prompt=effects["modality"].values == "T2T")


def with_marker(plain: xr.Dataset, more: float = 0.0) -> xr.Dataset:
    """The same facts read at a final marker; there the last layer's MLP carries `more` of the total effect."""
    marked = plain.copy(deep=True)
    at = {name: plain["role"].values.tolist().index(name) for name in ("last word", "final marker")}
    restored, status = marked["restored"].values, marked["status"].values
    for values in (restored, status):
        values[:, :, :, at["final marker"]] = values[:, :, :, at["last word"]]
    restored[:, :, :, at["last word"]] = marked["corrupted"].values[:, None, None]
    restored[:, 1, -1, at["final marker"]] += more * (marked["clean"].values[:, None] - marked["corrupted"].values)
    return marked


def test_what_the_marker_changes_is_told_with_its_sign_and_size() -> None:
    plain = written(0)
    found = marker_effect(with_marker(written(1), more=0.5), plain)
    told = found.different
    assert int(told.notnull().sum()) == 1
    cell = told.sel(component="mlp_out", layer=7, role="read-out")
    assert float(cell) == pytest.approx(0.5, abs=0.05)
    assert "it changes 1 of " in repr(found)
    assert "most of all mlp_out at the read-out, layer 7 (0.49 more with it)" in repr(found)
    assert "plain prompts beside speech would show this as a difference" in repr(found)
    less = marker_effect(plain=with_marker(written(1), more=0.5), marked=plain)
    assert float(less.different.sel(component="mlp_out", layer=7, role="read-out")) == pytest.approx(-0.5, abs=0.05)
    assert "less with it)" in repr(less)


def test_shares_are_those_of_each_fact_by_hand() -> None:
    plain, marked = written(0), with_marker(written(1), more=0.5)
    found = marker_effect(marked, plain).cells.sel(component="mlp_out", layer=7, role="read-out")["difference"]

    def shares(effects: xr.Dataset, role: str) -> np.ndarray:
        of = effects.sel(component="mlp_out", layer=7, role=role, metric="probability")
        total = of["clean"].values - of["corrupted"].values.mean(-1)
        return (of["restored"] - of["corrupted"]).values.mean(-1) / total

    by_hand = (shares(marked, "final marker") - shares(plain, "last word")).mean()
    assert float(found) == pytest.approx(by_hand, abs=1e-12)


def test_a_marker_that_changes_nothing_is_told_so() -> None:
    found = marker_effect(with_marker(written(1)), written(0))
    assert not found.different.notnull().any()
    assert f"in none of {found.n_tested} cells was it found to change the map by 0.05" in repr(found)
    assert found.n_tested > 10
    assert abs(found.total_difference.value) < 0.05


def test_rounding_is_no_difference_though_it_has_a_sign() -> None:
    plain = written(0)
    found = marker_effect(with_marker(plain, more=1e-3), plain)
    assert found.cells["p_value"].min() <= 0.05
    assert not found.different.notnull().any()


def test_too_few_subjects_are_told() -> None:
    found = marker_effect(with_marker(written(1, n_facts=5), more=0.5), written(0, n_facts=5))
    assert found.smallest_p == 1 / 16
    assert not found.different.notnull().any()
    assert repr(found).endswith("these are too few subjects to find the cells that it changes.")


def test_facts_are_those_known_both_ways() -> None:
    plain, marked = written(0), with_marker(written(1))
    plain["known"].values[0], marked["known"].values[1] = 0, 0
    assert marker_effect(marked, plain).n_facts == 8
    plain["known"].values[:] = 0
    assert marker_effect(marked, plain) is None
    assert marker_effect(marked.isel(prompt=slice(0, 3)), written(0).isel(prompt=slice(3, 6))) is None
