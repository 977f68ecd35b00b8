"""What two maps of one component have in common: a row for each statistic, and the values that they give.

A `Statistic` takes a `MapPair` (the maps of two modalities over facts, and the weights of each bootstrap draw) and
gives a number for each draw; the first draw is the estimate itself. Means are taken of what a statistic asks for only.
All that a comparison holds, shows and says about one component is made from `STATISTICS`: a new statistic of two maps
is one row here.

Every difference is second − first (S2T − T2T by default); shifts are in layers, shares in parts of the whole effect.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any, Literal, TypedDict

import numpy as np

from spiritlens.comparison.map_statistics import (
    handovers,
    pearson,
    role_shares,
    spearman,
    split_half_reliability,
)
from spiritlens.comparison.shifts import centres, has_a_peak, peaks
from spiritlens.effects.bootstrap import weighted_means
from spiritlens.effects.clusters import Array
from spiritlens.terms import READOUT, READOUT_ROLES

Rows = Literal["left out", "draws"]
"""left out: the maps without each cluster of facts, for what is smooth in the means, whose interval is that of a mean,
corrected for skewness; draws: bootstrap draws, for what jumps, such as the layer of a peak."""

SUBJECT = "subject"
FEWEST_CELLS = 3
"""Maps with fewer shared cells are not correlated."""


@dataclass(frozen=True)
class Estimate:
    """A number with its interval; NaN where it could not be computed."""

    value: float
    low: float = float("nan")
    high: float = float("nan")

    @property
    def excludes_zero(self) -> bool:
        """The interval lies wholly on one side of 0 (never where there is no interval)."""
        return self.low > 0 or self.high < 0

    def __repr__(self) -> str:
        if np.isnan(self.value):
            return "–"
        return f"{self.value:.2f}" if np.isnan(self.low) else f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True, eq=False)
class MapPair:
    """The maps of one component in two modalities: `facts` [fact role layer] each, `weights` [draw fact] of all facts
    in row 0, then of draws, or of what is left without each cluster.

    `cells` [role layer] are those that are compared, `layers` what each layer stands for (the middle of its window),
    `subjects` [fact] what was drawn together, `seed` that of split halves; effects within `floor` of 0 are none.
    """

    facts: tuple[Array, Array]
    weights: Array
    cells: np.ndarray[Any, np.dtype[np.bool_]]
    roles: tuple[str, ...]
    layers: Array
    subjects: np.ndarray[Any, np.dtype[np.str_]]
    seed: int
    floor: float = 0.0

    @cached_property
    def maps(self) -> tuple[Array, Array]:
        """Mean maps of either modality [draw role layer]: all of them, where a statistic needs more than the others."""
        first, second = (weighted_means(one, self.weights) for one in self.facts)
        return first, second

    @cached_property
    def compared(self) -> tuple[Array, Array]:
        """Mean values of the compared cells [draw cell]; NaN where they are too few."""
        if int(self.cells.sum()) < FEWEST_CELLS:
            nothing = np.full((len(self.weights), 1), np.nan)
            return nothing, nothing
        first, second = (weighted_means(one[:, self.cells], self.weights) for one in self.facts)
        return first, second

    @cached_property
    def reliability(self) -> tuple[float, float]:
        """Split-half reliability of either map."""
        if int(self.cells.sum()) < FEWEST_CELLS:
            return float("nan"), float("nan")
        first, second = (
            split_half_reliability(facts[:, self.cells], self.subjects, seed=self.seed) for facts in self.facts
        )
        return first, second

    @cached_property
    def subject(self) -> tuple[Array, Array]:
        """Mean curves at the subject [draw layer]; NaN where it was not traced."""
        return self._curves[0], self._curves[1]

    @cached_property
    def readout(self) -> tuple[Array, Array]:
        """Mean curves at the read-out [draw layer]; NaN where it was not traced."""
        return self._curves[2], self._curves[3]

    @cached_property
    def _curves(self) -> Array:
        """Curves of both roles in both modalities [curve draw layer], by one product."""
        readout = READOUT if READOUT in self.roles else READOUT_ROLES[-1]
        missing = np.full((len(self.subjects), len(self.layers)), np.nan)
        curves = [
            one[:, self.roles.index(role)] if role in self.roles else missing
            for role in (SUBJECT, readout)
            for one in self.facts
        ]
        return weighted_means(np.stack(curves, axis=1), self.weights).swapaxes(0, 1)

    @cached_property
    def role_shares(self) -> tuple[Array, Array]:
        """Share of the whole effect by role [draw role]: of sums over layers, which are as linear as means."""
        first, second = (
            role_shares(weighted_means(np.nansum(one, axis=2), self.weights)[:, :, None]) for one in self.facts
        )
        return first, second

    @cached_property
    def has_peaks(self) -> bool:
        """Whether the subject's curve has a peak, and no plateau, in both modalities."""
        if SUBJECT not in self.roles:
            return False
        place = self.roles.index(SUBJECT)
        return all(has_a_peak(one[:, place], self.subjects, self.floor) for one in self.facts)

    def in_layers(self, places: Array) -> Array:
        """Places along the layer axis in units of layers: traced layers may be a subset."""
        return np.asarray(np.interp(places, np.arange(len(self.layers)), self.layers))

    @cached_property
    def handovers(self) -> tuple[Array, Array]:
        """Layer at which the read-out overtakes the subject [draw]."""
        first, second = (
            self.in_layers(handovers(one, other)) for one, other in zip(self.subject, self.readout, strict=True)
        )
        return first, second


