"""Faithfulness: curves and areas worked by hand, and intervals that hold the truth."""

import numpy as np
import pytest
import xarray as xr

import spiritlens as sl
from spiritlens.effects.faithfulness import DIRECTIONS, faithfulness, faithfulness_areas
from tests.made_interchange import CURVES, SIZES, made_interchange


def test_f_is_the_ratio_of_means_over_facts() -> None:
    found = faithfulness(made_interchange())
    for direction in DIRECTIONS:
        ranking = direction.split("→")[0]
        curves = found["f"].sel(direction=direction)
        np.testing.assert_allclose(curves.sel(ranking="ranked"), CURVES[ranking], atol=1e-12)
        np.testing.assert_allclose(curves.sel(ranking="reversed"), CURVES[f"{ranking} reversed"], atol=1e-12)
        np.testing.assert_allclose(curves.sel(ranking="random"), [0, 0.25, 1, 1], atol=1e-12)
    assert found["n_facts"].values.tolist() == [8] * 4
    assert found["why"].values.tolist() == [""] * 4
    uneven = made_interchange()
    uneven["kept"][0, 0, 1] += 9  # one written fact of 8, whose totals sum to 36
    assert float(faithfulness(uneven)["f"].sel(direction="T2T→T2T", ranking="ranked", size=1)) == pytest.approx(1.25)


def test_areas_are_trapezoids_over_the_share_of_parts() -> None:
    """Sizes 0, 1, 2, 4 of 4 parts stand at 0, 1/4, 1/2, 1."""
    areas = faithfulness_areas(made_interchange()).set_index(["direction", "ranking"])
    own = areas.loc["T2T→T2T", "ranked"]
    assert own["CPR"] == pytest.approx(1 / 8 + 1 / 4 + 1 / 2)
    assert own["CMD"] == pytest.approx(1 / 8)
    assert (own["k*"], own["f(k*)"]) == (1, pytest.approx(1))
    cross = areas.loc["S2T→T2T", "ranked"]
    assert cross["CPR"] == pytest.approx(1 / 16 + 3 / 16 + 1 / 2)
    assert cross["CPR below own"] == pytest.approx(1 / 8)
    assert cross["f(k*)"] == pytest.approx(0.5)
    assert cross["f(k*) below own"] == pytest.approx(0.5)
    random = areas.loc["T2T→T2T", "random"]
    assert random["CPR"] == pytest.approx((0 + 1 / 16 + 3 / 8 + 1 / 16 + 1 / 4 + 5 / 8) / 2)
    assert random["CMD"] == pytest.approx((1 / 4 + 3 / 16 + 1 / 8 + 3 / 16 + 1 / 8 + 1 / 8) / 2)
    assert own["CMD below random"] == pytest.approx(random["CMD"] - own["CMD"])
    assert cross["CMD above own"] == pytest.approx(cross["CMD"] - own["CMD"])
    assert own["CPR above random"] == pytest.approx(own["CPR"] - random["CPR"])
    assert areas.loc["T2T→S2T", "ranked"]["k*"] == 2  # as speech's own ranking, which reaches 0.5 with one
    assert np.isnan(areas.loc["T2T→T2T", "ranked"]["CPR below own"])
    assert np.isnan(areas.loc["T2T→T2T", "reversed"]["CPR above random"])


def test_phrasings_of_a_fact_are_one_fact() -> None:
    made = made_interchange()
    doubled = xr.concat([made, made.isel(prompt=[0])], "prompt", data_vars="minimal", coords="minimal", compat="equals")
    doubled = doubled.assign_coords(prompt=np.arange(doubled.sizes["prompt"]))
    columns = [name for name in faithfulness_areas(made).columns if name not in ("direction", "ranking", "why")]
    np.testing.assert_allclose(faithfulness_areas(doubled)[columns], faithfulness_areas(made)[columns], atol=1e-12)


def test_a_metric_that_falls_with_recall_gives_the_same() -> None:
    made = made_interchange()
    turned = made.assign({name: -made[name] for name in ("kept", "clean", "empty")}).assign_attrs(metric_sign=-1)
    np.testing.assert_allclose(faithfulness(turned)["f"], faithfulness(made)["f"], atol=1e-12)


def test_no_faithfulness_without_recall() -> None:
    for made in (
        made_interchange(totals=(-1, -2, -1, -3, -1, -1)),
        made_interchange(totals=(5, -4, 3, -3, 2, -1)),  # a mean above 0 whose interval is not
        made_interchange(floor=1.0),
    ):
        found = faithfulness(made)
        assert np.isnan(found["f"]).all()
        assert set(found["why"].values) == {"no recall to keep"}
        areas = faithfulness_areas(made)
        assert areas["CPR"].isna().all()
        assert set(areas["why"]) == {"no recall to keep"}


def test_few_facts_have_no_interval() -> None:
    found = faithfulness(made_interchange(totals=(1, 2, 3, 4, 5), noise=0.3))
    assert np.isnan(found["low"]).all()
    assert not np.isnan(found["f"]).any()


def test_intervals_hold_the_truth() -> None:
    """Of 30 studies of 16 facts, 25 at least (at 95 %, fewer come once in 300). f is a ratio of means, so d varies."""
    truth = faithfulness_areas(made_interchange()).set_index(["direction", "ranking"]).loc["S2T→T2T", "ranked"]
    held = dict.fromkeys(("CPR", "CMD", "f(k*)"), 0)
    for seed in range(30):
        totals = np.random.default_rng([seed, 1]).lognormal(0, 0.5, 16)
        made = made_interchange(totals=tuple(totals), noise=0.4, seed=seed)
        row = faithfulness_areas(made).set_index(["direction", "ranking"]).loc["S2T→T2T", "ranked"]
        for name in held:
            held[name] += row[f"{name} low"] <= truth[name] <= row[f"{name} high"]
    assert min(held.values()) >= 25, held


def test_other_datasets_are_refused_and_curves_are_saved(tmp_path) -> None:
    curves = faithfulness(made_interchange())
    xr.testing.assert_identical(sl.effects.load(sl.effects.save(curves, tmp_path / "f.nc")), curves)
    for read in (faithfulness, faithfulness_areas):
        with pytest.raises(ValueError, match=r"interchanged has the schema 'spiritlens\.faithfulness/1', expected"):
            read(curves)
        with pytest.raises(ValueError, match="confidence=1"):
            read(made_interchange(), confidence=1)
        with pytest.raises(ValueError, match="interchanged holds no S2T prompt"):
            read(made_interchange().isel(prompt=[0, 2, 4]))
    assert curves["size"].values.tolist() == list(SIZES)
