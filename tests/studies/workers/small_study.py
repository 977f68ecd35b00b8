"""A study that is small enough to be made several times, and how two folders of it are compared."""

import os
import subprocess
import sys
from pathlib import Path

import spiritlens as sl
from spiritlens.effects.netcdf import differences

SETTINGS = sl.studies.StudySettings(n_facts=3, n_token_maps=1, samples=2, components=("mlp_out",))
OPTIONS = ("--n-facts", "3", "--n-token-maps", "1", "--samples", "2", "--components", "mlp_out")
RUNS = ("effects.nc", "plain/effects.nc", "tokens/effects.nc", "floors/control/effects.nc")


def command(out: Path, *options: str, variables: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The study by the command line."""
    words = [sys.executable, "-m", "spiritlens", "trace", "--out", str(out), *OPTIONS, *options]
    return subprocess.run(words, capture_output=True, text=True, env=os.environ | (variables or {}), check=False)


def unlike(one: Path, other: Path) -> list[str]:
    """What differs between two folders of the study: arrays and labels bit by bit, findings, answers."""
    found = []
    for name in RUNS:
        pair = [sl.effects.load(folder / name).assign_attrs(created="") for folder in (one, other)]
        found += [f"{name}: {difference}" for difference in differences(*pair)]
    for name in ("accuracy.json", "cells.json", "dose.json", "left_out.json"):
        if (one / name).read_bytes() != (other / name).read_bytes():
            found.append(name)
    return found
