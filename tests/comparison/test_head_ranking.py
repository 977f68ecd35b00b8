"""Rankings of heads and how far two agree, worked out by hand."""

import numpy as np
import pytest
import xarray as xr

import spiritlens as sl


def measure(values):
    layers, heads = np.shape(values)
    return xr.DataArray(
        np.asarray(values, dtype=float), dims=("layer", "head"), coords={"layer": range(layers), "head": range(heads)}
    )


def test_ranking_orders_heads_and_skips_those_not_measured():
    table = sl.heads.rank(measure([[0.1, -3.0], [2.0, np.nan]]))
    assert table["name"].tolist() == ["L1H0", "L0H0", "L0H1"]
    assert table["rank"].tolist() == [1, 2, 3]
    assert sl.heads.rank(measure([[0.1, -3.0], [2.0, np.nan]]), top=1, by="magnitude")["name"].tolist() == ["L0H1"]


def test_overlap_of_a_measure_with_itself_and_with_its_opposite():
    values = measure(np.arange(8.0).reshape(2, 4))
    same, opposite = sl.heads.overlap(values, values, top=2), sl.heads.overlap(values, -values, top=2)
    assert (same["shared"], same["jaccard"]) == (2, 1.0)
    assert same["spearman"] == pytest.approx(1)
    assert same["p"] == pytest.approx(1 / 28)  # 1 / (8 over 2)
    assert same["chance"] == pytest.approx(0.5)
    assert (opposite["shared"], opposite["names"]) == (0, "")
    assert opposite["spearman"] == pytest.approx(-1)
    assert opposite["p"] == pytest.approx(1)


def test_overlap_beside_that_of_models_which_learnt_nothing():
    values = measure(np.arange(8.0).reshape(2, 4))
    half = measure([[7.0, 1, 2, 3], [4, 5, 6, 0]])  # of the first two heads one is shared
    found = sl.heads.overlap(values, values, top=2, twins=[(values, half), (values, -values), (half, half)])
    assert (found["shared"], found["twins"]) == (2, 3)
    assert found["shared_twins"] == pytest.approx((1 + 0 + 2) / 3)
    assert found["p_twins"] == pytest.approx(2 / 4)  # itself and the third
    correlations = [sl.heads.overlap(values, half)["spearman"], -1, 1]
    assert found["spearman_twins"] == pytest.approx(np.mean(correlations))
    assert found["spearman_p_twins"] == pytest.approx(2 / 4)
    alone = sl.heads.overlap(values, values, top=2)
    assert (alone["twins"], alone["p"]) == (0, found["p"])
    assert alone[["p_twins", "spearman_p_twins", "shared_twins", "spearman_twins"]].isna().all()


def test_random_models_share_heads_and_their_twins_tell_it():
    """Heads lead in both modalities for reasons of their own (which keys they have), whatever the model has learnt."""
    rng = np.random.default_rng(0)

    def model():
        heads = 2 * rng.normal(size=(6, 8))
        return tuple(measure(heads + rng.normal(size=(6, 8))) for _ in range(2))

    models = [model() for _ in range(20)]
    unrelated = [sl.heads.overlap(*one)["p"] for one in models]
    assert np.mean(np.array(unrelated) <= 0.05) > 0.9
    ordinary = sl.heads.overlap(*models[0], twins=models[1:])
    assert ordinary["p"] <= 0.05 < ordinary["p_twins"]
    learnt = measure(rng.normal(size=(6, 8)))
    assert sl.heads.overlap(learnt, learnt, twins=models[1:])["p_twins"] == 0.05


def test_comparison_lists_the_best_heads_of_either_side():
    first, second = measure([[3.0, 0.0], [1.0, 2.0]]), measure([[0.0, 9.0], [1.0, 2.0]])
    table = sl.heads.compare_rankings(first, second, ("T2T", "S2T"), top=1)
    assert table["name"].tolist() == ["L0H0", "L0H1"]
    assert table["rank S2T"].tolist() == [4, 1]
    assert table["value T2T"].tolist() == [3.0, 0.0]


def test_measures_must_have_the_axes_of_heads():
    with pytest.raises(ValueError, match="axes layer and head"):
        sl.heads.rank(xr.DataArray(np.zeros(3), dims="layer"))
    with pytest.raises(ValueError, match="all values are NaN"):
        sl.heads.rank(measure([[np.nan, np.nan]]))
    with pytest.raises(ValueError, match="share 1 heads"):
        sl.heads.overlap(measure([[1.0, np.nan]]), measure([[1.0, 2.0]]))
    one, larger = measure([[1.0, 2.0]]), measure([[1.0, 2.0, 3.0]])
    with pytest.raises(ValueError, match="a twin has 3 heads measured, the model 2: give twins of the same shape"):
        sl.heads.overlap(one, one, twins=[(larger, larger)])
