"""Averages over facts: order, weights and counts, worked out by hand; refusals one by one."""

import numpy as np
import pytest
import xarray as xr
from effects_synthetic import role_effects

import spiritlens as sl
from spiritlens.effects.schema import Status
from spiritlens.effects.statistics import fact_means, fact_names, peak_layer, subject_names
from spiritlens.terms import ROLES


def test_screened_roles_are_averaged_only_where_all_prompts_kept_the_same(roles: xr.Dataset) -> None:
    place = {"component": 0, "layer": 1, "role": ROLES.index("subject")}
    for prompts, refused in ((slice(None), False), (slice(0, 3), True)):
        status, restored = roles["status"].copy(deep=True), roles["restored"].copy(deep=True)
        status[{"prompt": prompts, **place}], restored[{"prompt": prompts, **place}] = Status.SCREENED, np.nan
        screened = roles.assign(status=status, restored=restored)
        if refused:
            with pytest.raises(ValueError, match="a mean would mix different cells"):
                sl.effects.average(screened)
        else:
            assert sl.effects.average(screened)["n_facts"].isel(place).max() == 0


def test_a_role_that_prompts_lack_is_not_counted_as_kept(roles: xr.Dataset) -> None:
    """The final marker: absent in writing, screened out in speech."""
    spoken, marker = np.flatnonzero(roles["modality"].values == "S2T"), ROLES.index("final marker")
    status, restored = roles["status"].copy(deep=True), roles["restored"].copy(deep=True)
    status.values[spoken, :, 1, marker], restored.values[spoken, :, 1, marker] = Status.SCREENED, np.nan
    counts = sl.effects.average(roles.assign(status=status, restored=restored))["n_facts"]
    assert counts.sel(role="final marker", layer=1).max() == 0
    assert counts.sel(role="final marker", layer=2).max() == 8


def test_a_cell_of_one_fact_has_a_mean_and_no_interval() -> None:
    effects = role_effects(n_facts=6)
    place = ROLES.index("after subject")
    lacking = np.flatnonzero((effects["modality"].values == "T2T") & (effects["fact_id"].values != "capital/0"))
    status, restored = effects["status"].copy(deep=True), effects["restored"].copy(deep=True)
    status.values[lacking, :, :, place], restored.values[lacking, :, :, place] = Status.ABSENT, np.nan
    average = sl.effects.average(effects.assign(status=status, restored=restored)).sel(role="after subject")
    written, spoken = average.isel(group=0), average.isel(group=1)
    assert (written["n_facts"] == 1).all() & written["mean"].notnull().all()
    assert written["low"].isnull().all() & written["high"].isnull().all()
    assert (spoken["low"] < spoken["high"]).all()


def test_heads_are_averaged_each_for_itself(tokens: xr.Dataset) -> None:
    cell = ("prompt", "component", "layer", "pos", "head")
    doubled = xr.concat([tokens["restored"], 2 * tokens["restored"] - tokens["corrupted"]], dim="head")
    heads = tokens.drop_vars(["restored", "status"]).assign(
        restored=doubled.transpose(*cell, "sample", "metric"),
        status=tokens["status"].expand_dims(head=2).transpose(*cell),
    )
    mean = sl.effects.average(heads.assign_coords(head=[0, 1]))["mean"]
    xr.testing.assert_allclose(mean.sel(head=1, drop=True), 2 * sl.effects.average(tokens)["mean"])


def test_facts_weigh_equally_whatever_their_number_of_prompts() -> None:
    effects = role_effects(n_facts=3, noise=0.0)
    once = sl.effects.average(effects)
    doubled = xr.concat([effects, effects.isel(prompt=[0, 0, 0])], dim="prompt")
    found = sl.effects.average(doubled)
    xr.testing.assert_allclose(found.drop_vars("n_cells"), once.drop_vars("n_cells"))
    assert int(found["n_cells"].sum()) == int(once["n_cells"].sum()) * 9 / 6


