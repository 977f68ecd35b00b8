"""The canary of a result: two patches whose outcome is known beforehand, made for every prompt beside its cells.

*self*: the base run's own values, put back where they came from, leave the metric as it is. *all*: the donor run's
values, put in everywhere at once, give the donor run's metric. An engine that writes into another layer, another
position or another run gives something else, in the very batch whose cells are then believed. ``canary_self`` and
``canary_all`` ``[prompt metric]`` hold the largest deviation over noise samples, in the metric's unit; NaN where there
is no such patch (an estimate patches nothing, a donor of other length gives no whole run, and files of earlier versions
hold neither).

*Rule.* Rounding explains a deviation of at most

    (8 · ε of the model's dtype + 4096 · ε of the dtype that sums) · magnitude,

8 being the root of the 64 writes into the residual stream of 32 blocks, and 4096 the width of a sum; the magnitude is 1
for probabilities and 32 for logits and nats. So a limit follows from metric and dtype, not from a machine: 9e-13, 5e-4,
0.06 for probabilities in float64, float32, bfloat16. Ranks, and metrics of other units, may jump at the slightest
rounding: they are stored and not judged. Source: this project.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.arguments import told_keywords
from spiritlens.effects.metric_words import unit_of
from spiritlens.effects.schema import CANARIES
from spiritlens.warn import warn

EPSILON: Mapping[str, float] = MappingProxyType(
    {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
)
"""Distance from 1 to the next number, by dtype; half precision is summed in float32."""

STORED, SUMMED = 8, 4096
"""How many roundings add up of what is written between blocks, and within one sum."""

MAGNITUDE: Mapping[str, float] = MappingProxyType({"probability": 1.0, "logits": 32.0, "nats": 32.0})
"""What metrics of a unit are of the order of."""

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "canary_self": "the base run's own values, put back, moved",
        "canary_all": "the donor run's values, put in everywhere, missed the donor's",
    }
)


@dataclass(frozen=True)
class CanaryRow:
    """One metric under one canary: the largest deviation over prompts, whose it is, and what rounding explains."""

    name: str
    metric: str
    deviation: float
    limit: float
    prompt: str

    @property
    def holds(self) -> bool:
        """Whether rounding explains the deviation."""
        return self.deviation <= self.limit

    def __str__(self) -> str:
        verdict = "" if self.holds else ", more than rounding"
        return f"{WORDS[self.name]} {self.metric} by {self.deviation:.2g} (rounding: {self.limit:.2g}{verdict})"


@dataclass(frozen=True)
class Canary:
    """The canaries of a result, one row for each metric that can be judged; prints itself."""

    rows: tuple[CanaryRow, ...]

    @property
    def failed(self) -> tuple[CanaryRow, ...]:
        """Rows whose deviation rounding does not explain."""
        return tuple(row for row in self.rows if not row.holds)

    @property
    def problem(self) -> str:
        """What is wrong with the result, in a sentence; "" where nothing is."""
        if not self.failed:
            return ""
        worst = max(self.failed, key=lambda row: row.deviation / row.limit)
        return (
            f"its canary fails: at prompt {worst.prompt}, {worst}: the engine did not put values where they belong, "
            "so no cell of it is to be believed"
        )

    def __str__(self) -> str:
        if not self.rows:
            return "no canary: this result holds no patch whose outcome is known beforehand"
        return "; ".join(map(str, self.rows))


@told_keywords
def canary(result: xr.Dataset) -> Canary:
    """The canaries of a result of patching, judged by the rule of this module.

    Returns a `Canary`, without rows for results that have none. Raises ValueError for what is no dataset.
    """
    if not isinstance(result, xr.Dataset):
        raise ValueError(f"result is a {type(result).__name__}: expected the dataset that a method returned")
    rows = [_row(result, name, place) for name in CANARIES if name in result.variables for place in _judged(result)]
    return Canary(tuple(row for row in rows if row is not None))


def limit_of(dtype: str, unit: str) -> float:
    """Largest deviation that rounding explains, in the metric's unit."""
    stored = EPSILON.get(dtype, EPSILON["float32"])
    summed = min(stored, EPSILON["float32"])
    return (STORED * stored + SUMMED * summed) * MAGNITUDE[unit]


def warn_of_canary(result: xr.Dataset, name: str) -> None:
    """A warning where the canary of a result fails."""
    if problem := canary(result).problem:
        warn(f"{name}: {problem}; make it again with this version, and tell us if it fails again")


def check_canary(result: xr.Dataset) -> None:
    """Refuse a result whose canary fails."""
    if problem := canary(result).problem:
        raise ValueError(
            f"this result is not used: {problem}; make it again, or look at it without: result.drop_vars({[*CANARIES]})"
        )


def _judged(result: xr.Dataset) -> list[int]:
    """Places of the metrics whose unit has a magnitude."""
    if "metric" not in result.dims:
        return []
    names = result["metric"].values.tolist()
    return [place for place, name in enumerate(names) if unit_of(result, str(name)) in MAGNITUDE]


def _row(result: xr.Dataset, name: str, place: int) -> CanaryRow | None:
    values: np.ndarray[Any, Any] = np.atleast_1d(result[name].isel(metric=place).values)
    if np.isnan(values).all():
        return None
    metric, worst = str(result["metric"].values[place]), int(np.nanargmax(values))
    limit = limit_of(str(result.attrs.get("dtype", "")), unit_of(result, metric))
    prompt = str(np.atleast_1d(result["prompt_id"].values)[worst])
    return CanaryRow(name, metric, float(values[worst]), limit, prompt)
