"""Paths as dots: the largest of them, by sender in the order of the model, with their means."""

import numpy as np
import pytest
import xarray as xr

from spiritlens.report.figures.path_dots import path_dots


def test_rows_are_paths_by_sender(paths: xr.Dataset) -> None:
    figure = path_dots(paths)
    assert figure.layout.yaxis.ticktext == (
        "L0H0 → L1H0.v",
        "L0H0 → logits",
        "L0H1 → L1H0.v",
        "L0H1 → logits",
        "L1H0 → logits",
        "L1H1 → logits",
    )
    assert [trace.name for trace in figure.data] == ["T2T, written", "S2T, spoken"]
    np.testing.assert_allclose(figure.data[0].x, [-0.05, -0.05, -1.05, -1.05, -0.55, -1.55], atol=1e-12)
    assert figure.data[0].text[2] == "L0H1 → L1H0.v<br>T2T −1.05, n = 2 facts"


def test_the_largest_are_kept_and_rounding_is_left_out(paths: xr.Dataset) -> None:
    assert path_dots(paths, top=2).layout.yaxis.ticktext == ("L0H1 → L1H0.v", "L1H1 → logits")
    loud = path_dots(paths.assign(noise_floor=paths["noise_floor"] + 0.1))
    assert len(loud.layout.yaxis.ticktext) == 4
    assert "4 of 6 paths" in loud.layout.title.text
    assert "changes up to 0.1 are rounding and left out" in loud.layout.title.text.replace("<br>", " ")


def test_refusals(paths: xr.Dataset, roles: xr.Dataset) -> None:
    with pytest.raises(ValueError, match="pos=1"):
        path_dots(paths, pos=1)
    with pytest.raises(ValueError, match="top=0"):
        path_dots(paths, top=0)
    with pytest.raises(ValueError, match="pass what path_patch"):
        path_dots(roles)
