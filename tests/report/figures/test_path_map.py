"""The map of paths: facts averaged, absent paths hatched, the largest senders kept."""

import numpy as np
import plotly.graph_objects as go
import pytest
import xarray as xr

from spiritlens.effects.schema import Status
from spiritlens.report.figures.path_map import node_name, path_map


def heatmaps(figure: go.Figure) -> list[go.Heatmap]:
    return [trace for trace in figure.data if trace.type == "heatmap"]


def test_changes_are_means_over_facts(paths: xr.Dataset) -> None:
    figure = path_map(paths)
    assert len(heatmaps(figure)) == 2
    assert figure.layout.yaxis.ticktext == ("L0H0", "L0H1", "L1H0", "L1H1")
    assert figure.layout.xaxis.ticktext == ("L1H0.v", "logits")
    expected = [[-0.05, -0.05], [-1.05, -1.05], [np.nan, -0.55], [np.nan, -1.55]]
    np.testing.assert_allclose(np.asarray(heatmaps(figure)[0].z, dtype=float), expected, atol=1e-12)


def test_paths_that_run_backwards_are_absent_and_grey(paths: xr.Dataset) -> None:
    figure = path_map(paths)
    told = heatmaps(figure)[0].text
    absent = [(x, y) for y, row in enumerate(told) for x, cell in enumerate(row) if "absent: no such place" in cell]
    assert absent == [(0, 2), (0, 3)]
    assert [trace.name for trace in figure.data if trace.showlegend] == ["absent, no such place"]


def test_changes_within_the_noise_floor_are_pale(paths: xr.Dataset) -> None:
    loud = path_map(paths.assign(noise_floor=paths["noise_floor"] + 2.0))
    assert loud.layout.coloraxis.cmax == pytest.approx(8.0)
    assert "within the noise floor, 2" in loud.layout.title.text
    assert "noise floor" not in path_map(paths).layout.title.text


def test_the_largest_senders_are_kept_in_order(paths: xr.Dataset) -> None:
    assert path_map(paths, top=2).layout.yaxis.ticktext == ("L0H1", "L1H1")


def test_title_names_what_was_held(paths: xr.Dataset) -> None:
    title = path_map(paths).layout.title.text
    for words in ("in the clean run", "held: heads+mlps", "norms recomputed", "patched at all"):
        assert words in title


def test_all_absent_is_refused(paths: xr.Dataset) -> None:
    empty = paths.assign(status=paths["status"] * 0 + Status.ABSENT, patched=paths["patched"] * np.nan)
    with pytest.raises(ValueError, match="every path is absent"):
        path_map(empty)


def test_names_of_nodes() -> None:
    assert node_name("mlp_out", 2, -1) == "MLP2"
    assert node_name("k_input", 3, 0) == "L3H0.k"
    assert node_name("embed", -1, -1) == "embed"


def test_estimates_are_named_in_the_subtitle(paths: xr.Dataset) -> None:
    assert "path patching · change of" in path_map(paths).layout.title.text
    assert "edge attribution · change of" in path_map(paths.assign_attrs(method="edge attribution")).layout.title.text
