"""Effects and edges datasets of plain keyword arguments; metrics as names with their signs."""

from dataclasses import fields
from typing import Any

import xarray as xr

from spiritlens.effects.making import EffectAxes, EffectValues, MetricColumn, new_effects
from spiritlens.effects.paths import PathArrays, PathAxes, new_paths


def made_effects(**given: Any) -> xr.Dataset:
    """`new_effects` of the fields of its values and axes."""
    return new_effects(*_grouped(given, EffectValues, EffectAxes), **given)


def made_paths(**given: Any) -> xr.Dataset:
    """`new_paths` of the fields of its values and axes."""
    return new_paths(*_grouped(given, PathArrays, PathAxes), **given)


def _grouped(given: dict[str, Any], *kinds: Any) -> list[Any]:
    given["metrics"] = tuple(MetricColumn(name, sign) for name, sign in given["metrics"].items())
    return [
        kind(**{field.name: given.pop(field.name) for field in fields(kind) if field.name in given}) for kind in kinds
    ]
