"""The numbers of a figure are those that were drawn: values, intervals, names of rows, panels."""

import io
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
import xarray as xr

sys.path.append(str(Path(__file__).parents[1]))

from every_figure import DRAWN, figure_of, given

import spiritlens as sl
from spiritlens.report.paper.figure_numbers import COLUMNS, figure_numbers

NAMES = sorted(DRAWN)


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_gives_its_numbers_as_csv(name: str) -> None:
    frame = figure_numbers(figure_of(name))
    assert len(frame)
    again = pd.read_csv(io.StringIO(frame.to_csv(index=False)), keep_default_na=False, na_values=[""])
    assert again.columns.tolist() == frame.columns.tolist()
    if "accuracy" not in name:
        assert set(frame.columns) <= set(COLUMNS)
    for column in frame.select_dtypes("number"):
        np.testing.assert_allclose(again[column], frame[column])
    assert not frame.map(lambda cell: bool(re.search(r"</?(b|br|sup|i)>", str(cell)))).any(axis=None)


def test_a_map_by_role_has_every_cell() -> None:
    means = sl.effects.average(given()["averages"]).sel(metric="probability")
    frame = figure_numbers(figure_of("role_maps"))
    assert len(frame) == means["mean"].size
    for group, kind in enumerate(("T2T", "S2T")):
        for component in means["component"].values.tolist():
            panel = frame[frame["panel"] == f"{kind} · {component} · n = 12 facts"].set_index(["y", "x"])["value"]
            drawn = means["mean"].sel(component=component).isel(group=group)
            for role in drawn["role"].values.tolist():
                np.testing.assert_array_equal(panel.loc[role].values, drawn.sel(role=role).values)


def test_curves_have_the_interval_of_their_band() -> None:
    means = sl.effects.average(given()["averages"]).sel(metric="probability")
    frame = figure_numbers(figure_of("layer_curves"))
    for group, kind in enumerate(("T2T, written", "S2T, spoken")):
        curve = frame[(frame["panel"] == "mlp_out · subject") & (frame["series"] == kind)]
        own = means.sel(component="mlp_out", role="subject").isel(group=group)
        assert curve["x"].tolist() == own["layer"].values.tolist()
        for column, name in (("y", "mean"), ("low", "low"), ("high", "high")):
            np.testing.assert_array_equal(curve[column].values, own[name].values)


def test_points_and_bars_have_the_names_of_their_groups() -> None:
    totals = sl.effects.average_total(given()["averages"]).sel(metric="probability")
    frame = figure_numbers(figure_of("total_effects"))
    assert set(frame["x"]) == {"T2T · n = 12 facts", "S2T · n = 12 facts"}
    means = frame[frame["low"].notna()]
    np.testing.assert_allclose(
        means[["y", "low", "high"]].values.T, [totals[name].values for name in ("mean", "low", "high")]
    )
    assert len(frame) == 24 + 2
    counts = figure_numbers(figure_of("peak_layers"))
    assert counts.groupby("series")["y"].sum().to_dict() == {"T2T, written": 12, "S2T, spoken": 12}


def test_words_and_units_have_their_times() -> None:
    prompt = given()["prompt"]
    frame = figure_numbers(figure_of("speech"))
    units = frame[frame["panel"] == "units"]
    there = [place for place, start in enumerate(prompt.starts) if start == start]
    np.testing.assert_allclose(units["x"], [prompt.starts[place] for place in there])
    np.testing.assert_allclose(units["end"], [prompt.ends[place] for place in there])
    assert frame[frame["panel"] == "words"]["text"].str.partition(":")[0].tolist() == list(prompt.words)
    assert frame[frame["panel"] == "waveform"]["high"].max() == pytest.approx(0.4, abs=0.01)


def test_markup_of_labels_is_plain_text() -> None:
    marked = given()["averages"].copy()
    marked = marked.assign_coords(subject=("prompt", ["<b>Ü & ö</b>"] * marked.sizes["prompt"]))
    frame = figure_numbers(sl.figures.total_effects(marked))
    assert frame["text"].iloc[0].startswith("<b>Ü & ö</b> → ")


@pytest.mark.parametrize("value", [None, "map", [go.Figure()], xr.Dataset()])
def test_what_is_no_figure_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"expected a plotly figure, such as sl\.figures\.role_maps"):
        sl.tables.figure_numbers(value)


def test_a_figure_of_ones_own_and_an_empty_one() -> None:
    assert figure_numbers(go.Figure(go.Scatter(x=[1], y=[2.5]))).to_dict("list") == {"x": [1], "y": [2.5]}
    assert figure_numbers(go.Figure()).empty
