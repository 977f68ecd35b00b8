"""The numbers of the table of variants are rounded once."""

import math

from spiritlens.comparison.statistics import Estimate
from spiritlens.studies.sensitivity.tables import _shown


def test_numbers() -> None:
    assert _shown(Estimate(math.nan), 2) == "–"
    assert _shown(Estimate(-0.001, -0.26, 0.004), 2) == "0.00 [−0.26, 0.00]"
    assert _shown(Estimate(1.0), 1) == "1.0"
