"""Averages over facts that were made before: of effects by role, or of total effects."""

import xarray as xr

from spiritlens.report.acts import act_words
from spiritlens.report.figures.head_map import head_map
from spiritlens.report.figures.head_means import default_role
from spiritlens.report.page.document import Section
from spiritlens.report.page.sections.effects import average_plots, done_text, total_plot
from spiritlens.report.page.sections.given import Among, key_of, named_plot


def averages_section(name: str, means: xr.Dataset, among: Among) -> Section:
    """The maps and curves of averages, or the points of total effects."""
    key = key_of("averages", name)
    if means.attrs.get("quantity") == "total":
        text = "Total effects, fact by fact, with their mean over facts."
        return Section(key, f"Total effects: {name}", text, [total_plot(key, name, means)])
    heading = f"{act_words(means).heading}, averaged: {name}"
    if "head" in means.dims:
        figure = head_map(means, role=default_role(means))
        return Section(key, heading, done_text(means), [named_plot(f"{key}-map", name, figure)])
    return Section(key, heading, done_text(means), average_plots(key, name, means))
