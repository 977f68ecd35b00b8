"""The crossing shows both curves of both modalities, and the layer at which the read-out takes over."""

import numpy as np
import plotly.graph_objects as go
import pytest
import xarray as xr

import spiritlens as sl
from spiritlens.comparison.map_statistics import handovers
from spiritlens.report.figures.crossing import crossing


def curves(figure: go.Figure) -> dict[str, go.Scatter]:
    return {trace.name: trace for trace in figure.data if trace.name}


def test_both_modalities_stand_in_one_panel_with_their_bands(roles: xr.Dataset) -> None:
    figure = crossing(roles, "mlp_out")
    found = curves(figure)
    assert list(found) == [
        "T2T, written: subject",
        "T2T, written: read-out",
        "S2T, spoken: subject",
        "S2T, spoken: read-out",
    ]
    means = sl.effects.average(roles)["mean"].sel(component="mlp_out", metric="probability")
    for name, group, role in (("T2T, written: read-out", 0, "last word"), ("S2T, spoken: read-out", 1, "final marker")):
        np.testing.assert_array_equal(found[name].y, means.isel(group=group).sel(role=role).values)
        assert role in found[name].text[0]
    assert sum(trace.fill == "toself" for trace in figure.data) == 4
    assert figure.layout.xaxis.range == (-0.5, 7.5)


def test_the_crossing_layer_is_marked_and_told(roles: xr.Dataset) -> None:
    figure = crossing(roles, "mlp_out")
    average = sl.effects.average(roles).sel(component="mlp_out", metric="probability")
    for group, (kind, role) in enumerate((("T2T", "last word"), ("S2T", "final marker"))):
        mean = average["mean"].isel(group=group)
        expected = handovers(mean.sel(role="subject").values[None], mean.sel(role=role).values[None], 0.08)[0]
        line = next(shape for shape in figure.layout.shapes if shape.name == f"crossing {kind}")
        assert line.x0 == line.x1 == pytest.approx(expected)
        assert f"{kind} crosses at layer {expected:.1f} (n = 12 facts)" in figure.layout.title.text


def test_what_does_not_cross_is_said(roles: xr.Dataset) -> None:
    early = crossing(roles.isel(layer=slice(0, 4)))
    assert not early.layout.shapes
    assert "T2T: the read-out does not take over (n = 12 facts)" in early.layout.title.text


def test_layers_that_are_a_subset_are_told_by_their_numbers(roles: xr.Dataset) -> None:
    layers = [0, 2, 4, 6, 7]
    figure = crossing(roles.isel(layer=layers))
    line = next(shape for shape in figure.layout.shapes if shape.name == "crossing T2T")
    assert 4 <= line.x0 <= 7


def test_refusals(roles: xr.Dataset, heads: xr.Dataset) -> None:
    with pytest.raises(ValueError, match="the crossing needs the subject and the last word or final marker"):
        crossing(roles.isel(role=[0, 2]))
    with pytest.raises(ValueError, match="has heads"):
        crossing(heads)
    with pytest.raises(ValueError, match="component='x' was not traced"):
        crossing(roles, "x")
