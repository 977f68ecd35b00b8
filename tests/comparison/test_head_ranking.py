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
