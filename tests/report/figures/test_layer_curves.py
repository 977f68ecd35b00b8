"""Curves show the averages with their bands; points and counts show every fact."""

import numpy as np
import pytest
import xarray as xr

import spiritlens as sl
from spiritlens.report.figures.layer_curves import layer_curves
from spiritlens.report.figures.peak_layers import peak_layers
from spiritlens.report.figures.total_effects import total_effects


def test_curves_and_bands_are_the_averages(roles: xr.Dataset) -> None:
    figure = layer_curves(roles, roles=("subject",), component="resid_pre")
    average = sl.effects.average(roles).sel(metric="probability", component="resid_pre", role="subject")
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    bands = [trace for trace in figure.data if trace.fill == "toself"]
    assert [line.name for line in lines] == ["T2T, written", "S2T, spoken"]
    for group, (line, band) in enumerate(zip(lines, bands, strict=True)):
        np.testing.assert_array_equal(line.y, average["mean"].isel(group=group).values)
        expected = [*average["high"].isel(group=group).values, *average["low"].isel(group=group).values[::-1]]
        np.testing.assert_array_equal(band.y, expected)


def test_modalities_differ_in_more_than_colour(roles: xr.Dataset) -> None:
    lines = [trace for trace in layer_curves(roles).data if trace.mode == "lines+markers"][:2]
    assert lines[0].line.dash != lines[1].line.dash
    assert lines[0].marker.symbol != lines[1].marker.symbol


def test_a_role_that_a_modality_lacks_has_no_curve(roles: xr.Dataset) -> None:
    figure = layer_curves(roles, roles=("final marker",), component="resid_pre")
    assert [trace.legendgroup for trace in figure.data] == ["S2T", "S2T"]
    with pytest.raises(ValueError, match="none was traced"):
        layer_curves(roles, roles=("verb",))


def test_named_spans_are_all_drawn_by_default(roles: xr.Dataset) -> None:
    renamed = roles.assign_coords(role=[f"span {place}" for place in range(7)]).isel(component=[0])
    titles = [annotation.text for annotation in layer_curves(renamed).layout.annotations]
    assert titles == [f"resid_pre · span {place}" for place in range(7)]


def test_total_effects_show_each_fact_and_the_mean(roles: xr.Dataset) -> None:
    figure = total_effects(roles)
    average = sl.effects.average_total(roles).sel(metric="probability")
    assert [len(trace.x) for trace in figure.data] == [12, 1, 12, 1]
    assert figure.data[1].y[0] == pytest.approx(float(average["mean"][0]))
    assert figure.data[1].error_y.array[0] == pytest.approx(float(average["high"][0] - average["mean"][0]))
    assert figure.layout.xaxis.ticktext == ("T2T<br>n = 12 facts", "S2T<br>n = 12 facts")


def test_peak_counts_find_the_planted_layers(roles: xr.Dataset) -> None:
    figure = peak_layers(roles)
    text, speech = figure.data
    assert int(np.argmax(text.y)) == 2
    assert int(np.argmin(speech.y)) == 4
    assert sum(text.y) == -sum(speech.y) == 12
    assert speech.text[4].startswith("S2T, layer 4: ")
    assert (np.asarray(speech.y) <= 0).all()
    with pytest.raises(ValueError, match="role='verb' was not traced"):
        peak_layers(roles, role="verb")


def test_heads_are_refused(heads: xr.Dataset) -> None:
    for figure in (layer_curves, peak_layers):
        with pytest.raises(
            ValueError, match=r"has heads: draw it with head_map\(\.\.\.\), or choose one with effects\.isel"
        ):
            figure(heads)
    assert layer_curves(heads.isel(head=0)).data


def test_one_subject_has_no_bands_and_no_bars(roles: xr.Dataset) -> None:
    alone = roles.isel(prompt=[0, 1])
    figure = layer_curves(alone)
    assert not [trace for trace in figure.data if trace.fill == "toself"]
    assert "no band: fewer than 6 subjects" in figure.layout.title.text
    assert not [text for trace in figure.data for text in trace.text if "[" in text or "nan" in text]
    total = total_effects(alone)
    assert total.data[1].error_y.array is None
    assert "nan" not in total.data[1].hovertemplate
    assert "no bar: fewer than 6 subjects" in total.layout.title.text


def test_total_effects_of_a_falling_metric_are_named_with_their_sign(roles: xr.Dataset) -> None:
    ranks = roles.assign_coords(metric=["rank", "logit"], metric_sign=("metric", [-1, 1]))
    figure = total_effects(ranks)
    assert figure.layout.yaxis.title.text == "total effect on the<br>rank of the answer"
    assert "(corrupted − clean)" in figure.layout.title.text
    assert "(clean − corrupted)" in total_effects(ranks, "logit").layout.title.text


def test_each_modality_is_named_once_wherever_it_comes_first(roles: xr.Dataset) -> None:
    figure = layer_curves(roles, roles=("final marker", "subject"))
    named = [trace.name for trace in figure.data if trace.name and trace.showlegend]
    assert sorted(named) == ["S2T, spoken", "T2T, written"]


def test_three_modalities_stack_below_the_line_and_fit(roles: xr.Dataset) -> None:
    text, speech = (roles.isel(prompt=roles["modality"].values == kind) for kind in ("T2T", "S2T"))
    mixed = speech.assign_coords(modality=("prompt", np.full(speech.sizes["prompt"], "mixed")))
    figure = peak_layers(xr.concat([speech, text, mixed], dim="prompt", data_vars="all"))
    sides = {trace.name.partition(",")[0]: np.asarray(trace.y) for trace in figure.data}
    assert (sides["T2T"] >= 0).all()
    assert (sides["S2T"] <= 0).all()
    assert figure.layout.yaxis.range[0] < (sides["S2T"] + sides["mixed"]).min()
