"""What two maps of one component have in common: a row for each statistic, and the values that they give.

A `Statistic` takes a `MapPair` (the maps of two modalities over facts, and the weights of each draw) and gives a number
for each draw; the first draw is the estimate itself. Means are taken of what a statistic asks for only. Each estimate
has its column, and one with a `unit` is judged against the margin of that unit: a new statistic of two maps is one row
of `STATISTICS`. Agreement is no row: it has floors (`spiritlens.comparison.reference_points`).

**Gates.** A statistic whose `why_not` gives a reason has no value: a place in layers is told only of an effect that is
there, a peak of no plateau, a hand-over only where the read-out takes over.

Every difference is second − first (S2T − T2T by default); shifts are in layers, shares in parts of the whole effect.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any, Literal, TypedDict

import numpy as np

from spiritlens.comparison.agreement import Agreement
from spiritlens.comparison.equivalence import Judged, judge_interval
from spiritlens.comparison.estimates import Estimate, widest
from spiritlens.comparison.fact_maps import Names
from spiritlens.comparison.map_statistics import handovers, role_shares
from spiritlens.comparison.reference_points import AgreementTable
from spiritlens.comparison.rules import Rules
from spiritlens.comparison.sampling import Ends, Rows, Sampling
from spiritlens.comparison.shifts import centres, has_a_peak, peaks
from spiritlens.effects.bootstrap import weighted_means
from spiritlens.effects.clusters import Array
from spiritlens.effects.intervals import cluster_interval
from spiritlens.terms import READOUT, READOUT_ROLES

SUBJECT = "subject"
TAKES_OVER = 0.1
"""What takes over from the subject carries at least so much of the total effect."""


@dataclass(frozen=True, eq=False)
class MapPair:
    """The maps of one component in two modalities: `facts` [fact role layer] each, and how they are drawn.

    `cells` [role layer] are those that are compared, `layers` what each layer stands for (the middle of its window),
    `totals` the mean total effects, `share` the smallest share of them that is an effect; effects within `floor` of 0
    are none.
    """

    facts: tuple[Array, Array]
    sampling: Sampling
    cells: np.ndarray[Any, np.dtype[np.bool_]]
    roles: tuple[str, ...]
    layers: Array
    totals: tuple[float, float]
    share: float
    floor: float = 0.0

    @property
    def clusters(self) -> Names:
        """What is drawn together [fact]."""
        return self.sampling.clusters

    @cached_property
    def maps(self) -> tuple[Array, Array]:
        """Mean maps of either modality [draw role layer]: all of them, where a statistic needs more than the others."""
        first, second = (self.sampling.means(one) for one in self.facts)
        return first, second

    @cached_property
    def readout_role(self) -> str:
        """The row at which the answer is read."""
        return READOUT if READOUT in self.roles else READOUT_ROLES[-1]

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
        curves = [self.of_facts(role, side) for role in (SUBJECT, self.readout_role) for side in (0, 1)]
        return self.sampling.means(np.stack(curves, axis=1)).swapaxes(0, 1)

    def of_facts(self, role: str, side: int) -> Array:
        """Each fact's curve at a role in one modality [fact layer]; NaN where the role is not compared."""
        if role not in self.roles or not self.cells[self.roles.index(role)].any():
            return np.full((len(self.clusters), len(self.layers)), np.nan)
        place = self.roles.index(role)
        return np.where(self.cells[place], self.facts[side][:, place], np.nan)

    @cached_property
    def role_shares(self) -> tuple[Array, Array]:
        """Share of the whole effect by role [draw role]: of sums over layers, which are as linear as means."""
        first, second = (role_shares(self.sampling.means(np.nansum(one, axis=2))[:, :, None]) for one in self.facts)
        return first, second

    @cached_property
    def carries(self) -> tuple[bool, bool]:
        """Whether the subject carries an effect in either modality: its sum over layers is told from 0, and its largest
        mean reaches the smallest effect of interest."""
        first, second = (self._carries(side) for side in (0, 1))
        return first, second

    def _carries(self, side: int) -> bool:
        curves = self.of_facts(SUBJECT, side)
        if np.isnan(curves).all():
            return False
        mass = cluster_interval(np.nansum(curves, axis=1), self.clusters, confidence=self.sampling.confidence)
        alike = float(mass.mean) > 0 and float(mass.se) <= 1e-9 * float(mass.mean)
        least = max(self.share * self.totals[side], self.floor)
        largest = float(np.nan_to_num(self.subject[side][0], nan=-inf).max())
        return bool((mass.low > 0 or alike) and largest >= least)

    @cached_property
    def has_peaks(self) -> bool:
        """Whether the subject's curve has a peak, and no plateau, in both modalities."""
        return all(has_a_peak(self.of_facts(SUBJECT, side), self.clusters, self.floor) for side in (0, 1))

    def in_layers(self, places: Array) -> Array:
        """Places along the layer axis in units of layers: traced layers may be a subset."""
        return np.asarray(np.interp(places, np.arange(len(self.layers)), self.layers))

    @cached_property
    def handovers(self) -> tuple[Array, Array]:
        """Layer at which the read-out takes over from the subject [draw]."""
        first, second = (self._handover(self.subject[side], self.readout[side], side) for side in (0, 1))
        return first, second

    def _handover(self, subject: Array, curves: Array, side: int) -> Array:
        """Where each curve takes over from the subject's [curve], one subject's curve each or one for all."""
        least = max(TAKES_OVER * self.totals[side], self.floor)
        return self.in_layers(handovers(np.broadcast_to(subject, curves.shape), curves, least))

    def taker(self, side: int) -> str:
        """The role that takes over from the subject: the read-out, else the earliest other; "" where none does."""
        if not np.isnan(self.handovers[side][0]):
            return self.readout_role
        others = [role for role in self.roles if role not in (SUBJECT, self.readout_role)]
        if not others:
            return ""
        facts = np.stack([self.of_facts(role, side) for role in others], axis=1)  # [fact role layer]
        layers = self._handover(self.subject[side][:1], weighted_means(facts, np.ones((1, len(facts))))[0], side)
        return "" if np.isnan(layers).all() else others[int(np.nanargmin(layers))]

    def taken_over(self, role: str, side: int) -> Array:
        """The layer at which a role takes over from the subject in one modality [draw]."""
        if role == self.readout_role:
            return self.handovers[side]
        return self._handover(self.subject[side], self.sampling.means(self.of_facts(role, side)), side)


