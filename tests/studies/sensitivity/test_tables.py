"""Tables for papers: what LaTeX and Markdown would read as commands is escaped, numbers are rounded once."""

import math

from spiritlens.comparison.statistics import Estimate
from spiritlens.studies.sensitivity.tables import _shown, latex_table, markdown_table

ROWS = [("variant", "r"), ("50 % & a_b #1 | x", "−0.5 [−1.0, 0.2]"), ("a – b", "–")]


def test_markdown() -> None:
    lines = markdown_table(ROWS).splitlines()
    assert lines[:2] == ["| variant | r |", "| --- | --- |"]
    assert lines[2] == r"| 50 % & a_b #1 \| x | −0.5 [−1.0, 0.2] |"


def test_latex() -> None:
    lines = latex_table(ROWS).splitlines()
    assert lines[0] == r"\begin{tabular}{lr}"
    assert [line for line in lines if "rule" in line] == [r"\toprule", r"\midrule", r"\bottomrule"]
    assert lines[4] == r"50 \% \& a\_b \#1 | x & $-$0.5 [$-$1.0, 0.2] \\"
    assert lines[5] == r"a -- b & -- \\"


def test_numbers() -> None:
    assert _shown(Estimate(math.nan), 2) == "–"
    assert _shown(Estimate(-0.001, -0.26, 0.004), 2) == "0.00 [−0.26, 0.00]"
    assert _shown(Estimate(1.0), 1) == "1.0"
