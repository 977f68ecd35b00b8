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

from spiritlens.prompts.prompt import Prompt
from spiritlens.report.page.averages import packed_averages
from spiritlens.report.page.deeper import packed_deeper
from spiritlens.report.page.difference import KINDS, packed_difference
from spiritlens.report.page.document import Contents, Section
from spiritlens.report.page.facts_table import facts_table
from spiritlens.report.page.leading import Leading
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
    leading: Leading,
    prompts: Sequence[Prompt],
    facts: Facts,
    sounds: Sounds,
    folder: Path,
    deeper: Deeper = NO_DEEPER,
) -> Contents:
    """Everything packed of the effects of the page, with what leads it; `folder` is that of the page."""
    packing = Packing()
    datasets = {name: one.effects for name, one in leading.paired.items()}
    first, comparison = next(iter(datasets)), leading.drawn
    table = facts_table(datasets, prompts)
    kinds = KINDS if comparison is None else comparison.kinds
    header: dict[str, Any] = {
        "format": FORMAT,
        **table.pack(packing),
        "maps": {name: packed_maps(one, table.rows[name], packing) for name, one in datasets.items()},
        "averages": {
            name: packed_averages(one, facts, packing, comparison if name == first else None)
            for name, one in datasets.items()
        },
        "difference": packed_difference(leading.paired[first], comparison, facts, packing),
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
