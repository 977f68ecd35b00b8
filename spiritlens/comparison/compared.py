"""The numbers of a comparison, of which tables and sentences are made (`spiritlens.comparison.result`).

Nothing is told of a comparison that is *closed*: where there are too few subjects, or the total effects of both
modalities are not told from 0 or are too small to be divided up, or what is answered is no recall of the same facts,
every number still stands in the result, but no sentence is made of it.
"""

from dataclasses import dataclass, fields
from typing import Any

import xarray as xr

from spiritlens.comparison.covariate import Adjusted
from spiritlens.comparison.equivalence import Judged, Verdict
from spiritlens.comparison.estimates import Estimate
from spiritlens.comparison.fact_identity import FactIdentity
from spiritlens.comparison.rules import Rules
from spiritlens.comparison.same_parts import ServedParts
from spiritlens.comparison.statistics import ComponentComparison
from spiritlens.effects.variance import VarianceComponents


@dataclass(frozen=True)
class Headline:
    """What a second metric says: of total effects, of the centre at the subject of `component` and of cells; `closed`
    is why it says nothing."""

    metric: str
    words: str
    closed: str
    total_difference: Judged
    component: str
    centre: Judged | None
    n_different: int
    n_tested: int


@dataclass(frozen=True, eq=False)
class Compared:
    """What `compare` found, in numbers.

    `cells` [component layer role] holds `difference low high statistic p_value smallest_p n_facts detectable verdict`;
    `everywhere` is the verdict on all cells, `cell_level` the p at which one is told as different.
    `identity` is fact identity among all facts, and within relations.
    `closed` is why nothing is told of it ("": something is); `served` is what the heads of one modality do in the
    other, where an interchange was given; `conditions` are sentences on what it does not reach;
    `canary` is what two patches of known outcome say of the engine; `resamples`, `permutations` and `seed` are what
    was drawn.
    """

    kinds: tuple[str, str]
    metric: str
    metric_sign: int
    metric_words: str
    direction: str
    done: str
    rules: Rules
    n_facts: int
    n_subjects: int
    n_clusters: int
    n_left_out: int
    closed: str
    total: tuple[Estimate, Estimate]
    total_difference: Estimate
    total_judged: Judged
    components: tuple[ComponentComparison, ...]
    cells: xr.Dataset
    cell_margin: float
    cell_level: float
    everywhere: Verdict
    identity: tuple[FactIdentity, FactIdentity]
    second: Headline | None
    served: tuple[ServedParts, ...]
    heard: Adjusted | None
    limited_by: tuple[VarianceComponents | None, ...]
    conditions: tuple[str, ...]
    resamples: int
    permutations: int
    seed: int
    canary: str

    def __setstate__(self, state: dict[str, Any]) -> None:
        missing = [field.name for field in fields(self) if field.name not in state]
        if missing:
            raise ValueError(
                f"this comparison was saved by an earlier version, without {', '.join(missing[:3])} …: its statistics "
                "were others; call compare(effects) again"
            )
        self.__dict__.update(state)

    @property
    def confidence(self) -> float:
        """Confidence of all intervals."""
        return self.rules.confidence

    @property
    def alpha(self) -> float:
        """Level of all tests."""
        return self.rules.alpha

    @property
    def n_tested(self) -> int:
        """Cells that were compared."""
        return int(self.cells["p_value"].notnull().sum())

    @property
    def n_different(self) -> int:
        """Cells that differ: by their adjusted p, and by at least the smallest effect of interest."""
        return int((self.cells["verdict"] == "different").sum())

    def __getitem__(self, component: str) -> ComponentComparison:
        for one in self.components:
            if one.component == component:
                return one
        raise KeyError(
            f"component {component!r} was not compared; choose from {[one.component for one in self.components]}"
        )
