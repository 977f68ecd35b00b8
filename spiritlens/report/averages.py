"""The averages that a figure draws: those at hand, or taken of the effects."""

from typing import Any

import xarray as xr

from spiritlens.arguments import check_choice
from spiritlens.effects.given import given_dataset
from spiritlens.effects.measures import AVERAGES_SCHEMA, check_averages
from spiritlens.effects.statistics import Quantity, average_effects
from spiritlens.report.words import choose
from spiritlens.terms import Facts


def averages_of(effects: xr.Dataset, quantity: Quantity, facts: Facts, average: Any) -> xr.Dataset:
    """Averages by modality and role; `average` None: they are taken here."""
    check_choice("quantity", quantity, Quantity)
    check_choice("facts", facts, Facts)
    if average is None:
        return average_effects(effects, quantity=quantity, facts=facts)
    found = check_averages(given_dataset(average, AVERAGES_SCHEMA, "average"))
    for name in ("modality", "role"):
        if name not in found.coords:
            raise ValueError(f"average has no {name}: pass average_effects(effects, by=('modality',))")
    return found


def components_of(effects: xr.Dataset, component: str | None) -> list[str]:
    """One component, or all that were traced."""
    if component is None:
        return [str(name) for name in effects["component"].values]
    return [choose(effects, "component", component)]
