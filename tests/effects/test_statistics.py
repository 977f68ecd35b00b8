"""Signs, order of averaging and weights, worked out by hand; refusals one by one."""

import numpy as np
import pytest
import xarray as xr
from effects_synthetic import prompt_columns, role_effects

from spiritlens.effects.schema import ROLES, Status, new_effects
from spiritlens.effects.statistics import (
    average_effects,
    average_total_effects,
    centre_of_mass,
    fact_means,
    indirect_effect,
    normalised_indirect_effect,
    normalised_total_effect,
    peak_layer,
    small_total_effects,
    total_effect,
)
from spiritlens.effects.statistics import (
    role_effects as by_role,
)


def one_cell(direction: str = "denoising", clean: float = 0.9, **prompts: list[object]) -> xr.Dataset:
    """One prompt, one cell, two samples: probability (sign +1) and rank (sign −1)."""
    rows = prompt_columns([(0, "T2T", 0)])
    return new_effects(
        clean=[[clean, 1.0]],
        corrupted=[[[0.1, 9.0], [0.3, 5.0]]],
        restored=np.array([[0.5, 3.0], [0.7, 1.0]]).reshape(1, 1, 1, 1, 2, 2),
        status=np.zeros((1, 1, 1, 1)),
        noise_floor=[[0.0, 0.0]],
        components=["resid_pre"],
        layers=[0],
        metrics={"probability": 1, "rank": -1},
        prompts={**rows, **prompts},
        sites={"role": ["subject"], "n_tokens": [[1]]},
        at="role",
        direction=direction,  # type: ignore[arg-type]
    )


def test_signs_by_hand() -> None:
    effects = one_cell()
    np.testing.assert_allclose(total_effect(effects).values, [[0.7, 6.0]])
    np.testing.assert_allclose(indirect_effect(effects).values.reshape(-1), [0.4, 5.0])
    np.testing.assert_allclose(normalised_indirect_effect(effects).values.reshape(-1), [0.4 / 0.7, 5 / 6])
    np.testing.assert_allclose(normalised_total_effect(effects).values, [[0.7 / 0.9]])


def test_noising_is_the_loss_against_the_clean_run() -> None:
    np.testing.assert_allclose(indirect_effect(one_cell("noising")).values.reshape(-1), [0.3, 1.0])


def test_small_total_effects_are_nan_and_counted() -> None:
    effects = one_cell(clean=0.22)
    normalised = normalised_indirect_effect(effects)
    assert np.isnan(normalised.sel(metric="probability")).all()
    assert normalised.sel(metric="rank").item() == pytest.approx(5 / 6)
    assert normalised.attrs["n_small"] == 1
    assert small_total_effects(effects).values.tolist() == [1, 0]
    assert not np.isnan(normalised_indirect_effect(effects, threshold=0.01)).any()
    with pytest.raises(ValueError, match="must be positive"):
        normalised_indirect_effect(effects, threshold=0.0)


def test_normalised_total_effect_is_for_probabilities_only() -> None:
    with pytest.raises(ValueError, match="for probabilities only"):
        normalised_total_effect(one_cell().sel(metric=["rank"]))


def test_token_map_becomes_role_means(tokens: xr.Dataset) -> None:
    effect, mean = indirect_effect(tokens), by_role(tokens)
    prompt = 1
    places = np.nonzero(tokens["role"].values[prompt] == "subject")[0]
    expected = effect.isel(prompt=prompt, pos=places).mean("pos")
    xr.testing.assert_allclose(mean.isel(prompt=prompt).sel(role="subject", drop=True), expected, check_dim_order=False)
    assert np.isnan(mean.sel(role="final marker").isel(prompt=0)).all()
    assert mean.sel(role="before subject").values == pytest.approx(0.0)
    assert mean["role"].values.tolist() == [role for role in ROLES if role != "after subject"]


def test_parts_split_the_subject(tokens: xr.Dataset) -> None:
    parts = by_role(tokens, split="part")
    assert parts["role"].values.tolist()[3:6] == ["subject first", "subject middle", "subject last"]
    last = parts.sel(role="subject last")
    assert float(last.max()) > 0.6 > 0 > float(parts.sel(role="subject first").min())


def test_part_of_a_role_map_is_refused(roles: xr.Dataset) -> None:
    with pytest.raises(ValueError, match="trace with at='token'"):
        by_role(roles, split="part")


def test_role_means_of_screened_cells_are_refused(tokens: xr.Dataset) -> None:
    status, restored = tokens["status"].copy(deep=True), tokens["restored"].copy(deep=True)
    status[0, 0, 0, 5], restored[0, 0, 0, 5] = Status.SCREENED, np.nan
    with pytest.raises(ValueError, match="screened out"):
        by_role(tokens.assign(status=status, restored=restored))


