"""Measures of heads that need no corrupted run, as means over facts with named rows: attributions and attention."""

from typing import NamedTuple

import xarray as xr

from spiritlens.effects.averages import average_facts
from spiritlens.effects.measures import ATTRIBUTION_SCHEMA, MASS_SCHEMA, check_attention, check_attribution
from spiritlens.effects.statistics import fact_means


class MeasureWords(NamedTuple):
    """Title (of the row that is drawn) and subtitle of a map, and what stands beside its colour bar."""

    title: str
    subtitle: str
    colour: str


MEASURES = {
    ATTRIBUTION_SCHEMA: MeasureWords(
        "What heads write towards the answer", "direct logit attribution at the last position, in logits", "logits"
    ),
    MASS_SCHEMA: MeasureWords("Where heads look: {role}", "share of the attention", "share of the attention"),
}
"""What a map of each schema is called."""


def measured_heads(dataset: xr.Dataset) -> xr.Dataset:
    """Means by modality and row [group role layer head] of what was measured in prompts."""
    return average_facts(fact_means(with_facts(_rows(dataset)), facts="all"), ("modality",))


def with_facts(values: xr.DataArray) -> xr.DataArray:
    """Values of prompts with all that tells facts apart; what was not asked for is the prompt itself."""
    missing = [name for name in ("relation", "subject", "answer", "group") if name not in values.coords]
    return values.assign_coords(dict.fromkeys(missing, ("prompt", values["prompt_id"].values)))


def _rows(dataset: xr.Dataset) -> xr.DataArray:
    """Values of prompts [prompt role layer head]; of attention, a row is a detector, or from whom to whom."""
    if dataset.attrs["schema"] == ATTRIBUTION_SCHEMA:
        return check_attribution(dataset)["heads"].expand_dims(role=["last position"])
    found = check_attention(dataset)
    if "score" in found.variables:
        return found["score"].rename(detector="role")
    pairs = found["mass"].stack(role=("query", "key"))
    names = [f"{query} → {key}" for query, key in pairs["role"].values]
    return pairs.drop_vars(["role", "query", "key"]).assign_coords(role=names)
