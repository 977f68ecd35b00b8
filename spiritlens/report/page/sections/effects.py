"""Effects by role and layer: tracing, activation patching, back-patching, estimates, knock-outs of attention."""

import xarray as xr

from spiritlens.effects.averages import average, average_total, obstacle
from spiritlens.report.acts import act_words, done_words, reading_words
from spiritlens.report.figures.layer_curves import layer_curves
from spiritlens.report.figures.role_maps import role_maps
from spiritlens.report.figures.total_effects import total_effects
from spiritlens.report.page.document import Plot, Section
from spiritlens.report.page.sections.given import Among, key_of, named_plot


def effects_section(name: str, effects: xr.Dataset, among: Among) -> Section:
    """Average maps and curves of one dataset, told as what was done; where there are no averages, why."""
    key = key_of("effects", name)
    heading = f"{act_words(effects).heading}: {name}"
    text = f"{done_text(effects)} {reading_words(effects)}"
    missing = obstacle(effects, among.facts)
    if missing:
        return Section(key, heading, f"{text} Averages are left out: {missing}.")
    means, totals = average(effects, facts=among.facts), average_total(effects, facts=among.facts)
    return Section(key, heading, text, [*average_plots(key, name, means), total_plot(key, name, totals)])


def done_text(effects: xr.Dataset) -> str:
    """What was done, as a sentence of its own."""
    done = done_words(effects)
    return f"{done[0].upper()}{done[1:]}."


def average_plots(key: str, name: str, means: xr.Dataset) -> list[Plot]:
    """Maps and curves of averages, for wide and for narrow screens."""
    return [
        named_plot(f"{key}-maps", name, role_maps(means), role_maps(means, arrangement="stacked")),
        named_plot(f"{key}-curves", name, layer_curves(means), layer_curves(means, arrangement="stacked")),
    ]


def total_plot(key: str, name: str, totals: xr.Dataset) -> Plot:
    """Total effects, fact by fact."""
    return named_plot(f"{key}-total", name, total_effects(totals))
