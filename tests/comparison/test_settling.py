"""Verdicts at the level that all differences of a comparison leave each other."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from experiments.sentence_calibration import mechanism, simulated
from spiritlens.comparison.cells import FoundCells, told_at
from spiritlens.comparison.compare import compare
from spiritlens.comparison.equivalence import Judged
from spiritlens.comparison.result import Comparison
from spiritlens.comparison.settling import settled


@pytest.fixture(scope="module")
def found() -> Comparison:
    return compare(simulated(np.random.default_rng(0), mechanism(), mechanism(subject=6.0)))


def with_total(found: Comparison, p: float) -> Comparison:
    judged = Judged(0.2, 0.01, 0.4, 0.03, 0.1, "different", p=p)
    cells = FoundCells(found.cells, found.cell_margin, found.everywhere)
    return settled(replace(found, total_judged=judged), cells, None)


def test_a_difference_that_does_not_pass_is_undecided_with_its_p(found: Comparison) -> None:
    """Three families; the shifts that are there are not all told, so that each has 0.05/3."""
    assert found.cell_level == pytest.approx(0.05 / 3)
    told, untold = with_total(found, 0.01), with_total(found, 0.03)
    assert told.total_judged.verdict == "different"
    assert told.cell_level == pytest.approx(0.05 / 2)
    assert (untold.total_judged.verdict, untold.total_judged.low) == ("undecided", 0.01)
    assert "p = 0.03, which is too large where several differences are tested" in untold.findings[0]
    assert untold["mlp_out"].judged["centre_shift"].verdict == "different"


def test_cells_are_told_at_their_level(found: Comparison) -> None:
    dims = ("component", "layer", "role")
    verdict = np.array(["different", "different", "equivalent", ""]).reshape(1, 2, 2)
    p = np.array([0.004, 0.02, 0.5, np.nan]).reshape(1, 2, 2)
    cells = FoundCells(xr.Dataset({"verdict": (dims, verdict), "p_value": (dims, p)}), 0.05, "different")
    strict = told_at(cells, 0.01)
    assert strict.cells["verdict"].values.reshape(-1).tolist() == ["different", "undecided", "equivalent", ""]
    assert (strict.everywhere, told_at(cells, 0.001).everywhere) == ("different", "undecided")
    assert f"p ≤ {found.cell_level:.2g}" in " ".join(found.findings)
    assert any("at most 5 % of such studies tell any that is not there" in one for one in found.findings)
