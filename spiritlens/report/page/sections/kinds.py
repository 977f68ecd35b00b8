"""The kinds of results that a page shows: one row each, found by a result's schema, or by its class.

A result of another kind is refused in a sentence that says what it is, and what there is instead. Something that brings
its own sections (a table of sensitivity) is shown by them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import pandas as pd
import xarray as xr

from spiritlens.arguments import shown
from spiritlens.comparison.result import Comparison
from spiritlens.effects.averages import check_drawable
from spiritlens.effects.given import given_traces
from spiritlens.effects.interchange import INTERCHANGE_SCHEMA, SETS_SCHEMA, check_interchange
from spiritlens.effects.measures import (
    ATTRIBUTION_SCHEMA,
    AVERAGES_SCHEMA,
    DOSES_SCHEMA,
    FAITHFULNESS_SCHEMA,
    LENS_SCHEMA,
    MASS_SCHEMA,
    MEASURE_CHECKS,
)
from spiritlens.effects.paths import PATHS_SCHEMA, check_paths
from spiritlens.effects.schema import SCHEMA, check_effects
from spiritlens.report.methods.paragraph import SENTENCES
from spiritlens.report.page.document import Section
from spiritlens.report.page.sections.attention import attention_section
from spiritlens.report.page.sections.attribution import attribution_section
from spiritlens.report.page.sections.averages import averages_section
from spiritlens.report.page.sections.comparison import comparison_section
from spiritlens.report.page.sections.doses import doses_section
from spiritlens.report.page.sections.effects import effects_section
from spiritlens.report.page.sections.given import Among
from spiritlens.report.page.sections.heads import heads_section
from spiritlens.report.page.sections.interchange import interchange_section
from spiritlens.report.page.sections.lens import lens_section
from spiritlens.report.page.sections.paths import paths_section
from spiritlens.report.page.sections.tables import table_section

Maker = Callable[[str, Any, Among], Section]


@runtime_checkable
class BringsSections(Protocol):
    """A result that makes its own sections of a page."""

    def sections(self) -> Sequence[Section]:
        """The sections, in their order."""


@dataclass(frozen=True)
class Kind:
    """A kind of result: what it is in words, the check of its schema, and what makes its section."""

    words: str
    check: Callable[[xr.Dataset], xr.Dataset]
    make: Maker


def _effects_or_heads(name: str, effects: xr.Dataset, among: Among) -> Section:
    return heads_section(name, effects, among) if "head" in effects.dims else effects_section(name, effects, among)


KINDS: Mapping[str, Kind] = {
    SCHEMA: Kind("effects", check_effects, _effects_or_heads),
    AVERAGES_SCHEMA: Kind("averages over facts", check_drawable, averages_section),
    PATHS_SCHEMA: Kind("paths and edges", check_paths, paths_section),
    ATTRIBUTION_SCHEMA: Kind("logit attributions", MEASURE_CHECKS[ATTRIBUTION_SCHEMA], attribution_section),
    MASS_SCHEMA: Kind("attention and detectors", MEASURE_CHECKS[MASS_SCHEMA], attention_section),
    LENS_SCHEMA: Kind("logit lenses", MEASURE_CHECKS[LENS_SCHEMA], lens_section),
    DOSES_SCHEMA: Kind("dose curves", MEASURE_CHECKS[DOSES_SCHEMA], doses_section),
    INTERCHANGE_SCHEMA: Kind("interchange", check_interchange, interchange_section),
    FAITHFULNESS_SCHEMA: Kind("faithfulness", MEASURE_CHECKS[FAITHFULNESS_SCHEMA], interchange_section),
}
"""Datasets, by schema."""

CLASSES: tuple[tuple[type, str, Maker], ...] = (
    (Comparison, "comparisons", comparison_section),
    (pd.DataFrame, "tables", table_section),
    (pd.Series, "", table_section),
)
"""Results that are no datasets: class, words ("": not named apart), and what makes the section."""

NOT_SHOWN = {
    SETS_SCHEMA: "values of prompts with sets of parts removed, which no figure draws: pass what interchange returns",
}
"""Datasets that no section shows, and why."""


FILLED = ("prompt", "component", "layer", "metric", "sample")
"""Axes along which a result has something."""


def given_result(name: str, result: Any) -> Any:
    """A result as it is, checked by its schema; what no section shows is refused in a true sentence."""
    if isinstance(result, (BringsSections, *(each for each, *_ in CLASSES))):
        return result
    if not isinstance(result, xr.Dataset):
        raise ValueError(
            f"{name}={shown(result, 40)} ({type(result).__name__}): expected one Dataset, or another result: a page "
            f"shows {_all_words()}"
        )
    schema = str(result.attrs.get("schema"))
    if schema in NOT_SHOWN:
        raise ValueError(f"{name} holds {NOT_SHOWN[schema]}")
    if schema not in KINDS:
        raise ValueError(
            f"{name} has the schema {schema!r}, which is none of a result: a page shows {_all_words()}; pass what a "
            "method returned, or sl.effects.load(path)"
        )
    missing = next((dim for dim in FILLED if result.sizes.get(dim) == 0), None)
    if missing:
        raise ValueError(f"{name} is empty: it has no {missing}; pass what a method returned, or a part that has some")
    return KINDS[schema].check(given_traces(result, name) if schema == SCHEMA else result)


def sections_of(results: Mapping[str, Any], among: Among) -> list[Section]:
    """The sections of checked results, in their order."""
    found: list[Section] = []
    for name, result in results.items():
        if isinstance(result, BringsSections):
            found += result.sections()
        else:
            found.append(_maker(result)(name, result, among))
    return found


def sentences_of(results: Mapping[str, Any]) -> list[str]:
    """What the methods paragraph says of results, each sentence once."""
    told: list[str] = []
    for result in results.values():
        if isinstance(result, xr.Dataset):
            told += SENTENCES[str(result.attrs["schema"])](result)
    return list(dict.fromkeys(told))


def _maker(result: Any) -> Maker:
    if isinstance(result, xr.Dataset):
        return KINDS[str(result.attrs["schema"])].make
    return next(make for each, _, make in CLASSES if isinstance(result, each))


def _all_words() -> str:
    words = [*(kind.words for kind in KINDS.values()), *(words for _, words, _ in CLASSES if words), "sensitivity"]
    return f"{', '.join(words[:-1])} and {words[-1]}"