class InLayers(TypedDict):
    """Words of what is measured in layers."""

    unit: Literal["layers"]
    more: str
    less: str


@dataclass(frozen=True)
class Statistic:
    """A number of two maps: `of` gives it for each draw [draw].

    `rows`: what its interval is made of; `ends_of`: how draws make its ends. `words` head its column of the table (""
    if it has none); with a `unit` it is a difference, judged against that unit's margin and said as `more` or `less`;
    `why_not` gives why it has no value.
    """

    name: str
    words: str
    of: Callable[[MapPair], Array]
    unit: Literal["", "layers"] = ""
    more: str = "more"
    less: str = "less"
    rows: Rows = "left out"
    ends_of: Ends = "percentiles"
    why_not: Callable[[MapPair], str] = lambda pair: ""


def _centre_shift(pair: MapPair) -> Array:
    """How much later the centre of mass at the subject lies in the second modality [draw]."""
    first, second = (centres(curve, pair.layers) for curve in pair.subject)
    return second - first


def _peak_shift(pair: MapPair) -> Array:
    """How much later the peak at the subject lies in the second modality [draw]."""
    first, second = (peaks(curve, pair.layers) for curve in pair.subject)
    return second - first


def _handover_shift(pair: MapPair) -> Array:
    """How much later the read-out takes over from the subject in the second modality [draw]."""
    first, second = pair.handovers
    return second - first


def _no_effect(pair: MapPair) -> str:
    return "" if all(pair.carries) else "the subject carries no effect that is told from 0 in both modalities"


def _no_peak(pair: MapPair) -> str:
    return _no_effect(pair) or ("" if pair.has_peaks else "a plateau has no peak")


def _no_handover(pair: MapPair) -> str:
    told = [not np.isnan(one[0]) for one in pair.handovers]
    return _no_effect(pair) or ("" if all(told) else "the read-out does not take over in both modalities")


IN_LAYERS: InLayers = {"unit": "layers", "more": "later", "less": "earlier"}

STATISTICS: tuple[Statistic, ...] = (
    Statistic("peak_shift", "peak shift at subject", _peak_shift, **IN_LAYERS, rows="draws", why_not=_no_peak),
    Statistic("centre_shift", "centre shift at subject", _centre_shift, **IN_LAYERS, why_not=_no_effect),
    Statistic(
        "handover_shift",
        "hand-over shift",
        _handover_shift,
        **IN_LAYERS,
        rows="draws",
        ends_of="mirrored",
        why_not=_no_handover,
    ),
)
"""Statistics of two maps, in the order of the table."""


