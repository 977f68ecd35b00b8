"""Numbers as text: a comparison, or averages, as a table in LaTeX, Markdown or CSV, with intervals and n.

LaTeX and Markdown round (`digits`, and more where a number that is not 0 would be written as 0) and leave out what no
fact has; CSV holds every number as it is, in columns of its own, so that it is read back equal.
"""

import pandas as pd
import xarray as xr

from spiritlens.arguments import shown, told_keywords, whole
from spiritlens.comparison.result import Comparison
from spiritlens.effects.metric_words import words_of
from spiritlens.report.paper.averages_table import averages_frame, averages_rows, is_averages
from spiritlens.report.paper.comparison_table import comparison_frame, comparison_rows
from spiritlens.report.paper.formats import LATEX, latex_table, markdown_table

Numbers = Comparison | xr.Dataset
"""What `sl.compare`, `sl.effects.average` or `sl.effects.average_total` returns."""


@told_keywords
def latex(numbers: Numbers, metric: str | None = None, *, digits: int = 2) -> str:
    """A comparison, or averages, as a LaTeX tabular with the rules of booktabs, under a comment that says what it is.

    `metric` chooses one of averages (None: the first); `digits` follow the point. Of a comparison's cells those that
    differ are in it. Returns the text. Raises ValueError for other values, and averages without a number.
    """
    rows = _rows(numbers, metric, digits)
    texts = sum(cell in TEXT_COLUMNS for cell in rows[0])
    return f"% {_caption(numbers, metric).translate(LATEX)}\n{latex_table(rows, texts)}"


@told_keywords
def markdown(numbers: Numbers, metric: str | None = None, *, digits: int = 2) -> str:
    """A comparison, or averages, as a table of Markdown (as `latex`).

    Returns the text. Raises ValueError for other values, and averages without a number.
    """
    return markdown_table(_rows(numbers, metric, digits))


@told_keywords
def csv(numbers: Numbers) -> str:
    """A comparison, or averages of all metrics, as CSV: a row a number, unrounded, with low, high and n_facts.

    Returns the text; a number that there is not is an empty field. Raises ValueError for other values.
    """
    return str(frame(numbers).to_csv(index=False, lineterminator="\n"))


@told_keywords
def frame(numbers: Numbers) -> pd.DataFrame:
    """A comparison, or averages of all metrics, as a data frame: a row a number, with low, high and n_facts.

    Returns the frame that `csv` writes. Raises ValueError for other values.
    """
    if isinstance(numbers, Comparison):
        return comparison_frame(numbers)
    return averages_frame(_given(numbers))


TEXT_COLUMNS = ("component", "role", "number")


def _rows(numbers: Numbers, metric: str | None, digits: int) -> list[tuple[str, ...]]:
    digits = whole("digits", digits, at_least=0, at_most=12)
    if isinstance(numbers, Comparison):
        if metric is not None and metric != numbers.metric:
            raise ValueError(
                f"metric={shown(metric)}: this comparison is of the {numbers.metric}; call compare(effects, "
                f"metric={shown(metric)})"
            )
        return comparison_rows(numbers, digits)
    return averages_rows(_given(numbers), metric, digits)


def _caption(numbers: Numbers, metric: str | None) -> str:
    if isinstance(numbers, Comparison):
        first, second = numbers.kinds
        return (
            f"{second} against {first}: {numbers.n_facts} facts of {numbers.n_subjects} subjects, "
            f"{numbers.metric_words}, {numbers.direction}; in brackets {100 * numbers.confidence:g} % intervals"
        )
    about = numbers.attrs
    names = [str(name) for name in numbers["metric"].values.reshape(-1)]
    return (
        f"{about.get('quantity', '')} effects on the {words_of(numbers, metric or names[0])}, "
        f"{about.get('direction', '')}: means over {about.get('facts', 'known')} facts; in brackets "
        f"{100 * float(about['confidence']):g} % intervals"
    )


def _given(numbers: object) -> xr.Dataset:
    if is_averages(numbers) and isinstance(numbers, xr.Dataset):
        return numbers
    schema = numbers.attrs.get("schema") if isinstance(numbers, xr.Dataset) else type(numbers).__name__
    raise ValueError(
        f"numbers={shown(numbers, 40)} ({schema}): expected what sl.compare(effects), sl.effects.average(effects) or "
        "sl.effects.average_total(effects) returns"
    )
