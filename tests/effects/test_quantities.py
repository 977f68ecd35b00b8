"""Signs and units of effects, worked out by hand."""

import numpy as np
import pytest
import xarray as xr
from effects_synthetic import prompt_columns, role_effects
from made_datasets import made_effects

import spiritlens as sl
from spiritlens.effects.quantities import small_total_effects, smallest_total_effect


def one_cell(direction: str = "denoising", clean: float = 0.9, **prompts: list[object]) -> xr.Dataset:
    """One prompt, one cell, two samples: probability (sign +1) and rank (sign −1)."""
    rows = prompt_columns([(0, "T2T", 0)])
    return made_effects(
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
    np.testing.assert_allclose(sl.effects.total(effects).values, [[0.7, 6.0]])
    np.testing.assert_allclose(sl.effects.indirect(effects).values.reshape(-1), [0.4, 5.0])
    np.testing.assert_allclose(sl.effects.normalised_indirect(effects).values.reshape(-1), [0.4 / 0.7, 5 / 6])
    np.testing.assert_allclose(sl.effects.normalised_total(effects).values, [[0.7 / 0.9]])


def test_noising_is_the_loss_against_the_clean_run() -> None:
    np.testing.assert_allclose(sl.effects.indirect(one_cell("noising")).values.reshape(-1), [0.3, 1.0])


def test_small_total_effects_are_nan_and_counted() -> None:
    effects = one_cell(clean=0.22)
    normalised = sl.effects.normalised_indirect(effects)
    assert np.isnan(normalised.sel(metric="probability")).all()
    assert normalised.sel(metric="rank").item() == pytest.approx(5 / 6)
    assert normalised.attrs["n_small"] == 1
    assert small_total_effects(effects).values.tolist() == [1, 0]
    assert not np.isnan(sl.effects.normalised_indirect(effects, threshold=0.01)).any()
    assert normalised["threshold"].values.tolist() == [0.05, 1.0]
    assert sl.effects.normalised_indirect(effects, threshold=0.01).attrs["threshold"] == 0.01
    for threshold in (0.0, float("nan"), "0.05"):
        with pytest.raises(ValueError, match=r"threshold=.*: expected a number > 0"):
            sl.effects.normalised_indirect(effects, threshold=threshold)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="threshold="):
            small_total_effects(effects, threshold=threshold)  # type: ignore[arg-type]


def test_each_metric_has_a_threshold_in_its_own_unit() -> None:
    effects = one_cell()
    of_units = {"nats": 0.1, "logits": 0.2, "places": 1.0, "probability": 0.05, "bits": 0.05 * 0.7}  # TE is 0.7
    for unit, expected in of_units.items():
        told = effects.assign_coords(metric_unit=("metric", [unit, "places"]))
        assert smallest_total_effect(told, "probability") == pytest.approx(expected)
    nothing = effects.assign_coords(metric_unit=("metric", ["bits", "places"])).copy(deep=True)
    nothing["corrupted"].values[:] = nothing["clean"].values[:, None]
    assert smallest_total_effect(nothing, "probability") == 0.05


def test_normalised_total_effect_is_for_probabilities_only() -> None:
    with pytest.raises(ValueError, match="for probabilities only"):
        sl.effects.normalised_total(one_cell().sel(metric=["rank"]))


@pytest.mark.parametrize("direction", ["denoising", "noising"])
def test_effects_are_those_of_labelled_arithmetic(direction: str) -> None:
    """Values, axes and coordinates as xarray's own arithmetic gives them, whatever the order of axes."""
    effects = role_effects(n_facts=3, n_layers=2, samples=3)
    effects.attrs["direction"] = direction
    for given in (effects, effects.transpose(..., "prompt"), effects.isel(layer=0)):
        base = given["corrupted"] if direction == "denoising" else given["clean"]
        change = given["restored"] - base if direction == "denoising" else base - given["restored"]
        slowly = (change * given["metric_sign"]).mean("sample", skipna=False)
        slowly = slowly.transpose(*given["status"].dims, "metric")
        xr.testing.assert_allclose(sl.effects.indirect(given), slowly.drop_attrs(), rtol=1e-15)
        total = ((given["clean"] - given["corrupted"]) * given["metric_sign"]).mean("sample")
        xr.testing.assert_allclose(sl.effects.total(given), total.transpose(*given["clean"].dims), rtol=1e-15)