class InLayers(TypedDict):
    """Words of what is measured in layers."""

    unit: str
    more: str
    less: str


@dataclass(frozen=True)
class Statistic:
    """A number of two maps: `of` gives it for each draw [draw]; one value alone has no interval, which lies `within`.

    `rows`: what its interval is made of. `words` head its column of the table ("": it has none); a difference is said
    in its `unit`, as `more` or `less`.
    """

    name: str
    words: str
    of: Callable[[MapPair], Array]
    unit: str = ""
    more: str = "more"
    less: str = "less"
    rows: Rows = "left out"
    within: tuple[float, float] = (-inf, inf)


def _centre_shift(pair: MapPair) -> Array:
    """How much later the centre of mass at the subject lies in the second modality [draw]."""
    first, second = (centres(curve, pair.layers) for curve in pair.subject)
    return second - first


def _peak_shift(pair: MapPair) -> Array:
    """How much later the peak at the subject lies in the second modality [draw]; NaN where either has a plateau."""
    if not pair.has_peaks:
        return np.full(len(pair.weights), np.nan)
    first, second = (peaks(curve, pair.layers) for curve in pair.subject)
    return second - first


def _handover_shift(pair: MapPair) -> Array:
    """How much later the read-out overtakes the subject in the second modality [draw]."""
    first, second = pair.handovers
    return second - first


IN_LAYERS: InLayers = {"unit": "layers", "more": "later", "less": "earlier"}

STATISTICS: tuple[Statistic, ...] = (
    Statistic("pearson", "r", lambda pair: pearson(*pair.compared), within=(-1, 1)),
    Statistic("spearman", "rank r", lambda pair: spearman(*pair.compared), within=(-1, 1)),
    Statistic("ceiling", "ceiling", lambda pair: np.sqrt(np.prod([pair.reliability], axis=1))),
    Statistic("peak_shift", "peak shift at subject", _peak_shift, **IN_LAYERS, rows="draws"),
    Statistic("centre_shift", "centre shift at subject", _centre_shift, **IN_LAYERS),
    Statistic("handover_shift", "hand-over shift", _handover_shift, **IN_LAYERS, rows="draws"),
)
"""Statistics of two maps, in the order of the table."""


@dataclass(frozen=True, eq=False)
class ComponentComparison:
    """How two maps of one component relate: `estimates` by the names of `STATISTICS`, each also an attribute.

    `reliability` and `handover` are those of (first, second); `shares` holds (first, second, difference) by role.
    """

    component: str
    n_cells: int
    estimates: Mapping[str, Estimate]
    reliability: tuple[float, float]
    handover: tuple[Estimate, Estimate]
    shares: Mapping[str, tuple[Estimate, Estimate, Estimate]]

    def __getattr__(self, name: str) -> Estimate:
        found = self.__dict__.get("estimates", {})  # unpickling asks before there are any
        if name not in found:
            raise AttributeError(f"{type(self).__name__} has no {name!r}; its statistics are {', '.join(found)}")
        estimate: Estimate = found[name]
        return estimate

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.estimates]

    @property
    def ceiling(self) -> float:
        """Largest correlation to be expected of two noisy measurements of one map."""
        return self.estimates["ceiling"].value


def compare_component(
    component: str, pairs: Mapping[Rows, MapPair], estimate: Mapping[Rows, Callable[[Array], Estimate]]
) -> ComponentComparison:
    """All statistics of the two maps of a component, each from its rows, and intervals as `estimate` makes them."""
    smooth, drawn = pairs["left out"], pairs["draws"]
    first, second = smooth.role_shares
    of_mean, of_draws = estimate["left out"], estimate["draws"]
    return ComponentComparison(
        component=component,
        n_cells=int(smooth.cells.sum()),
        estimates={
            each.name: _within(estimate[each.rows](each.of(pairs[each.rows])), each.within) for each in STATISTICS
        },
        reliability=smooth.reliability,
        handover=(of_draws(drawn.handovers[0]), of_draws(drawn.handovers[1])),
        shares={
            role: (of_mean(a), of_mean(b), of_mean(b - a))
            for role, a, b in zip(smooth.roles, first.T, second.T, strict=True)
        },
    )


def _within(estimate: Estimate, bounds: tuple[float, float]) -> Estimate:
    """The estimate with an interval that does not leave what is possible."""
    low, high = (float(np.clip(end, *bounds)) for end in (estimate.low, estimate.high))
    return Estimate(estimate.value, low, high)