@dataclass(frozen=True)
class TakenOver:
    """The role that takes over from the subject ("": none), and the layer at which it does."""

    role: str
    layer: Estimate


@dataclass(frozen=True, eq=False)
class ComponentComparison:
    """How two maps of one component relate: `estimates` by the names of `STATISTICS`, each also an attribute, and
    `judged` by the names of those that are differences.

    `agreement` is that of the population maps, `beside` it its floors and ceilings; `taken_over` is of (first, second);
    `shares` holds (first, second, difference) by role.
    """

    component: str
    n_cells: int
    agreement: Agreement
    beside: AgreementTable
    estimates: Mapping[str, Estimate]
    judged: Mapping[str, Judged]
    taken_over: tuple[TakenOver, TakenOver]
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
    def r(self) -> Estimate:
        """Correlation of the population maps."""
        return Estimate(self.agreement.value, self.agreement.low, self.agreement.high)


def estimated(statistic: Statistic, pairs: Sequence[MapPair], rules: Rules) -> tuple[Estimate, Judged]:
    """A statistic with its interval over all ways of clustering, and what is said of it as a difference."""
    chosen = [pair for pair in pairs if pair.sampling.rows == statistic.rows]
    smooth = next(pair for pair in pairs if pair.sampling.rows == "left out")
    why, margin, nan = statistic.why_not(smooth), rules.margins.layers, float("nan")
    if why:
        return Estimate(nan), Judged(nan, nan, nan, margin, nan, "undecided", why)
    values = [(pair.sampling, statistic.of(pair)) for pair in chosen]
    exact = float(statistic.of(smooth)[0])

    at_any = [sampling.at_any(value, exact, statistic.ends_of) for sampling, value in values]

    def at(level: float) -> Estimate:
        return widest([estimate(1 - level) for estimate in at_any])

    def ends(level: float) -> tuple[float, float]:
        return at(level).low, at(level).high

    n_clusters = min(pair.sampling.n_clusters for pair in chosen)
    found = at(rules.alpha)
    least = max(pair.sampling.least_p for pair in chosen)
    judged = judge_interval(found.value, ends, margin=margin, n_clusters=n_clusters, alpha=rules.alpha, least=least)
    return found, judged


def compare_component(
    component: str, pairs: Sequence[MapPair], rules: Rules, agreement: Agreement, beside: AgreementTable
) -> ComponentComparison:
    """All statistics of the two maps of a component, each from its rows and over all ways of clustering."""
    found = {each.name: (each, *estimated(each, pairs, rules)) for each in STATISTICS}
    smooth = [pair for pair in pairs if pair.sampling.rows == "left out"]
    drawn = [pair for pair in pairs if pair.sampling.rows == "draws"]
    return ComponentComparison(
        component=component,
        n_cells=int(smooth[0].cells.sum()),
        agreement=agreement,
        beside=beside,
        estimates={name: estimate for name, (_, estimate, _) in found.items()},
        judged={name: judged for name, (each, _, judged) in found.items() if each.unit},
        taken_over=(_taken_over(smooth[0], drawn, 0), _taken_over(smooth[0], drawn, 1)),
        shares=_shares(smooth),
    )


def _taken_over(smooth: MapPair, drawn: Sequence[MapPair], side: int) -> TakenOver:
    role = smooth.taker(side) if smooth.carries[side] else ""
    if not role:
        return TakenOver("", Estimate(float("nan")))
    exact = float(smooth.taken_over(role, side)[0])
    at_any = [pair.sampling.at_any(pair.taken_over(role, side), exact, "mirrored") for pair in drawn]
    layers = [of(pair.sampling.confidence) for of, pair in zip(at_any, drawn, strict=True)]
    return TakenOver(role, widest(layers))


def _shares(pairs: Sequence[MapPair]) -> dict[str, tuple[Estimate, Estimate, Estimate]]:
    """Shares of the whole effect by role: of either modality, and their difference."""
    found: list[list[Estimate]] = []
    for pair in pairs:
        first, second = pair.role_shares  # [draw role]
        found.append(pair.sampling.estimates(np.concatenate([first, second, second - first], axis=1)))
    every = [widest(one) for one in zip(*found, strict=True)]
    n = len(pairs[0].roles)
    return {role: (every[at], every[n + at], every[2 * n + at]) for at, role in enumerate(pairs[0].roles)}
