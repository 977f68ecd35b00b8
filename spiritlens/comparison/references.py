"""What the agreement of two modalities is told beside: results of other runs, each compared by the same statistic.

Twins are effects of untrained models of the same shape; floors those of a control corruption, or of unknown facts
(``effects.isel(prompt=effects["known"] == 0)``); ceilings pairs of effects of one modality, such as of two voices.

The second map shifted by some layers is a floor that every comparison has, since it needs no further run. It tells
whether two maps lie in the same layers, not whether what agrees was learnt: random weights agree as well, so *agree* is
said only where it is shown to be more than another run's: than a floor's that has a map, or than untrained twins'
(`AgreementTable.surpassed`).

Facts of a floor are its known ones, or all where it has none that is known in both modalities; of twins always all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import xarray as xr

from spiritlens.arguments import listed, shown
from spiritlens.comparison.agreement import Agreement, population_agreement
from spiritlens.comparison.fact_maps import Names, fact_maps
from spiritlens.comparison.pairing import Last, Pairs, paired, prompt_maps
from spiritlens.comparison.reference_points import AgreementTable, agreement_table, shifted_agreements
from spiritlens.comparison.rules import Clusters, Rules
from spiritlens.effects.clusters import Array
from spiritlens.effects.given import given_dataset, given_traces
from spiritlens.effects.interchange import INTERCHANGE_SCHEMA, check_interchange

OfComponents = dict[str, Agreement]


@dataclass(frozen=True, eq=False)
class References:
    """Floors and ceilings of agreement: effects datasets with the compared metric, by their names.

    `twins`: of untrained models of the same shape, one each; `floors`: other results whose modalities need not agree;
    `ceilings`: pairs of results of one modality. `interchange`: what `sl.interchange` returned for the same facts, of
    which the sentences on heads (sites, edges) are made (`spiritlens.comparison.same_parts`). Raises ValueError for
    what is none of these.
    """

    twins: Sequence[xr.Dataset] = ()
    floors: Mapping[str, xr.Dataset] = field(default_factory=dict)
    ceilings: Mapping[str, tuple[xr.Dataset, xr.Dataset]] = field(default_factory=dict)
    interchange: xr.Dataset | None = None

    def __post_init__(self) -> None:
        twins = listed("twins", () if isinstance(self.twins, xr.Dataset) else self.twins, empty=True)
        if isinstance(self.twins, xr.Dataset):
            raise ValueError("twins is one Dataset: give one for each untrained model; write [twin]")
        for name in ("floors", "ceilings"):
            if not isinstance(getattr(self, name), Mapping):
                raise ValueError(
                    f"{name}={shown(getattr(self, name), 40)}: expected results by name, as {{'…': effects}}"
                )
        for place, one in enumerate(twins):
            given_traces(one, f"twins[{place}]")
        for name, one in self.floors.items():
            given_traces(one, f"floors[{name!r}]")
        for name, two in self.ceilings.items():
            for one in _two(name, two):
                given_traces(one, f"ceilings[{name!r}]")
        if self.interchange is not None:
            check_interchange(given_dataset(self.interchange, INTERCHANGE_SCHEMA, "interchange"))
        object.__setattr__(self, "twins", twins)


def _two(name: str, two: Any) -> tuple[xr.Dataset, xr.Dataset]:
    found: tuple[Any, ...] = (two,) if isinstance(two, xr.Dataset) else listed(f"ceilings[{name!r}]", two)
    if len(found) != 2:
        raise ValueError(f"ceilings[{name!r}] has {len(found)} results: expected two of one modality, as (one, other)")
    return found[0], found[1]


@dataclass(frozen=True, eq=False)
class Beside:
    """Agreements by component: of twins, floors and ceilings, each by its name."""

    twins: tuple[OfComponents, ...]
    floors: Mapping[str, OfComponents]
    ceilings: Mapping[str, OfComponents]


def reference_agreements(
    references: References, kinds: tuple[str, str], metric: str, last: Last, rules: Rules
) -> Beside:
    """The agreements of all references, by the statistic of the measured one."""

    def between(one: xr.Dataset, other: xr.Dataset, which: tuple[str, str], facts: Literal["known", "all"]) -> Pairs:
        maps = [prompt_maps(_measured(each, metric), metric, last) for each in (one, other)]
        return paired(maps[0], maps[1], which, facts)

    def agreed(pairs: Pairs) -> OfComponents:
        ways = clusters_of(pairs, rules.clusters)
        return {name: agreement(pairs, name, ways, rules) for name in pairs.components}

    return Beside(
        twins=tuple(agreed(between(twin, twin, kinds, "all")) for twin in references.twins),
        floors={
            name: agreed(between(floor, floor, kinds, _facts(floor, kinds)))
            for name, floor in references.floors.items()
        },
        ceilings={
            name: agreed(between(*_two(name, two), _one_kind(name, two, kinds), "known"))
            for name, two in references.ceilings.items()
        },
    )


def clusters_of(pairs: Pairs, clusters: Clusters) -> tuple[Names, ...]:
    """The ways of clustering [fact]: by subject, by relation, or one after the other."""
    ways = {"subject": (pairs.subjects,), "relation": (pairs.relations,), "both": (pairs.subjects, pairs.relations)}
    return ways[clusters]


def agreement(pairs: Pairs, component: str, ways: Sequence[Names], rules: Rules) -> Agreement:
    """Agreement of a component's maps; of several ways of clustering the one that vouches for less."""
    first, second = compared_maps(pairs, component)
    found = [population_agreement(fact_maps(first, second, way), confidence=rules.confidence) for way in ways]
    return _least(found)


