"""The smallest effect of interest: how large a difference must be before it is told as one, or ruled out.

A test alone answers whether a difference is exactly 0; with enough facts every rounding differs. The margin δ is
declared before the data are seen, stored with the result, and used twice: a difference is told only where its estimate
reaches δ, and two modalities are called equivalent only where everything outside ±δ is ruled out
(`spiritlens.comparison.equivalence`).

Units: cells and total effects in shares of the total effect; shifts in layers; agreements in units of r. No margin in
shares lies below ten times the *noise floor*, the largest effect that was measured where nothing was patched.

Sources: Lakens, Scheel & Isager (2018), Equivalence testing for psychological research, section "Setting the smallest
effect size of interest"; the values are this project's.
"""

from dataclasses import dataclass

from spiritlens.arguments import number


@dataclass(frozen=True)
class Margins:
    """Smallest effects of interest; raises ValueError for values that are no margins.

    `share`: of the total effect, for cells and for total effects themselves. `layers`: for shifts of a peak, a centre
    or a crossing; half a layer is where two places round to the same one. `correlation`: for differences of two r.
    `noise_floors`: how many noise floors a margin in shares has at least.
    """

    share: float = 0.05
    layers: float = 0.5
    correlation: float = 0.1
    noise_floors: float = 10.0

    def __post_init__(self) -> None:
        for name in ("share", "layers", "correlation"):
            number(name, getattr(self, name), above=0)
        number("noise_floors", self.noise_floors, at_least=1)

    def of_cells(self, noise_floor: float = 0.0) -> float:
        """The margin of cells, in shares of the total effect, as is `noise_floor`."""
        return max(self.share, self.noise_floors * noise_floor)

    def of_totals(self, total: float, noise_floor: float = 0.0) -> float:
        """The margin of a difference of total effects in the metric's unit, as are `total` (their mean size) and
        `noise_floor`."""
        return max(self.share * abs(total), self.noise_floors * noise_floor)
