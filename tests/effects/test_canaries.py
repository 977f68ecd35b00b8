"""The rule of the canary, worked by hand, and what is said on loading and comparing."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from spiritlens.comparison.compare import compare
from spiritlens.effects.canaries import canary, check_canary, limit_of
from spiritlens.effects.joining import join_effects
from spiritlens.effects.schema import CANARIES
from spiritlens.effects.store import load, save


def with_canary(effects: xr.Dataset, own: float, everywhere: float, dtype: str = "float64") -> xr.Dataset:
    shape = effects["clean"].shape
    values = {
        name: (("prompt", "metric"), np.full(shape, x)) for name, x in zip(CANARIES, (own, everywhere), strict=True)
    }
    return effects.assign(values).assign_attrs(dtype=dtype)


@pytest.mark.parametrize(
    ("dtype", "unit", "limit"),
    [
        ("float64", "probability", (8 + 4096) * 2.0**-52),
        ("float32", "probability", (8 + 4096) * 2.0**-23),
        ("bfloat16", "probability", 8 * 2.0**-7 + 4096 * 2.0**-23),
        ("bfloat16", "logits", 32 * (8 * 2.0**-7 + 4096 * 2.0**-23)),
        ("", "probability", (8 + 4096) * 2.0**-23),
    ],
)
def test_the_limit_by_hand(dtype: str, unit: str, limit: float) -> None:
    assert limit_of(dtype, unit) == pytest.approx(limit)


def test_deviations_on_either_side_of_the_limit(roles: xr.Dataset) -> None:
    assert not canary(with_canary(roles, 0, 9e-13)).failed
    found = canary(with_canary(roles, 1e-15, 1e-12))
    assert [(row.name, row.metric) for row in found.failed] == [("canary_all", "probability")]
    assert "put in everywhere, missed the donor's probability by 1e-12 (rounding: 9.1e-13, more than" in found.problem
    assert not canary(with_canary(roles, 1e-15, 1e-12, "float32")).failed


def test_ranks_are_stored_and_not_judged(roles: xr.Dataset) -> None:
    ranks = with_canary(roles, 3.0, 2.0).assign_coords(metric_unit=("metric", ["places", "places"]))
    assert not canary(ranks).rows


def test_files_of_earlier_versions_have_none_and_load(roles: xr.Dataset, tmp_path: Path) -> None:
    before = roles.drop_vars([*CANARIES])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = load(save(before, tmp_path / "before.nc"))
    assert not canary(again).rows
    assert CANARIES[0] not in again.variables
    check_canary(again)


def test_parts_with_and_without_a_canary_join(roles: xr.Dataset) -> None:
    first, second = roles.isel(prompt=[0]), with_canary(roles.isel(prompt=[1]), 1e-15, 1e-15)
    joined = join_effects([first.drop_vars([*CANARIES]), second.assign_attrs(first.attrs)])
    assert np.isnan(joined["canary_all"].values[0]).all()
    assert (joined["canary_all"].values[1] == 1e-15).all()


def test_a_failed_canary_is_told_on_loading_and_refused_by_compare(roles: xr.Dataset, tmp_path: Path) -> None:
    wrong = with_canary(roles, 0, 0.25)
    path = save(wrong, tmp_path / "wrong.nc")
    with pytest.warns(UserWarning, match=r"wrong\.nc: its canary fails: at prompt .* by 0\.25 \(rounding: "):
        load(path)
    with pytest.raises(ValueError, match=r"this result is not used: its canary fails: .*drop_vars\("):
        compare(wrong, resamples=10, permutations=10)
    compare(wrong.drop_vars([*CANARIES]), resamples=10, permutations=10)


def test_it_prints_itself(roles: xr.Dataset) -> None:
    assert str(canary(with_canary(roles, 1e-15, 2e-15))).startswith(
        "the base run's own values, put back, moved probability by 1e-15 (rounding: 9.1e-13); "
    )
