"""The map of heads shows each modality's own read-out, on one scale."""

import numpy as np
import pytest
import xarray as xr

import spiritlens as sl
from spiritlens.report.figures.head_map import head_map


def test_read_out_is_the_final_marker_or_the_last_word(heads: xr.Dataset) -> None:
    figure = head_map(heads)
    text, speech = (trace.z for trace in figure.data if trace.type == "heatmap")
    average = sl.effects.average(heads)["mean"].sel(component="resid_pre", metric="probability")
    np.testing.assert_array_equal(text, average.isel(group=0).sel(role="last word").transpose("head", "layer").values)
    np.testing.assert_array_equal(
        speech, average.isel(group=1).sel(role="final marker").transpose("head", "layer").values
    )
    np.testing.assert_allclose(text[1], text[0] / 2)
    assert figure.layout.coloraxis.cmin == -figure.layout.coloraxis.cmax
    assert figure.layout.coloraxis.cmax == pytest.approx(np.nanmax(np.abs([text, speech])))


def test_hover_names_layer_head_role_and_n(heads: xr.Dataset) -> None:
    maps = [trace for trace in head_map(heads, role="subject").data if trace.type == "heatmap"]
    assert maps[0].text[1][3].startswith("layer 3, head 1, subject<br>mean 0.")
    assert maps[0].text[1][3].endswith("n = 12 facts")


def test_refusals(heads: xr.Dataset, roles: xr.Dataset) -> None:
    with pytest.raises(ValueError, match="this dataset has no heads"):
        head_map(roles)
    with pytest.raises(ValueError, match="role='verb' was not traced"):
        head_map(heads, role="verb")


def test_one_subject_has_no_interval_and_single_sites_are_named(heads: xr.Dataset) -> None:
    figure = head_map(heads.isel(prompt=[0, 1]), role="subject")
    text = next(trace for trace in figure.data if trace.type == "heatmap").text[1][3]
    assert "[" not in text
    assert "nan" not in text
    assert "roles restored together" in figure.layout.title.text


def test_by_default_the_read_out_or_else_the_first_row(heads: xr.Dataset) -> None:
    assert head_map(heads).layout.title.text.startswith("Heads at the read-out")
    nowhere = heads.assign_coords(role=[f"place {number}" for number in range(heads.sizes["role"])])
    assert head_map(nowhere).layout.title.text.startswith("Heads at the place ")
    with pytest.raises(ValueError, match="role='read-out' was not traced; choose from place"):
        head_map(nowhere, "read-out")
