"""Curves show the averages with their bands; points and counts show every fact."""

import numpy as np
import pytest
import xarray as xr

from spiritlens.effects.statistics import average_effects, average_total_effects
from spiritlens.report.curves import layer_curves, peak_layers, total_effects


def test_curves_and_bands_are_the_averages(roles: xr.Dataset) -> None:
    figure = layer_curves(roles, roles=("subject",), component="resid_pre")
    average = average_effects(roles).sel(metric="probability", component="resid_pre", role="subject")
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    bands = [trace for trace in figure.data if trace.fill == "toself"]
    assert [line.name for line in lines] == ["T2T, told in writing", "S2T, told in speech"]
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
    average = average_total_effects(roles).sel(metric="probability")
    assert [len(trace.x) for trace in figure.data] == [12, 1, 12, 1]
    assert figure.data[1].y[0] == pytest.approx(float(average["mean"][0]))
    assert figure.data[1].error_y.array[0] == pytest.approx(float(average["high"][0] - average["mean"][0]))
    assert figure.layout.xaxis.ticktext == ("T2T<br>n = 12 facts", "S2T<br>n = 12 facts")


def test_peak_counts_find_the_planted_layers(roles: xr.Dataset) -> None:
    figure = peak_layers(roles)
    text, speech = figure.data
    assert int(np.argmax(text.customdata)) == 2
    assert int(np.argmax(speech.customdata)) == 4
    assert sum(text.customdata) == sum(speech.customdata) == 12
    assert (np.asarray(speech.y) <= 0).all()
    with pytest.raises(ValueError, match="role='verb' was not traced"):
        peak_layers(roles, role="verb")
