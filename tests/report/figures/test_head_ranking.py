"""The largest heads stand first, with the means of the map and intervals that hold for all heads at once."""

import numpy as np
import pytest
import xarray as xr

import spiritlens as sl
from spiritlens.effects.sign_flips import simultaneous_interval
from spiritlens.report.figures.head_map import head_map
from spiritlens.report.figures.head_ranking import head_ranking


def test_heads_are_ranked_by_the_larger_size_in_either_modality(heads: xr.Dataset) -> None:
    figure = head_ranking(heads, "subject", top=4, component="mlp_out")
    assert figure.layout.yaxis.ticktext[:2] in [("L2H0", "L4H0"), ("L4H0", "L2H0")]
    found = {trace.name: trace for trace in figure.data}
    grids = [trace.z for trace in head_map(heads, "subject", "mlp_out").data if trace.type == "heatmap"]
    for name, grid in zip(("T2T, written", "S2T, spoken"), grids, strict=True):
        places = [label.removeprefix("L").split("H") for label in figure.layout.yaxis.ticktext]
        np.testing.assert_allclose(found[name].x, [grid[int(head)][int(layer)] for layer, head in places])
    sizes = np.max(np.abs([trace.x for trace in figure.data]), axis=0)
    assert (np.diff(sizes) <= 0).all()


def test_intervals_hold_for_all_heads_at_once(heads: xr.Dataset) -> None:
    figure = head_ranking(heads, "subject", top=1, component="mlp_out")
    average = sl.effects.average(heads).sel(component="mlp_out", metric="probability", role="subject")
    own = average["fact_mean"].isel(fact=average["fact_group"].values == 0).transpose("fact", "layer", "head").values
    subjects = average["fact_subject"].values[average["fact_group"].values == 0].tolist()
    low, high = simultaneous_interval(own.reshape(len(own), -1), subjects)
    label = figure.layout.yaxis.ticktext[0]
    place = int(label[1]) * 2 + int(label[3])
    trace = figure.data[0]
    assert trace.error_x.array[0] == pytest.approx((high - own.mean(axis=0).reshape(-1))[place])
    assert trace.error_x.arrayminus[0] == pytest.approx((own.mean(axis=0).reshape(-1) - low)[place])
    assert "hold for all at once" in figure.layout.title.text


def test_one_subject_has_no_bars(heads: xr.Dataset) -> None:
    figure = head_ranking(heads.isel(prompt=[0, 1]), "subject")
    assert all(trace.error_x.array is None for trace in figure.data)
    assert "no bars" in figure.layout.title.text
    assert "T2T n = 1 fact, S2T n = 1 fact" in figure.layout.title.text


def test_refusals(roles: xr.Dataset, heads: xr.Dataset) -> None:
    with pytest.raises(ValueError, match="no heads"):
        head_ranking(roles)
    with pytest.raises(ValueError, match="top=0: expected a whole number ≥ 1"):
        head_ranking(heads, top=0)
    with pytest.raises(ValueError, match="role='verb' was not traced"):
        head_ranking(heads, "verb")
