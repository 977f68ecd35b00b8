"""Agreement with a floor and a ceiling: what else agrees as far, and how far two maps can agree at all.

A correlation of maps says little alone. Beside the *measured* agreement of two modalities stand

- **ceilings**, what the same modality agrees with itself: the maps of two voices, of two phrasings (same facts, same
  statistic), and the halves of the subjects (`Agreement.halves`);
- **floors**, what must not agree as far if recall is what agrees: maps under a control corruption, maps of unknown
  facts, the second map shifted by some layers, and *twins*: models of the same shape that learnt nothing.

Each is an `Agreement` by the same statistic, so r is on one scale. What is said of each:

- *floor*: measured − floor by jackknife, subject by subject. **above** where its interval lies above 0; **no map**
  where the floor has no map that could agree; else **not above**.
- *twins*: agreement of random models varies from model to model more than from fact to fact, so one of them tells
  little. **above** where the lower end of the measured r lies above the one-sided 95 % prediction bound for one more
  twin: from 19 twins on the ⌈0.95 (k + 1)⌉-th smallest r, whatever their law; of 3 to 18 Student's, mean + t(k − 1) ·
  sd · √(1 + 1/k); of fewer there is no bound (**too few**). Twins without a map are left out, and where none of at
  least 3 has one, that is said.
- *ceiling*: **reached** where the interval of measured − ceiling lies above −margin (non-inferiority), else **below**
  where it lies below 0, else **undecided**.

The agreement is *beyond its floors* where every floor and the twins are above or have no map, and of the shifts the
largest at least. The *resolution* is the smallest shift from which on all larger ones lie above too: two modalities can
be said to agree to within that many layers.

Sources: untrained models as a control: Adebayo et al. (2018, sanity checks), Zhang & Bowman (2018); the prediction
bound is Student's; the rules are this project's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.stats

from spiritlens.comparison.agreement import Agreement, Strength, population_agreement
from spiritlens.comparison.fact_maps import shifted_maps
from spiritlens.comparison.jackknife import difference
from spiritlens.effects.clusters import Array

Part = Literal["measured", "ceiling", "floor", "shift", "twins"]
"""What a row of the table is; shift: the second map moved by some layers, of the same facts."""

Relation = Literal["", "above", "not above", "no map", "too few", "reached", "below", "undecided"]
"""How the measured agreement lies to a row (see the module); nothing beside itself."""

FEWEST_TWINS = 3
"""Below this many twins their spread is not known; five or more make a bound that is not far above all of them."""

RANKED_TWINS = 19
"""From this many twins on the bound needs no law: one more exceeds the largest of 19 with probability 1/20."""


@dataclass(frozen=True)
class Reference:
    """A row: r with its interval, the difference measured − r with its interval, and what is said of it.

    Of twins r is the mean, `high` the prediction bound, and `n` how many have a map (else the number of facts).
    """

    part: Part
    name: str
    value: float
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float
    relation: Relation
    n: int


@dataclass(frozen=True, eq=False)
class AgreementTable:
    """The measured agreement among its ceilings and floors. `resolution` is in layers, NaN where no shift is told."""

    rows: tuple[Reference, ...]
    strength: Strength
    resolution: float

    @property
    def beyond_floors(self) -> bool:
        """Whether the agreement is shown, and more than all of its floors have; never without a floor."""
        floors = [row.relation for row in self.rows if row.part in ("floor", "twins")]
        shifts = [row for row in self.rows if row.part == "shift"]
        passed = all(one in ("above", "no map") for one in floors) and (not shifts or not np.isnan(self.resolution))
        return self.strength != "not shown" and bool(floors or shifts) and passed

    @property
    def surpassed(self) -> tuple[Reference, ...]:
        """Other runs than which the agreement is shown to be more: floors above whose own it lies, and twins above
        whose bound it lies or of which none has a map."""
        rows = [row for row in self.rows if row.part in ("floor", "twins")]
        return tuple(row for row in rows if row.relation == "above" or (row.part, row.relation) == ("twins", "no map"))

    def table(self) -> list[dict[str, str]]:
        """The rows as texts: ceilings, the measured agreement, floors."""
        return [
            {
                "part": row.part,
                "name": row.name,
                "r": _written(row.value, row.low, row.high),
                "measured − r": _written(row.difference, row.difference_low, row.difference_high),
                "measured lies": row.relation,
                "n": str(row.n),
            }
            for row in self.rows
        ]


def agreement_table(
    measured: Agreement,
    *,
    ceilings: Mapping[str, Agreement] | None = None,
    floors: Mapping[str, Agreement] | None = None,
    shifts: Mapping[int, Agreement] | None = None,
    twins: Sequence[Agreement] = (),
    margin: float = 0.1,
) -> AgreementTable:
    """The measured agreement beside its ceilings and floors by name, shifts by layers (see `shifted_agreements`),
    twins.

    `margin` is how much below a ceiling is still as much (`Margins.correlation`).
    """
    beside = dict(sorted((shifts or {}).items()))
    shifted = {layers: _beside("shift", f"{layers:+d} layers", measured, one) for layers, one in beside.items()}
    rows = [
        *(_beside("ceiling", name, measured, one, margin) for name, one in (ceilings or {}).items()),
        _measured(measured),
        *(_beside("floor", name, measured, one) for name, one in (floors or {}).items()),
        *shifted.values(),
        *([_of_twins(measured, twins)] if twins else []),
    ]
    return AgreementTable(tuple(rows), measured.strength, _resolution(shifted))


def shifted_agreements(
    first: Array, second: Array, clusters: Any, shifts: Sequence[int] = (-2, -1, 1, 2), confidence: float = 0.95
) -> dict[int, Agreement]:
    """Agreement of the first map with the second one so many layers later, of maps [fact role layer], by shift.

    Shifts as long as the map are left out.
    """
    return {
        layers: population_agreement(shifted_maps(first, second, clusters, layers), confidence=confidence)
        for layers in shifts
        if layers and abs(layers) < first.shape[2]
    }


def _measured(measured: Agreement) -> Reference:
    nan = float("nan")
    return Reference(
        "measured", "both modalities", measured.value, measured.low, measured.high, nan, nan, nan, "", measured.n_facts
    )


def _beside(part: Part, name: str, measured: Agreement, one: Agreement, margin: float = 0.0) -> Reference:
    """A row of another agreement, of the same subjects or of others."""
    value = low = high = float("nan")
    if measured.moved is not None and one.moved is not None:
        apart = difference(measured.moved, one.moved)
        value, (low, high) = apart.value, apart.interval(measured.confidence)
    relation = _to_ceiling(one, low, high, margin) if part == "ceiling" else _to_floor(one, low)
    return Reference(part, name, one.value, one.low, one.high, value, low, high, relation, one.n_facts)


def _to_floor(floor: Agreement, low: float) -> Relation:
    if floor.moved is None:
        return "no map"
    return "above" if low > 0 else "not above"


def _to_ceiling(ceiling: Agreement, low: float, high: float, margin: float) -> Relation:
    if ceiling.moved is None:
        return "no map"
    if low > -margin:
        return "reached"
    return "below" if high < 0 else "undecided"


def _of_twins(measured: Agreement, twins: Sequence[Agreement]) -> Reference:
    """The row of models that learnt nothing: their mean r, and the bound that one more would stay below."""
    found = np.array([one.value for one in twins if one.moved is not None])
    bound, mean = _bound(found), float(found.mean()) if len(found) else float("nan")
    relation: Relation = "above" if measured.low > bound else "not above"
    if np.isnan(bound):
        relation = "no map" if not len(found) and len(twins) >= FEWEST_TWINS else "too few"
    nan = float("nan")
    name = f"{len(twins)} twins"
    return Reference("twins", name, mean, nan, bound, measured.value - mean, nan, nan, relation, len(found))


def _bound(values: Array) -> float:
    """One-sided 95 % prediction bound for one more value."""
    count = len(values)
    if count < FEWEST_TWINS:
        return float("nan")
    if count >= RANKED_TWINS:
        return float(np.sort(values)[int(np.ceil(0.95 * (count + 1) - 1e-9)) - 1])
    reach = float(scipy.stats.t.ppf(0.95, count - 1)) * float(values.std(ddof=1)) * float(np.sqrt(1 + 1 / count))
    return float(values.mean()) + reach


def _resolution(shifted: Mapping[int, Reference]) -> float:
    """The smallest size of a shift from which on both directions lie below the measured agreement; NaN: none does."""
    found = float("nan")
    for size in sorted({abs(layers) for layers in shifted}, reverse=True):
        if any(row.relation != "above" for layers, row in shifted.items() if abs(layers) == size):
            break
        found = float(size)
    return found


def _written(value: float, low: float, high: float) -> str:
    if np.isnan(value):
        return "–"
    if np.isnan(high):
        return f"{value:.2f}"
    return f"{value:.2f} (bound {high:.2f})" if np.isnan(low) else f"{value:.2f} [{low:.2f}, {high:.2f}]"
