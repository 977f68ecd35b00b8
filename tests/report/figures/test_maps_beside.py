"""Maps of groups beside each other: each column its group's averages, one scale, empty groups told."""

import numpy as np
import plotly.graph_objects as go
import pytest
import xarray as xr

import spiritlens as sl
from spiritlens.report.figures.maps_beside import maps_beside


def maps(figure: go.Figure) -> list[go.Heatmap]:
    return [trace for trace in figure.data if trace.type == "heatmap"]


@pytest.fixture(scope="module")
def groups(roles: xr.Dataset) -> dict[str, xr.Dataset | None]:
    """Six facts in both modalities; six others in writing only; nothing; all facts at half their effect."""
    facts = list(dict.fromkeys(roles["fact_id"].values.tolist()))
    first = roles.isel(prompt=roles["fact_id"].isin(facts[:6]).values)
    written = ~roles["fact_id"].isin(facts[:6]).values & (roles["modality"].values == "T2T")
    halved = roles.assign(restored=(roles["restored"] + roles["corrupted"]) / 2)
    halved["restored"] = halved["restored"].transpose(*roles["restored"].dims)
    return {
        "both": sl.effects.average(first),
        "text only": sl.effects.average(roles.isel(prompt=written)),
        "speech only": None,
        "<half>": sl.effects.average(halved),
    }


def columns_of(figure: go.Figure) -> dict[str, list[go.Heatmap]]:
    """Maps by the column that they stand in, found by where their axis begins."""
    starts = sorted({axis.domain[0] for axis in figure.select_xaxes()})
    names = ("both", "text only", "speech only", "<half>")
    found: dict[str, list[go.Heatmap]] = {name: [] for name in names}
    for trace in maps(figure):
        axis = figure.layout[trace.xaxis.replace("x", "xaxis")]
        found[names[starts.index(axis.domain[0])]].append(trace)
    return found


def test_each_column_holds_the_averages_of_its_group(groups: dict[str, xr.Dataset | None]) -> None:
    figure = maps_beside(groups)
    for name, drawn in columns_of(figure).items():
        means = groups[name]
        if means is None:
            assert drawn == []
            continue
        expected = [
            means["mean"].sel(component=component, metric="probability").isel(group=group)
            for component in ("resid_pre", "mlp_out")
            for group in range(means.sizes["group"])
        ]
        assert len(drawn) == len(expected)
        for trace, own in zip(drawn, expected, strict=True):
            np.testing.assert_array_equal(trace.z, own.transpose("role", "layer").values)
    titles = [annotation.text for annotation in figure.layout.annotations]
    assert titles[:4] == [
        "<b>both</b><br>n = 6",
        "<b>text only</b><br>n = 6",
        "<b>speech only</b><br>not traced",
        "<b>&lt;half&gt;</b><br>n = 12",
    ]
    assert titles[4:8] == ["n = 6", "not traced", "not traced", "n = 12"]
    sides = [axis.title.text for axis in figure.select_yaxes(col=1)]
    assert sides == ["T2T · resid_pre", "S2T · resid_pre", "T2T · mlp_out", "S2T · mlp_out"]


def test_all_columns_share_one_scale(groups: dict[str, xr.Dataset | None]) -> None:
    figure = maps_beside(groups)
    assert {trace.coloraxis for trace in maps(figure)} == {"coloraxis"}
    largest = max(np.nanmax(np.abs(trace.z)) for trace in maps(figure))
    totals = [one["total_effect"].sel(metric="probability").values.max() for one in groups.values() if one is not None]
    assert figure.layout.coloraxis.cmax == pytest.approx(max(largest, *totals))
    half = maps_beside({"one": groups["<half>"]}, "mlp_out")
    assert len(maps(half)) == 2


def test_stacked_maps_tell_what_each_is_and_leave_out_the_empty(groups: dict[str, xr.Dataset | None]) -> None:
    figure = maps_beside(groups, "mlp_out", arrangement="stacked")
    assert [annotation.text for annotation in figure.layout.annotations] == [
        "<b>both</b> · n = 6<br>T2T · mlp_out",
        "<b>text only</b> · n = 6<br>T2T · mlp_out",
        "<b>&lt;half&gt;</b> · n = 12<br>T2T · mlp_out",
        "<b>both</b> · n = 6<br>S2T · mlp_out",
        "<b>&lt;half&gt;</b> · n = 12<br>S2T · mlp_out",
    ]
    assert len({axis.domain for axis in figure.select_xaxes()}) == 1


def test_groups_of_other_runs_are_refused(roles: xr.Dataset) -> None:
    fewer = sl.effects.average(roles.isel(layer=slice(0, 3)))
    with pytest.raises(ValueError, match=r"groups 'a' and 'b' differ in layer .* are of one run"):
        maps_beside({"a": roles, "b": fewer})
    shares = sl.effects.average(roles, quantity="normalised")
    with pytest.raises(ValueError, match="groups 'a' and 'b' differ in quantity"):
        maps_beside({"a": roles, "b": shares})


def test_many_layers_have_few_ticks_in_a_column() -> None:
    from effects_synthetic import role_effects

    deep = role_effects(n_facts=6, n_layers=32, components=("resid_pre",))
    figure = maps_beside({"a": deep, "b": deep})
    assert all(len(axis.tickvals) <= 6 for axis in figure.select_xaxes())
    assert figure.layout.xaxis.tickvals[-1] == 31
