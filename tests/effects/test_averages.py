"""Averages keep what figures need, and the one door takes effects or averages."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from effects_synthetic import role_effects, token_effects

import spiritlens as sl
from spiritlens.effects.averages import averaged, averaged_total, cell_status, fact_groups, obstacle
from spiritlens.effects.schema import Status, window_of
from spiritlens.terms import ROLES


def test_averages_keep_settings_windows_and_what_was_averaged(roles: xr.Dataset) -> None:
    effects = roles.assign_attrs(window_layers='{"mlp_out": {"3": [2, 4]}}', seed=7)
    average = sl.effects.average(effects, quantity="normalised")
    assert window_of(average, "mlp_out", 3) == (2, 4)
    names = ("direction", "at", "window", "seed", "quantity", "facts", "split")
    assert [average.attrs[name] for name in names] == ["denoising", "role", 3, 7, "normalised", "known", "role"]


def test_facts_stand_beside_their_mean(roles: xr.Dataset) -> None:
    average = sl.effects.average(roles)
    kinds = fact_groups(average)
    for group, kind in enumerate(average["modality"].values):
        mean = average["fact_mean"].isel(fact=kinds == kind).mean("fact")
        np.testing.assert_allclose(mean.values, average["mean"].isel(group=group).values, atol=1e-12)
    assert average["fact_subject"].values[:2].tolist() == ["france", "france"]


def test_statuses_are_counted_within_groups_over_the_averaged_prompts() -> None:
    effects = role_effects(n_facts=3)
    known = np.array([1, 1, 1, 1, 0, 1])
    average = sl.effects.average(effects.assign_coords(known=("prompt", known)))
    counts = average["n_cells"].sel(component="mlp_out", layer=2, group=0)
    assert counts.sel(role="subject").values.tolist() == [2, 0, 0, 0]
    assert counts.sel(role="bos", status="exact") == counts.sel(role="final marker", status="absent") == 2
    status = cell_status(average.sel(metric="logit", component="mlp_out").isel(group=1))
    assert status[2].tolist() == [Status.EXACT if role in ("bos", "before subject") else 0 for role in ROLES]


def test_cells_of_several_tokens_are_counted_by_role() -> None:
    counts = sl.effects.average(token_effects(n_facts=2), by=())["n_cells"].isel(group=0, component=0, layer=0)
    assert counts.sel(role="subject", status="measured") == 2 * 2 * 3
    assert counts.sel(role="bos", status="exact") == 4


def test_the_door_leaves_averages_as_they_are(roles: xr.Dataset) -> None:
    average, totals = sl.effects.average(roles), sl.effects.average_total(roles, facts="all")
    assert averaged(average) is averaged(average, "indirect", "known") is average
    assert averaged_total(totals) is averaged_total(totals, "all") is totals
    xr.testing.assert_identical(averaged(roles), average)
    xr.testing.assert_identical(averaged_total(roles, "all"), totals)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda one: averaged(one, "normalised"), "averages of indirect effects, where normalised ones are drawn"),
        (lambda one: averaged(one, facts="all"), "facts='all': these averages are of known facts; leave it out"),
        (lambda one: averaged(one, facts="some"), "facts='some': expected one of known, all"),
        (lambda one: averaged(one, "x"), "quantity='x': expected one of indirect, normalised"),
        (lambda one: averaged_total(one), r"where total ones are drawn: pass the effects, or average_total\(effects\)"),
        (lambda one: averaged(one.drop_vars("fact_mean")), r"without the facts they are of: pass the effects"),
        (lambda one: averaged(one.drop_vars("modality")), r"have no modality: pass average\(effects, by="),
    ],
)
def test_averages_of_something_else_are_refused(roles: xr.Dataset, ask: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ask(sl.effects.average(roles))  # type: ignore[operator]


def test_an_obstacle_is_what_averaging_would_raise(roles: xr.Dataset) -> None:
    status, restored = roles["status"].copy(deep=True), roles["restored"].copy(deep=True)
    status[0, 0, 3, 3], restored[0, 0, 3, 3] = Status.SCREENED, np.nan
    unknown = roles.assign_coords(known=roles["known"] * 0)
    for effects in (roles.assign(status=status, restored=restored), unknown):
        with pytest.raises(ValueError) as raised:  # noqa: PT011  the text is compared below
            sl.effects.average(effects)
        assert str(raised.value) == obstacle(effects) != ""
    assert obstacle(unknown, "all") == obstacle(roles) == ""


def test_averages_are_read_back_and_drawn(roles: xr.Dataset, tmp_path: Path) -> None:
    found = sl.effects.load(sl.effects.save(sl.effects.average(roles), tmp_path / "average.nc"))
    assert sl.figures.role_maps(found).to_json() == sl.figures.role_maps(roles).to_json()
