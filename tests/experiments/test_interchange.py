"""The interchange experiment runs on the shipped model and leaves what it promises."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import spiritlens as sl

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_heads_are_interchanged_and_read(tmp_path: Path) -> None:
    few = ["--n-facts", "8", "--asked", "16", "--samples", "1", "--random-rankings", "2"]
    command = [sys.executable, str(ROOT / "experiments" / "interchange.py"), "--out", str(tmp_path), *few]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    assert "In speech, " in printed
    assert "In writing, " in printed
    areas = pd.read_csv(tmp_path / "heads.csv").set_index(["direction", "ranking"])
    for direction in ("T2T→T2T", "T2T→S2T", "S2T→S2T", "S2T→T2T"):
        assert areas.loc[(direction, "ranked"), "CPR"] > areas.loc[(direction, "random"), "CPR"]
        assert areas.loc[(direction, "reversed"), "CPR"] < areas.loc[(direction, "random"), "CPR"]
    kept = sl.effects.load(tmp_path / "heads.nc")
    assert kept.attrs["schema"] == "spiritlens.interchange/1"
    assert len(sl.figures.faithfulness_curves(kept).data) == 8
    assert "plotly" in (tmp_path / "index.html").read_text()
