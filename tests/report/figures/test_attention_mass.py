"""Attention by layer: shares of the read-out's attention, which sum to 1, and the best head of each detector."""

import numpy as np
import plotly.graph_objects as go
import pytest
import xarray as xr

import spiritlens as sl
from spiritlens.report.figures.attention_mass import attention_mass


@pytest.fixture(scope="module")
def mass() -> xr.Dataset:
    machine = sl.planted()
    prompts = [*machine.prompts[:3], *machine.prompts[12:15]]
    return sl.heads.attention_mass(machine.lens, prompts, progress="none")


def maps(figure: go.Figure) -> list[go.Heatmap]:
    return [trace for trace in figure.data if trace.type == "heatmap"]


def test_shares_of_a_layer_sum_to_one(mass: xr.Dataset) -> None:
    figure = attention_mass(mass)
    for trace in maps(figure):
        np.testing.assert_allclose(np.nansum(np.asarray(trace.z, dtype=float), axis=0), 1, atol=1e-6)
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 1)


def test_the_planted_mover_is_seen_and_named(mass: xr.Dataset) -> None:
    figure = attention_mass(mass, over="largest")
    subject = list(figure.layout.yaxis.ticktext).index("subject")
    for trace in maps(figure):
        assert int(np.nanargmax(np.asarray(trace.z, dtype=float)[subject])) == 6
        assert "most by head 1" in trace.text[subject][6] or "most by head 2" in trace.text[subject][6]
    assert "the head of a layer that looks there most" in figure.layout.title.text


def test_a_query_can_be_chosen(mass: xr.Dataset) -> None:
    figure = attention_mass(mass, "subject")
    assert "Where the subject looks" in figure.layout.title.text
    assert "n = 3 facts<br>from the subject" in figure.layout.annotations[0].text


def test_detectors_show_the_largest_head() -> None:
    machine = sl.planted()
    scores = sl.heads.detectors(machine.lens, machine.prompts[:1], progress="none")
    figure = attention_mass(scores)
    assert figure.layout.yaxis.ticktext[0] == "previous_token"
    row = scores["score"].isel(prompt=0).sel(detector="previous_token").max("head").values
    np.testing.assert_allclose(np.asarray(maps(figure)[0].z, dtype=float)[0], row, rtol=1e-6)


def test_refusals(mass: xr.Dataset, roles: xr.Dataset) -> None:
    with pytest.raises(ValueError, match="query='verb' was not measured; choose from bos"):
        attention_mass(mass, "verb")
    with pytest.raises(ValueError, match="over='least': expected one of mean, largest"):
        attention_mass(mass, over="least")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="pass what attention_mass or detectors returns"):
        attention_mass(roles)