def beside(measured: Agreement, pairs: Pairs, component: str, references: Beside, rules: Rules) -> AgreementTable:
    """The measured agreement among its floors and ceilings; shifts where the traced layers are evenly spaced."""
    spacing = np.diff(pairs.layers)
    even = len(spacing) > 0 and (spacing == spacing[0]).all()
    step = int(spacing[0]) if even else 0
    first, second = compared_maps(pairs, component)
    way = clusters_of(pairs, rules.clusters)[0]
    shifts = shifted_agreements(first, second, way, confidence=rules.confidence) if even and measured.moved else {}
    return agreement_table(
        measured,
        ceilings={name: one[component] for name, one in references.ceilings.items() if component in one},
        floors={name: one[component] for name, one in references.floors.items() if component in one},
        shifts={layers * step: one for layers, one in shifts.items()},
        twins=[one[component] for one in references.twins if component in one],
        margin=rules.margins.correlation,
    )


def compared_maps(pairs: Pairs, component: str) -> tuple[Array, Array]:
    """Both maps of a component [fact role layer], NaN in cells that are not compared; roles without any are gone."""
    place = pairs.components.index(component)
    cells = pairs.cells[place]
    roles = np.flatnonzero(cells.any(axis=0))
    first, second = (
        np.where(cells[:, roles], side[:, place][..., roles], np.nan).swapaxes(1, 2) for side in pairs.values
    )
    return first, second


def _least(found: Sequence[Agreement]) -> Agreement:
    """The agreement that has no interval, else the one whose interval reaches lowest."""
    return min(found, key=lambda one: -np.inf if np.isnan(one.low) else one.low)


def _facts(floor: xr.Dataset, kinds: tuple[str, str]) -> Literal["known", "all"]:
    known = floor["known"].values == 1
    return "known" if all((known & (floor["modality"].values == kind)).any() for kind in kinds) else "all"


def _one_kind(name: str, two: tuple[xr.Dataset, xr.Dataset], kinds: tuple[str, str]) -> tuple[str, str]:
    """The modality that both results of a ceiling have, twice."""
    both = [kind for kind in kinds if all(kind in one["modality"].values.tolist() for one in two)]
    if len(both) != 1:
        raise ValueError(
            f"ceilings[{name!r}] share {len(both)} of {kinds[0]} and {kinds[1]}: give two results of one modality"
        )
    return both[0], both[0]


def _measured(effects: xr.Dataset, metric: str) -> xr.Dataset:
    if metric not in effects["metric"].values.tolist():
        raise ValueError(f"a reference lacks the metric {metric!r}: trace it with the same metrics")
    return effects
