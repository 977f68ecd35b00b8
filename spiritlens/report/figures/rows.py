"""The rows of a map from top to bottom, with runs of exact zeros folded into one thin row.

Before the corrupted subject no patch can change anything, and a prompt may have many tokens there. Such rows hold no
number that was measured: those that follow one another are drawn as one row of half the height. A run of a single row
is thin too and keeps its name, so that a thin row says the same everywhere. The page's maps (``map_view.js``) do so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from spiritlens.effects.schema import Status

THIN = 0.5
"""Height of a run of exact zeros, in rows."""


@dataclass(frozen=True)
class Rows:
    """Which rows of a map are drawn at each place, from top to bottom."""

    members: tuple[tuple[int, ...], ...]
    thin: tuple[bool, ...]
    """Whether a place holds exact zeros only."""

    @property
    def first(self) -> list[int]:
        """The row that stands for each place."""
        return [rows[0] for rows in self.members]

    @property
    def folded(self) -> list[bool]:
        """Whether a place holds several rows, which have no single name."""
        return [len(rows) > 1 for rows in self.members]

    @cached_property
    def edges(self) -> list[float]:
        """Upper edge of each place, and the lower one of the last; places are as high as a row unless thin."""
        heights = [THIN if thin else 1.0 for thin in self.thin]
        return [float(edge) for edge in np.cumsum([-0.5, *heights])]

    @property
    def centres(self) -> list[float]:
        """The middle of each place."""
        return [(top + bottom) / 2 for top, bottom in zip(self.edges, self.edges[1:], strict=False)]

    @property
    def height(self) -> float:
        """Of all places together, in rows."""
        return self.edges[-1] - self.edges[0]

    def ticks(self, labels: Sequence[str], *, kept: Sequence[int] | None = None) -> dict[str, Any]:
        """Axis settings for the labels of the places; `kept`: those that are labelled (by default all)."""
        places = range(len(labels)) if kept is None else kept
        return {
            **{"tickmode": "array", "tickvals": [self.centres[place] for place in places]},
            **{"ticktext": [labels[place] for place in places], "range": [self.edges[-1], self.edges[0]]},
            **{"showgrid": False, "zeroline": False, "ticklabelstandoff": 12},
        }


def every_row(n_rows: int) -> Rows:
    """All rows, none folded and none thin."""
    return Rows(tuple((row,) for row in range(n_rows)), (False,) * n_rows)


def folded_rows(*statuses: Any) -> Rows:
    """Rows of maps [row layer] that stand side by side: neighbours are folded where no cell was run in any map, and
    some cell is exact."""
    unmoved = np.all([np.isin(codes, (Status.EXACT, Status.ABSENT)).all(axis=1) for codes in statuses], axis=0)
    exact = np.any([(codes == Status.EXACT).any(axis=1) for codes in statuses], axis=0)
    places: list[tuple[int, ...]] = []
    thin: list[bool] = []
    for row, folds in enumerate((unmoved & exact).tolist()):
        if folds and thin and thin[-1]:
            places[-1] = (*places[-1], row)
        else:
            places.append((row,))
            thin.append(folds)
    return Rows(tuple(places), tuple(thin))
