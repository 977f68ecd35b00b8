"""What a page holds of heads and paths is found among its results."""

from pathlib import Path

import xarray as xr

from spiritlens.report.page.dashboard import dashboard
from spiritlens.report.page.packing import read_page


def test_heads_paths_and_their_sections_are_named(
    roles: xr.Dataset, heads: xr.Dataset, paths: xr.Dataset, tmp_path: Path
) -> None:
    found = read_page(dashboard({"by role": roles, "single": heads, "to answer": paths}, tmp_path)).header["deeper"]
    assert found["heads"] == "single"
    assert list(found["paths"]) == ["to answer"]
    assert [(one["level"], one["view"]) for one in found["links"]] == [
        ("heads", "heads-single"),
        ("paths", "paths-to-answer"),
    ]
    assert found["difference"]["n_facts"] == 12


def test_without_them_there_are_the_lines(roles: xr.Dataset, tmp_path: Path) -> None:
    found = read_page(dashboard(roles, tmp_path)).header["deeper"]
    assert (found["heads"], found["difference"], found["paths"], found["links"]) == ("", None, {}, [])
    assert "@layer@" in found["commands"]["heads"]
    assert "@head@" in found["commands"]["out of"]
