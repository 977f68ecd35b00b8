"""Effects of single heads: maps at the read-out and at the subject, and the largest with their intervals."""

import xarray as xr

from spiritlens.effects.averages import average, obstacle
from spiritlens.report.acts import act_words, reading_words
from spiritlens.report.figures.head_map import head_map
from spiritlens.report.figures.head_means import default_role
from spiritlens.report.figures.head_ranking import head_ranking
from spiritlens.report.page.document import Plot, Section
from spiritlens.report.page.sections.effects import done_text
from spiritlens.report.page.sections.given import Among, key_of, named_plot


def heads_section(name: str, effects: xr.Dataset, among: Among) -> Section:
    """Maps and rankings of the heads of one dataset; where there are no averages, why."""
    key = key_of("heads", name)
    heading = f"By head, {act_words(effects).heading.lower()}: {name}"
    text = f"{done_text(effects)} Each cell is one head. {reading_words(effects)}"
    text = text.replace("full colour is the total effect", "full colour is a quarter of the total effect")
    missing = obstacle(effects, among.facts)
    if missing:
        return Section(key, heading, f"{text} Averages are left out: {missing}.")
    means = average(effects, facts=among.facts)
    rows = means["role"].values.tolist()
    plots: list[Plot] = []
    for role in dict.fromkeys([default_role(means), *(["subject"] if "subject" in rows else [])]):
        place = len(plots)
        plots += [
            named_plot(f"{key}-map-{place}", name, head_map(means, role=role)),
            named_plot(f"{key}-ranking-{place}", name, head_ranking(means, role=role)),
        ]
    return Section(key, heading, text, plots)
