"""Marks of table rows: which rows a number of a finding speaks of, where it is shown in a table.

A mark is words: the kind of table, the metric where it has one, and what the row is of. What speaks of several rows has
the words that all of them begin with.
"""

from collections.abc import Mapping

from spiritlens.comparison.said import Spot, What

TABLES: Mapping[What, str] = {
    "map": "map",
    "centre": "map",
    "peak": "map",
    "cell": "cells",
    **dict.fromkeys(("parts", "kept", "beyond random", "below own"), "served"),
}
"""The table of what has none of its own name."""


def row_mark(spot: Spot) -> str:
    """The mark of the rows that show a spot."""
    table = TABLES.get(spot.what, spot.what)
    own = spot.what if table == "served" else ""
    return "|".join(one for one in (table, spot.metric, spot.component, spot.role, spot.layer, spot.kind, own) if one)