def test_screened_roles_are_averaged_only_where_all_prompts_kept_the_same(roles: xr.Dataset) -> None:
    place = {"component": 0, "layer": 1, "role": ROLES.index("subject")}
    for prompts, refused in ((slice(None), False), (slice(0, 3), True)):
        status, restored = roles["status"].copy(deep=True), roles["restored"].copy(deep=True)
        status[{"prompt": prompts, **place}], restored[{"prompt": prompts, **place}] = Status.SCREENED, np.nan
        screened = roles.assign(status=status, restored=restored)
        if refused:
            with pytest.raises(ValueError, match="a mean would mix different cells"):
                average_effects(screened)
        else:
            assert average_effects(screened)["n_facts"].isel(place).max() == 0


def test_heads_are_averaged_each_for_itself(tokens: xr.Dataset) -> None:
    cell = ("prompt", "component", "layer", "pos", "head")
    doubled = xr.concat([tokens["restored"], 2 * tokens["restored"] - tokens["corrupted"]], dim="head")
    heads = tokens.drop_vars(["restored", "status"]).assign(
        restored=doubled.transpose(*cell, "sample", "metric"),
        status=tokens["status"].expand_dims(head=2).transpose(*cell),
    )
    mean = average_effects(heads.assign_coords(head=[0, 1]))["mean"]
    xr.testing.assert_allclose(mean.sel(head=1, drop=True), 2 * average_effects(tokens)["mean"])


def test_facts_weigh_equally_whatever_their_number_of_prompts() -> None:
    effects = role_effects(n_facts=3, noise=0.0)
    once = average_effects(effects)
    doubled = xr.concat([effects, effects.isel(prompt=[0, 0, 0])], dim="prompt")
    xr.testing.assert_allclose(average_effects(doubled), once)


def test_phrasings_are_averaged_before_facts() -> None:
    effects = role_effects(n_facts=4, phrasings=3)
    average = average_effects(effects)
    assert average["n_facts"].sel(role="subject").values.max() == 4
    single = fact_means(by_role(effects), by=("modality",))
    assert single.sizes["fact"] == 8


def test_average_recovers_the_planted_map_and_its_counts() -> None:
    effects = role_effects(n_facts=24, noise=0.01, samples=3)
    average = average_effects(effects, quantity="normalised")
    subject = average.sel(role="subject", component="resid_pre", metric="probability").isel(group=0)
    assert peak_layer(subject["mean"]).item() == 2
    assert subject["mean"].max().item() == pytest.approx(0.9, abs=0.05)
    assert (subject["low"] <= subject["mean"]).all() & (subject["mean"] <= subject["high"]).all()
    assert average["modality"].values.tolist() == ["T2T", "S2T"]
    markers = average.sel(role="final marker")
    assert (markers["n_facts"].isel(group=0) == 0).all() & markers["mean"].isel(group=0).isnull().all()


def test_total_effects_by_modality() -> None:
    average = average_total_effects(role_effects(n_facts=12))
    assert average["mean"].dims == ("group", "metric")
    assert average["mean"].sel(metric="probability").values == pytest.approx([0.77, 0.77], abs=0.05)


def test_unknown_facts_are_left_out_by_default() -> None:
    effects = role_effects(n_facts=4)
    known = effects["known"].copy(data=np.array([1, 1, 0, 0, 1, 1, 1, 1], dtype=np.int8))
    effects = effects.assign_coords(known=known)
    assert average_effects(effects)["n_facts"].max() == 3
    assert average_effects(effects, facts="all")["n_facts"].max() == 4
    with pytest.raises(ValueError, match="no known fact is left"):
        average_effects(effects.assign_coords(known=known * 0))


def test_grouping_by_another_coordinate() -> None:
    average = average_effects(role_effects(n_facts=6), by=("modality", "relation"))
    assert sorted(zip(average["modality"].values, average["relation"].values, strict=True)) == [
        ("S2T", "capital"),
        ("S2T", "city"),
        ("T2T", "capital"),
        ("T2T", "city"),
    ]
    with pytest.raises(ValueError, match="is no prompt coordinate"):
        average_effects(role_effects(n_facts=2), by=("speaker",))


def test_peak_and_centre_of_mass_by_hand() -> None:
    values = xr.DataArray([[0.0, 1.0, 3.0], [-1.0, -2.0, -3.0], [np.nan] * 3], dims=("row", "layer"))
    values = values.assign_coords(layer=[0, 1, 2])
    np.testing.assert_array_equal(peak_layer(values), [2.0, np.nan, np.nan])
    np.testing.assert_allclose(centre_of_mass(values), [1.75, np.nan, np.nan])
