"""Writing beside speech: what was found, the numbers of each component, and the map of the difference."""

import pandas as pd

from spiritlens.comparison.belonging import other_effects
from spiritlens.comparison.result import Comparison
from spiritlens.effects.averages import obstacle
from spiritlens.report.figures.difference_map import difference_map
from spiritlens.report.page.document import Plot, Section, Table
from spiritlens.report.page.sections.given import Among, key_of, named_plot


def comparison_section(name: str, comparison: Comparison, among: Among) -> Section:
    """The sentences and tables; the map, where the effects that were compared are on the page too."""
    key = key_of("comparison", name)
    numbers = pd.DataFrame(comparison.table())
    shares = pd.DataFrame(
        [
            {"component": one.component, "role": role, **dict(zip(_columns(comparison), map(repr, three), strict=True))}
            for one in comparison.components
            for role, three in one.shares.items()
        ]
    )
    tables = [
        Table(f"Agreement and shifts: {name}", numbers),
        Table(f"Share of the effect by role: {name}", shares, folded=True),
    ]
    text, plots = " ".join(comparison.findings), _maps(key, name, comparison, among)
    return Section(key, f"Writing beside speech: {name}", text, plots, tables)


def _columns(comparison: Comparison) -> tuple[str, str, str]:
    first, second = comparison.kinds
    return first, second, f"{second} − {first}"


def _maps(key: str, name: str, comparison: Comparison, among: Among) -> list[Plot]:
    """The difference map of the page's effects, if it is they that were compared."""
    effects = among.effects
    if effects is None or obstacle(effects, "known") or other_effects(comparison, effects):
        return []
    wide = difference_map(effects, comparison)
    return [named_plot(f"{key}-map", name, wide, difference_map(effects, comparison, arrangement="stacked"))]
