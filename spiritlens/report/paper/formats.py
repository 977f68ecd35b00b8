"""Rows of texts as a table of LaTeX or Markdown: what either would read as a command is escaped, nothing is lost.

Rows are tuples of texts, equally long, the header first. Minus signs (−) and dashes (–) are those of print.
"""

from collections.abc import Sequence

import numpy as np

NONE = "–"
"""What stands where there is no number."""
MOST_DIGITS = 6

LATEX = str.maketrans(
    {sign: f"\\{sign}" for sign in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}"}
    | {"–": "--", "−": "$-$", "×": r"$\times$", "≤": r"$\leq$", "\u00a0": "~"}
)
MARKDOWN = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_|<>&~"})


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """The rows as a table of Markdown."""
    lines = [f"| {' | '.join(map(_markdown, row))} |" for row in rows]
    ruler = f"| {' | '.join(['---'] * len(rows[0]))} |"
    return "\n".join([lines[0], ruler, *lines[1:]]) + "\n"


def latex_table(rows: Sequence[Sequence[str]], texts: int = 1) -> str:
    """The rows as a tabular with the rules of booktabs; the first columns are `texts`, the others are numbers."""
    lines = [" & ".join(map(_latex, row)) + r" \\" for row in rows]
    columns = "l" * texts + "r" * (len(rows[0]) - texts)
    body = "\n".join([r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"])
    return f"\\begin{{tabular}}{{{columns}}}\n{body}\n\\end{{tabular}}\n"


def interval_text(value: float, low: float, high: float, digits: int) -> str:
    """``0.42 [0.31, 0.53]``; more digits where a number that is not 0 would be written as 0."""
    if np.isnan(value):
        return NONE
    ends = [value] if np.isnan(low) else [value, low, high]
    needed = next((more for more in range(digits, MOST_DIGITS) if all(_tells(end, more) for end in ends)), digits)
    first, *bounds = (number_text(end, needed) for end in ends)
    return f"{first} [{', '.join(bounds)}]" if bounds else first


def number_text(value: float, digits: int) -> str:
    """A number with a minus sign of print, and none before a 0."""
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def _tells(value: float, digits: int) -> bool:
    return abs(value) < 10.0**-MOST_DIGITS or round(value, digits) != 0


def _markdown(cell: str) -> str:
    """A cell: one line; brackets are escaped where a link could be read from them."""
    escaped = cell.replace("\n", " ").translate(MARKDOWN)
    return escaped.replace("[", r"\[") if "](" in escaped or "][" in escaped else escaped


def _latex(cell: str) -> str:
    """A cell: one line; a bracket at its beginning would be read as an option of the line break before it."""
    escaped = cell.translate(LATEX).replace("\n", " ")
    return f"{{}}{escaped}" if escaped.startswith(("[", "*")) else escaped
