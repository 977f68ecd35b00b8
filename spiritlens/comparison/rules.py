"""The rules of a comparison, declared before the data are seen and stored with its result.

*alpha* is the level of every test, and 1 − alpha the confidence of every interval. *margins* are the smallest effects
of interest (`spiritlens.comparison.margins`). *clusters* says what is one witness: a subject with all its facts, a
relation with all of its, or both, whichever of the two allows less. *cells* says which error is held over the many
cells of a map: of any false cell (family-wise: max-T), or of the share of false ones among those found (false
discovery: Benjamini & Yekutieli 2001); *family* whether the cells of one metric are tested together, or those of all.
"""

from dataclasses import dataclass, field
from typing import Literal

from spiritlens.arguments import check_choice, number, shown
from spiritlens.comparison.margins import Margins

Clusters = Literal["subject", "relation", "both"]
"""What stands and falls together; both: two ways, and what is said holds by either."""

CellErrors = Literal["family-wise", "false discovery"]
"""family-wise: no false cell at all, but in alpha of studies; false discovery: at most alpha of the found are false."""

Family = Literal["metric", "all metrics"]
"""metric: the cells of the compared metric are one family; all metrics: those of every traced metric together."""


@dataclass(frozen=True)
class Rules:
    """Level, margins, clusters and families of a comparison; raises ValueError for values that are none."""

    alpha: float = 0.05
    margins: Margins = field(default_factory=Margins)
    clusters: Clusters = "subject"
    cells: CellErrors = "family-wise"
    family: Family = "metric"

    def __post_init__(self) -> None:
        number("alpha", self.alpha, above=0, below=0.5)
        if not isinstance(self.margins, Margins):
            raise ValueError(f"margins={shown(self.margins)}: expected sl.comparison.Margins(share=…, layers=…)")
        check_choice("clusters", self.clusters, Clusters)
        check_choice("cells", self.cells, CellErrors)
        check_choice("family", self.family, Family)

    @property
    def confidence(self) -> float:
        """Confidence of the intervals."""
        return 1 - self.alpha
