"""The head-level experiments run end to end on the shipped model, one after the other, and leave what they promise."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import spiritlens as sl

ROOT = Path(__file__).parents[2]


def run(script: str, *arguments: str) -> str:
    command = [sys.executable, str(ROOT / "experiments" / script), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout


@pytest.mark.slow
def test_heads_are_found_tested_and_explained(tmp_path):
    heads, paths = tmp_path / "heads", tmp_path / "paths"
    few = ["--n-facts", "6", "--asked", "12"]
    printed = run("head_level.py", "--out", str(heads), "--samples", "1", "--random-sets", "2", *few)
    found = json.loads((heads / "heads.json").read_text())["heads"]
    assert {kind: len(best) for kind, best in found.items()} == {"T2T": 4, "S2T": 4}
    assert "knock-out" in printed
    tested = pd.read_csv(heads / "knock-out.csv")
    assert set(tested["prompts"]) == {"T2T", "S2T"}
    assert set(tested["at"]) == {"last token", "all but the beginning"}
    run(
        "paths_to_the_answer.py",
        "--out",
        str(paths),
        "--heads",
        str(heads / "heads.json"),
        "--n-facts",
        "2",
        "--asked",
        "12",
    )
    strongest = pd.read_csv(paths / "paths_into_MLPs_and_logits.csv")
    assert {"sender", "receiver", "T2T", "S2T"} <= set(strongest.columns)
    for folder in (heads, paths):
        page = (folder / "index.html").read_text()
        assert "plotly" in page
        assert "http://" not in page.split("</head>")[0]
    assert "have donors that fit in both, and 2 of these were patched" in (paths / "index.html").read_text()
    assert sl.effects.load(paths / "paths_into_heads.nc").attrs["method"] == "path patching"
