"""Each fact's map in one modality: rows, read-outs and facts, on datasets whose numbers are known."""

import numpy as np
import pytest
import xarray as xr

import spiritlens as sl
from spiritlens.comparison.modality_maps import modality_maps, paired_maps
from spiritlens.effects.role_effects import by_role
from spiritlens.effects.schema import Status
from spiritlens.terms import READOUT


@pytest.fixture(scope="module")
def effects() -> xr.Dataset:
    machine = sl.planted()
    prompts = [*machine.prompts[:7], *machine.prompts[12:18]]
    grid = sl.Grid(("resid_pre", "mlp_out"), at="role", window=2)
    return sl.causal_trace(machine.lens, prompts, grid, samples=2, progress="none")


def test_rows_hold_the_effects_by_role_of_each_fact(effects: xr.Dataset) -> None:
    spoken = effects.isel(prompt=slice(7, None))
    found, expected = modality_maps(effects, "S2T", "logit"), by_role(spoken).sel(metric="logit")
    assert found.facts == tuple(spoken["fact_id"].values)
    assert found.values.shape == (6, 2, 8, len(found.roles))
    for role in ("subject", "after subject", "last word"):
        if role in found.roles and role in expected["role"].values:
            column = found.values[..., found.roles.index(role)]
            np.testing.assert_array_equal(column, expected.sel(role=role).transpose("prompt", "component", "layer"))
    np.testing.assert_array_equal(
        found.curve("mlp_out", "subject"), expected.sel(component="mlp_out", role="subject").values
    )
    assert np.isnan(found.curve("mlp_out", "a role that is not there")).all()
    assert found.known.all()


def test_the_read_out_is_one_row_whatever_it_is(effects: xr.Dataset) -> None:
    """The final marker, and for prompts without one their last word, which then has no row of its own."""
    machine = sl.planted()
    for kind in ("T2T", "S2T"):
        maps = modality_maps(effects, kind, "probability")
        marker = by_role(effects.isel(prompt=effects["modality"].values == kind)).sel(metric="probability")
        readout = maps.values[..., maps.roles.index(READOUT)]
        np.testing.assert_array_equal(
            readout, marker.sel(role="final marker").transpose("prompt", "component", "layer")
        )
    removed = effects.copy(deep=True)
    at = removed["role"].values.tolist().index("final marker")
    removed["restored"][{"role": at, "prompt": 0}] = np.nan
    removed["status"][{"role": at, "prompt": 0}] = int(Status.ABSENT)
    maps = modality_maps(removed, "T2T", "probability")
    last = by_role(removed).sel(metric="probability", role="last word").transpose("prompt", "component", "layer")
    np.testing.assert_array_equal(maps.values[0, ..., maps.roles.index(READOUT)], last[0])
    assert np.isnan(maps.values[0, ..., maps.roles.index("last word")]).all()
    assert not np.isnan(maps.values[1, ..., maps.roles.index("last word")]).any()
    assert machine.prompts[0].fact_id == maps.facts[0]


def test_facts_that_one_map_lacks_are_not_there(effects: xr.Dataset) -> None:
    """Seven facts in writing, six of them in speech: by fact, whatever their order."""
    written, spoken = (modality_maps(effects, kind, "probability") for kind in ("T2T", "S2T"))
    turned = modality_maps(effects.isel(prompt=slice(None, None, -1)), "S2T", "probability")
    for other in (spoken, turned):
        maps = paired_maps(written, other, "resid_pre")
        assert maps is not None
        assert maps.first.shape == maps.second.shape == (7, maps.first.shape[1])
        np.testing.assert_array_equal(np.isnan(maps.second).all(axis=1), [False] * 6 + [True])
        assert not np.isnan(maps.first).any()
    subject = spoken.roles.index("subject")
    ran = np.logical_or(written.ran[0], spoken.ran[0])
    assert not ran[:, spoken.roles.index("bos")].any()  # before the corruption nothing is run
    assert ran[:, subject].any()
    assert maps.first.shape[1] == int(ran.sum())


def test_what_is_not_there_is_refused_or_none(effects: xr.Dataset) -> None:
    maps = modality_maps(effects, "T2T", "probability")
    assert paired_maps(maps, modality_maps(effects.sel(component=["mlp_out"]), "S2T", "logit"), "resid_pre") is None
    with pytest.raises(ValueError, match="no mixed prompt"):
        modality_maps(effects, "mixed", "probability")
