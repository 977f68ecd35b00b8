"""Means of heads, of which maps and rankings are drawn: effects at a role, attributions, attention, detectors.

Axes: ``group role layer head``. A *role* of effects is where a head was patched; of attention it is from whom to whom,
or a detector. The *read-out* is where the answer is read: the final marker of a prompt that has one, else its last
word.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.arguments import shown
from spiritlens.effects.averages import averaged
from spiritlens.effects.quantities import Quantity
from spiritlens.report.figures.chosen import chosen
from spiritlens.report.figures.head_measures import MEASURES, measured_heads
from spiritlens.report.figures.scale import OF_HEADS, Scale, averages_scale, effect_scale
from spiritlens.report.words import colour_words, component_words, patching_words, quantity_words, site_words
from spiritlens.terms import READOUT, READOUT_ROLES, Facts

READOUT_NAMES = ("last token", *READOUT_ROLES)
"""Rows that may be the read-out, the first that a modality has."""
TO_SUBJECT = " → subject"


@dataclass(frozen=True, eq=False)
class HeadMeans:
    """Means of heads [group role layer head], and how the figure speaks of them (escaped)."""

    means: xr.Dataset
    title: str
    subtitle: str
    colour: str
    component: str = ""

    def scale(self, *maps: Any) -> Scale:
        """The scale of maps of one role: of effects full colour is a quarter of the total effect."""
        return averages_scale(self.means, *maps, part=OF_HEADS) if self.component else effect_scale(*maps)


def given_heads(
    effects: xr.Dataset, component: str | None, metric: str | None, quantity: Quantity | None, facts: Facts | None
) -> HeadMeans:
    """The means of what was given: of effects, or of a measure without a corrupted run."""
    if isinstance(effects, xr.Dataset) and effects.attrs.get("schema") in MEASURES:
        return _of_measures(effects, {"component": component, "metric": metric, "quantity": quantity}, facts)
    return _of_effects(effects, component, metric, quantity, facts)


def default_role(means: xr.Dataset) -> str:
    """The read-out where one of its rows was traced, else the first row that has numbers."""
    roles = [str(name) for name in means["role"].values]
    for ending in ("", TO_SUBJECT):
        if any(name in roles for name in _readout_names(READOUT + ending)):
            return READOUT + ending
    some = means["n_facts"].max([dim for dim in means["n_facts"].dims if dim != "role"]).values > 0
    return roles[int(np.argmax(some))]


def _of_effects(
    effects: xr.Dataset, component: str | None, metric: str | None, quantity: Quantity | None, facts: Facts | None
) -> HeadMeans:
    """Means of effects of one component."""
    average = averaged(effects, quantity, facts)
    if "head" not in average.dims:
        raise ValueError(
            "this dataset has no heads: trace a component that has them, such as 'z', or patch it with heads='each'"
        )
    component, metric = chosen(average, "component", component), chosen(average, "metric", metric)
    means = average.sel(component=component, metric=metric)
    colour = quantity_words(average, average.attrs["quantity"], metric)
    subtitle = f"{colour} · {patching_words(average)} · {site_words(average)}"
    bar = colour_words(average, average.attrs["quantity"])
    return HeadMeans(means, f"Heads at the {{role}}: {component_words(component)}", subtitle, bar, component)


def _of_measures(dataset: xr.Dataset, options: dict[str, str | None], facts: Facts | None) -> HeadMeans:
    """Means of a measure without a corrupted run."""
    given = {**options, "facts": facts}
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"{name}={shown(value)}: attributions and attention have none; leave it out")
    words = MEASURES[dataset.attrs["schema"]]
    return HeadMeans(measured_heads(dataset), words.title, words.subtitle, words.colour)


def _readout_names(role: str) -> list[str]:
    """The rows that a role may stand for: those of the read-out (of attention: from it), or itself."""
    if role not in (READOUT, READOUT + TO_SUBJECT):
        return [role]
    return [name + role.removeprefix(READOUT) for name in READOUT_NAMES]


def role_of(group: xr.Dataset, role: str) -> str:
    """The row that a role stands for in one modality: the read-out is the final marker or the last word."""
    roles = group["role"].values.tolist()
    wanted = [name for name in _readout_names(role) if name in roles] if isinstance(role, str) else []
    if not wanted:
        raise ValueError(f"role={shown(role)} was not traced; choose from {', '.join(roles)}")
    return next((name for name in wanted if int(group["n_facts"].sel(role=name).max()) > 0), wanted[0])
