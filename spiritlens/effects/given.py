"""What statistics and figures are given first: a dataset of the schema that they read.

A dataset says by its attribute ``schema`` what it holds. A part of one (some prompts, one metric) is one still; a path,
a list of datasets, or the result of another method is refused with what to pass instead.
"""

from collections.abc import Mapping
from typing import Any

import xarray as xr

from spiritlens.arguments import shown
from spiritlens.effects.schema import SCHEMA

REMEDIES: Mapping[str, str] = {
    SCHEMA: "pass what causal_trace, activation_patch, head_knockout … return, or effects.load(path)",
    "spiritlens.paths/1": "pass what path_patch or attribute_edges returns, or effects.load(path)",
    "spiritlens.attribution/1": "pass what direct_logit_attribution returns, or effects.load(path)",
    "spiritlens.attention/1": "pass what attention_mass or detectors returns, or effects.load(path)",
    "spiritlens.lens/1": "pass what logit_lens returns",
    "spiritlens.doses/1": "pass what dose_curve returns",
    "spiritlens.averages/1": "pass what effects.average returns",
    "spiritlens.interchange/1": "pass what interchange returns, or effects.load(path)",
    "spiritlens.faithfulness/1": "pass what heads.faithfulness returns",
}
"""Where a dataset of each schema comes from."""

RAW = ("clean", "corrupted", "restored", "status", "metric_sign")
"""What effects are derived from."""

AXES = ("prompt", "component", "layer", "metric")


def given_effects(effects: Any, name: str = "effects") -> xr.Dataset:
    """A dataset of effects, whole or in part."""
    found = given_dataset(effects, SCHEMA, name)
    missing = [variable for variable in RAW if variable not in found.variables]
    if missing or "direction" not in found.attrs:
        lacking = ", ".join(missing) or "the attribute direction"
        raise ValueError(f"{name} lacks {lacking}: pass the dataset as its method returned it; {REMEDIES[SCHEMA]}")
    return found


def given_traces(effects: Any, name: str = "effects") -> xr.Dataset:
    """A dataset of effects with all axes that averages and figures go along, be they of length 1."""
    found = given_effects(effects, name)
    missing = [axis for axis in AXES if axis not in found.dims]
    if missing:
        raise ValueError(
            f"{name} lost its axis {missing[0]!r}: choose by a list, which keeps it, such as "
            f"{name}.isel({missing[0]}=[0])"
        )
    return found


def given_dataset(dataset: Any, schema: str, name: str) -> xr.Dataset:
    """A dataset of this schema."""
    if not isinstance(dataset, xr.Dataset):
        raise ValueError(
            f"{name}={shown(dataset, 40)} ({type(dataset).__name__}): expected one Dataset; {REMEDIES[schema]}"
        )
    found = dataset.attrs.get("schema")
    if found != schema:
        raise ValueError(f"{name} has the schema {found!r}, expected {schema!r}: {REMEDIES[schema]}")
    return dataset
