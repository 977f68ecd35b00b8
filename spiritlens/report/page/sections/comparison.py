"""Writing beside speech: what was found, the numbers of each component, and the map of the difference."""

from spiritlens.comparison.belonging import other_effects
from spiritlens.comparison.result import Comparison
from spiritlens.effects.averages import obstacle
from spiritlens.report.figures.difference_map import difference_of
from spiritlens.report.figures.look import Arrangement
from spiritlens.report.page.document import Plot, Section
from spiritlens.report.page.sections.compared_tables import compared_tables, served_table
from spiritlens.report.page.sections.given import Among, key_of, named_plot

ARRANGEMENTS: tuple[Arrangement, Arrangement] = ("side by side", "stacked")
SERVED = (
    "Parts were ranked in one modality, on half of the facts, and the first of them kept in the other modality, on the "
    "other half, all others removed: what is left of the recall."
)


def comparison_section(name: str, comparison: Comparison, among: Among) -> Section:
    """The sentences and tables; the map, where the effects that were compared are on the page too."""
    key = key_of("comparison", name)
    text, plots = " ".join(comparison.findings), _maps(key, name, comparison, among)
    return Section(key, f"Writing beside speech: {name}", text, plots, compared_tables(name, comparison))


def served_section(comparison: Comparison) -> Section:
    """The interchange that a comparison was given, in the numbers that it tells of it."""
    table = served_table("what is kept of the recall", comparison.served, folded=False)
    return Section("served", "Parts of one modality in the other", SERVED, tables=[table])


def _maps(key: str, name: str, comparison: Comparison, among: Among) -> list[Plot]:
    """The difference map of the page's effects, if it is they that were compared."""
    effects = among.effects
    if effects is None or obstacle(effects.effects, "known") or other_effects(comparison, effects):
        return []
    wide, narrow = (
        difference_of(effects, comparison, None, comparison.metric, "normalised", "known", arrangement)
        for arrangement in ARRANGEMENTS
    )
    return [named_plot(f"{key}-map", name, wide, narrow)]
