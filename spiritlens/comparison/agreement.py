"""Agreement of two modalities: the correlation over cells of the two *population* maps, with an interval.

    r = S_ab / √(S_aa S_bb)

with S by products of different subjects (`spiritlens.comparison.subject_products`), so that r estimates the correlation
of the true mean maps, not of two noisy measurements: maps that are the same have r = 1 however noisy the facts are, and
noise that facts carry into both modalities adds nothing. Its interval is a delete-one-subject jackknife's. It estimates
and does not test: r above 0 is what any two maps have that fall over layers at the subject and rise at the read-out,
also those of a model of random weights. What r is worth is told by its floors and ceilings
(`spiritlens.comparison.reference_points`).

Words come from the *lower end* of the interval: what the data vouch for, not what they happen to show. No interval is
given where a modality has no map: its own S (the variance of its true map over cells) must lie above 0, by a one-sided
jackknife test at the same confidence, since a quotient by what may be 0 can be anything.

**Split halves.** What two maps of different halves of the subjects would correlate at, on average over all splits,
needs no splitting: with the noise variance of the mean map V = ⟨ā, ā⟩ − S_aa, which halving the facts doubles,

    within first   S_aa / (S_aa + 2 V_a)          across   S_ab / √((S_aa + 2 V_a)(S_bb + 2 V_b))

*across* beside the two *within* is the ceiling of two noisy maps without the bias of shared noise. The reliability of a
mean map of all facts is S_aa / ⟨ā, ā⟩, which is the halves' corrected to full length (Spearman 1910, Brown 1910).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.special

from spiritlens.comparison.fact_maps import FactMaps
from spiritlens.comparison.jackknife import Jackknifed, jackknifed
from spiritlens.comparison.subject_products import Mask, PopulationMoments, population_moments, shared_cells
from spiritlens.effects.clusters import Array
from spiritlens.effects.intervals import FEWEST_CLUSTERS

FEWEST_CELLS = 3
"""Maps of fewer cells are not correlated: two points always lie on a line."""

Strength = Literal["closely", "in part", "weakly", "not shown"]
"""How far two maps agree at least: see `STRENGTHS`; not shown: the interval reaches 0, or there is none."""

STRENGTHS: tuple[tuple[Strength, float], ...] = (("closely", 0.8), ("in part", 0.5), ("weakly", 0.0))
"""The word for an agreement by what the lower end of its interval reaches."""


@dataclass(frozen=True)
class SplitHalves:
    """Mean correlation of the maps of two halves of the subjects: `first` and `second` within a modality, `across` of
    the first modality in one half and the second in the other."""

    first: float
    second: float
    across: float


@dataclass(frozen=True, eq=False)
class Agreement:
    """Correlation of two population maps; NaN, with the reason in `why`, where there is none to be told.

    `value` lies in [−1, 1] (an estimate beyond is cut), `low` and `high` too. `moved` holds the estimate as it was,
    with what each subject moves, for differences from other agreements. `reliability` is that of either mean map.
    """

    value: float
    low: float
    high: float
    confidence: float
    reliability: tuple[float, float]
    halves: SplitHalves
    n_facts: int
    n_clusters: int
    n_cells: int
    n_cells_left_out: int
    why: str
    moved: Jackknifed | None

    @property
    def strength(self) -> Strength:
        """The word that the lower end of the interval bears."""
        return next((word for word, least in STRENGTHS if self.low > 0 and self.low >= least), "not shown")


def population_agreement(maps: FactMaps, *, confidence: float = 0.95) -> Agreement:
    """How far the population maps of two modalities agree, with a jackknife interval over clusters.

    Estimate and interval: none below `FEWEST_CLUSTERS` clusters or `FEWEST_CELLS` cells that enough of them have in
    both modalities, nor where a modality has no map; `why` says which. Coverage is counted in
    ``experiments/agreement_calibration.py``. Source: this project's, of a U-statistic (Hoeffding 1948) and the
    jackknife (Tukey 1958).
    """
    cells = shared_cells(maps)
    n_clusters = len(set(maps.clusters.tolist()))
    if n_clusters < FEWEST_CLUSTERS:
        return _none(maps, cells, confidence, f"{n_clusters} subjects, fewer than {FEWEST_CLUSTERS}")
    if int(cells.sum()) < FEWEST_CELLS:
        return _none(maps, cells, confidence, f"{int(cells.sum())} shared cells, fewer than {FEWEST_CELLS}")
    moments = population_moments(maps.of_cells(cells))
    missing = [name for name, own in (("first", moments.of_first), ("second", moments.of_second)) if _no_map(own)]
    if missing:
        return _none(maps, cells, confidence, f"no map is told from noise in the {' and the '.join(missing)} modality")
    moved = jackknifed(correlations(moments), moments.clusters)
    low, high = moved.interval(confidence)
    return Agreement(
        value=_within(moved.value),
        low=_within(low),
        high=_within(high),
        confidence=confidence,
        reliability=_reliability(moments),
        halves=_halves(moments),
        n_facts=len(maps.first),
        n_clusters=n_clusters,
        n_cells=int(cells.sum()),
        n_cells_left_out=int((~cells).sum()),
        why="",
        moved=moved,
    )


def correlations(moments: PopulationMoments) -> Array:
    """r of all data and without each cluster [1 + cluster]; NaN where a modality's S is not above 0."""
    scale = moments.of_first * moments.of_second
    usable = (moments.of_first > 0) & (moments.of_second > 0)
    return np.where(usable, moments.across / np.sqrt(np.where(usable, scale, 1.0)), np.nan)


def _no_map(own: Array) -> bool:
    """Whether the variance of a modality's true map over cells may be 0."""
    moved = jackknifed(own, [str(place) for place in range(len(own) - 1)])
    return not bool(moved.value - float(scipy.special.stdtrit(moved.smallest - 1, 0.95)) * moved.error > 0)


def _reliability(moments: PopulationMoments) -> tuple[float, float]:
    """Share of the variance of either mean map that is the true map's."""
    return (
        _within(float(moments.of_first[0] / moments.mean_first[0])),
        _within(float(moments.of_second[0] / moments.mean_second[0])),
    )


def _halves(moments: PopulationMoments) -> SplitHalves:
    first, second, across = (float(one[0]) for one in (moments.of_first, moments.of_second, moments.across))
    of_first = first + 2 * max(0.0, float(moments.mean_first[0]) - first)
    of_second = second + 2 * max(0.0, float(moments.mean_second[0]) - second)
    return SplitHalves(first / of_first, second / of_second, _within(across / float(np.sqrt(of_first * of_second))))


def _within(value: float) -> float:
    """A correlation that an estimate put beyond −1 or 1."""
    return float(np.clip(value, -1.0, 1.0))


def _none(maps: FactMaps, cells: Mask, confidence: float, why: str) -> Agreement:
    nan = float("nan")
    return Agreement(
        value=nan,
        low=nan,
        high=nan,
        confidence=confidence,
        reliability=(nan, nan),
        halves=SplitHalves(nan, nan, nan),
        n_facts=len(maps.first),
        n_clusters=len(set(maps.clusters.tolist())),
        n_cells=int(cells.sum()),
        n_cells_left_out=int((~cells).sum()),
        why=why,
        moved=None,
    )
