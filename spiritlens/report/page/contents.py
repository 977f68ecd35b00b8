"""All that a page's interactive part knows, packed once: facts, maps, averages, the difference, speech and sound.

The header is one JSON value; what it describes lies in blocks (`spiritlens.report.page.packing`):

============== =====================================================================================================
key            what it describes
============== =====================================================================================================
``facts``      columns of facts, ``prompts`` columns of prompts (`facts_table`)
``maps``       by dataset: maps of single prompts (`maps`)
``averages``   by dataset: means over facts with intervals and n (`averages`)
``difference`` the modalities side by side, with the cells of the comparison (`difference`); null without pairs
``deeper``     heads and paths, and the lines that would run what is not there (`deeper`)
``spoken``     units, words, times and outlines of waveforms (`spoken`)
``sounds``     which prompt has which sound (`sounds`)
============== =====================================================================================================
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from spiritlens.comparison.belonging import other_effects
from spiritlens.comparison.result import Comparison
from spiritlens.effects.schema import site_axis
from spiritlens.prompts.prompt import Prompt
from spiritlens.report.page.averages import packed_averages
from spiritlens.report.page.deeper import packed_deeper
from spiritlens.report.page.difference import KINDS, packed_difference
from spiritlens.report.page.document import Contents, Section
from spiritlens.report.page.facts_table import facts_table
from spiritlens.report.page.maps import packed_maps
from spiritlens.report.page.packing import Packing
from spiritlens.report.page.sounds import Sounds, packed_sounds
from spiritlens.report.page.spoken import packed_spoken
from spiritlens.terms import Facts

FORMAT = "spiritlens.page/1"


@dataclass(frozen=True, eq=False)
class Deeper:
    """What else is on the page: all its `results` by name, and the `sections` of those that are not its main part."""

    results: Mapping[str, Any]
    sections: Sequence[Section]


NO_DEEPER = Deeper({}, ())


def contents_of(
    datasets: Mapping[str, xr.Dataset],
    prompts: Sequence[Prompt],
    comparison: Comparison | None,
    facts: Facts,
    sounds: Sounds,
    folder: Path,
    deeper: Deeper = NO_DEEPER,
) -> Contents:
    """Everything packed; `folder` is that of the page."""
    packing = Packing()
    ordered = sorted(datasets, key=lambda name: site_axis(datasets[name]) != "role")  # by role first, else as given
    table = facts_table({name: datasets[name] for name in ordered}, prompts)
    first = datasets[ordered[0]]
    if comparison is not None and other_effects(comparison, first):
        comparison = None  # it is of another dataset of the page
    kinds = KINDS if comparison is None else comparison.kinds
    header: dict[str, Any] = {
        "format": FORMAT,
        **table.pack(packing),
        "maps": {name: packed_maps(datasets[name], table.rows[name], packing) for name in ordered},
        "averages": {
            name: packed_averages(datasets[name], facts, packing, comparison if name == ordered[0] else None)
            for name in ordered
        },
        "difference": packed_difference(first, comparison, facts, packing),
        "deeper": packed_deeper(deeper.results, datasets, deeper.sections, kinds, facts, packing),
        "spoken": packed_spoken(table, datasets, packing),
    }
    header["sounds"], encoded, sheets = packed_sounds(table.given, sounds, packing)
    return Contents(header, packing.blocks(), encoded, beside(folder), sheets)


def beside(folder: Path) -> list[str]:
    """Datasets of the run folder in which a page lies (itself or in its ``report``), as paths from the page's folder.

    Unfinished parts are left out; a folder of its own has none.
    """
    found = [*folder.glob("*.nc"), *folder.glob("*/*.nc")]
    paths = [path.relative_to(folder).as_posix() for path in found if path.parent.name != "parts"]
    above = folder.resolve().parent / "effects.nc"
    return sorted([*paths, *(["../effects.nc"] if folder.resolve().name == "report" and above.is_file() else [])])