def test_phrasings_are_averaged_before_facts() -> None:
    effects = role_effects(n_facts=4, phrasings=3)
    average = sl.effects.average(effects)
    assert average["n_facts"].sel(role="subject").values.max() == 4
    single = fact_means(sl.effects.by_role(effects), by=("modality",))
    assert single.sizes["fact"] == 8


def test_average_recovers_the_planted_map_and_its_counts() -> None:
    effects = role_effects(n_facts=24, noise=0.01, samples=3)
    average = sl.effects.average(effects, quantity="normalised")
    subject = average.sel(role="subject", component="resid_pre", metric="probability").isel(group=0)
    assert peak_layer(subject["mean"]).item() == 2
    assert subject["mean"].max().item() == pytest.approx(0.9, abs=0.05)
    assert (subject["low"] <= subject["mean"]).all() & (subject["mean"] <= subject["high"]).all()
    assert average["modality"].values.tolist() == ["T2T", "S2T"]
    markers = average.sel(role="final marker")
    assert (markers["n_facts"].isel(group=0) == 0).all() & markers["mean"].isel(group=0).isnull().all()


def test_total_effects_by_modality() -> None:
    average = sl.effects.average_total(role_effects(n_facts=12))
    assert average["mean"].dims == ("group", "metric")
    assert average["mean"].sel(metric="probability").values == pytest.approx([0.77, 0.77], abs=0.05)


def test_unknown_facts_are_left_out_by_default() -> None:
    effects = role_effects(n_facts=4)
    known = effects["known"].copy(data=np.array([1, 1, 0, 0, 1, 1, 1, 1], dtype=np.int8))
    effects = effects.assign_coords(known=known)
    assert sl.effects.average(effects)["n_facts"].max() == 3
    assert sl.effects.average(effects, facts="all")["n_facts"].max() == 4
    with pytest.raises(ValueError, match="no known fact is left"):
        sl.effects.average(effects.assign_coords(known=known * 0))
    with pytest.raises(ValueError, match="facts='knwon': expected one of known, all"):
        sl.effects.average(effects, facts="knwon")  # type: ignore[arg-type]


def test_grouping_by_another_coordinate() -> None:
    average = sl.effects.average(role_effects(n_facts=6), by=("modality", "relation"))
    assert sorted(zip(average["modality"].values, average["relation"].values, strict=True)) == [
        ("S2T", "capital"),
        ("S2T", "city"),
        ("T2T", "capital"),
        ("T2T", "city"),
    ]
    with pytest.raises(ValueError, match="is no prompt coordinate"):
        sl.effects.average(role_effects(n_facts=2), by=("speaker",))


def test_peak_by_hand() -> None:
    values = xr.DataArray([[0.0, 1.0, 3.0], [-1.0, -2.0, -3.0], [np.nan] * 3], dims=("row", "layer"))
    values = values.assign_coords(layer=[0, 1, 2])
    np.testing.assert_array_equal(peak_layer(values), [2.0, np.nan, np.nan])


def test_facts_without_an_id_are_told_apart_by_their_words() -> None:
    effects = role_effects(n_facts=3)
    bare = effects.assign_coords(
        fact_id=("prompt", np.full(6, "")),
        subject=("prompt", ["France", "france", "Italy", "italy", "Norway", "norway"]),
    )
    assert len(set(fact_names(bare))) == 3
    assert fact_names(bare)[0] == fact_names(bare)[1] == "city/france → paris"
    assert fact_names(effects).tolist() == effects["fact_id"].values.tolist()
    assert set(subject_names(bare)) == {"france", "italy", "norway"}
    found, expected = (sl.effects.average(each)[["mean", "low", "high", "n_facts"]] for each in (bare, effects))
    xr.testing.assert_allclose(found, expected)
    assert fact_means(sl.effects.total(bare), by=()).sizes["fact"] == 3
