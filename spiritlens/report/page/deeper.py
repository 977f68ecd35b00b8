"""From layers to heads to paths: what the page holds of each step, and the lines that would run what it does not.

``heads`` is the dataset of heads among those of the page, ``paths`` the edges of each result of paths, ``links`` the
sections of results that tell of heads and paths, and ``commands`` lines of Python in which ``@layer@`` and ``@head@``
stand for the layer and the head that the reader has come to.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from spiritlens.effects.paths import PATHS_SCHEMA
from spiritlens.report.page.document import Section
from spiritlens.report.page.edges import packed_edges
from spiritlens.report.page.head_difference import packed_head_difference
from spiritlens.report.page.packing import Described, Packing
from spiritlens.report.page.sections.commands import lines_of_layer
from spiritlens.terms import Facts

LEVELS = {"heads": "heads", "attribution": "heads", "attention": "heads", "paths": "paths"}
"""Which step a section tells of, by the kind that its key begins with."""


def packed_deeper(
    results: Mapping[str, Any],
    traced: Mapping[str, xr.Dataset],
    sections: Sequence[Section],
    kinds: tuple[str, str],
    facts: Facts,
    packing: Packing,
) -> Described:
    """All of it, for the header."""
    heads = next((name for name, one in traced.items() if "head" in one.dims), "")
    edges = {
        name: packed_edges(one, facts, packing)
        for name, one in results.items()
        if isinstance(one, xr.Dataset) and one.attrs.get("schema") == PATHS_SCHEMA
    }
    return {
        "heads": heads,
        "difference": packed_head_difference(traced[heads], kinds, facts, packing) if heads else None,
        "paths": {name: one for name, one in edges.items() if one is not None},
        "links": [
            {"level": LEVELS[kind], "view": section.key, "words": section.heading}
            for section in sections
            if (kind := section.key.partition("-")[0]) in LEVELS
        ],
        "commands": lines_of_layer(traced),
    }
