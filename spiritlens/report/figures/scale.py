"""The colour scale of a map: how strong a colour is, is tied to the total effect.

Full colour is the total effect, or the largest cell where one exceeds it: a map whose cells carry little of the total
effect is pale, and maps on one scale can be compared. A single head carries a part of it only, so maps of heads reach
full colour at a quarter (`OF_HEADS`). Where nothing was lost that could be told from rounding (a total effect within
the noise floor), no cell is drawn stronger than a quarter of the scale, and a line says so. Where no total effect is
known (measures without a corrupted run, averages of earlier versions), full colour is the largest cell.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.report.figures.look import DIVERGING, equally_wide
from spiritlens.report.numerals import number_words, tick_words, ticks_within

OF_HEADS = 0.25
"""Full colour of a map of single heads, as a share of the total effect."""
PALE = 0.25
"""How much of the scale is used where there is no effect to show."""


@dataclass(frozen=True)
class Scale:
    """Half-width of a diverging scale about 0, and what is to be said of it ("": nothing)."""

    limit: float
    line: str = ""

    def axis(self, title: str, **bar: Any) -> dict[str, Any]:
        """Plotly's colour axis with its bar, titled, at round ticks."""
        ticks = ticks_within(self.limit)
        colour_bar = {
            **{"title": {"text": title, "side": "right", "font": {"size": 12}}, "tickvals": ticks},
            **{"ticktext": equally_wide(tick_words(ticks)), "thickness": 12, "outlinewidth": 0, **bar},
        }
        return {"colorscale": DIVERGING, "cmin": -self.limit, "cmax": self.limit, "colorbar": colour_bar}


def effect_scale(*maps: Any, total: Any = np.nan, floor: float = 0.0, part: float = 1.0) -> Scale:
    """The scale of maps of effects whose total effects are `total` (one number, or several): full colour is `part` of
    the largest. Changes up to `floor` are rounding."""
    largest = largest_of(*maps)
    totals = np.abs(np.asarray(total, dtype=np.float64)).reshape(-1)
    known = totals[~np.isnan(totals)]
    strongest = float(known.max()) if known.size else largest
    if strongest <= floor and floor > 0:
        what = "the total effect" if known.size else "the largest effect"
        line = f"pale: {what}, {number_words(strongest)}, is within the noise floor, {number_words(floor)}"
        return Scale(max(largest, floor) / PALE, line)
    reach = part * strongest if known.size else largest
    return Scale(max(reach, largest) or 1.0)


def share_scale(*maps: Any, part: float = 1.0) -> Scale:
    """The scale of shares of the total effect: full colour is `part` of it, or the largest cell where one exceeds
    that."""
    return Scale(max(part, largest_of(*maps)))


def averages_scale(average: xr.Dataset, *maps: Any, part: float = 1.0) -> Scale:
    """The scale of averages of one metric: their total effects are full colour."""
    if average.attrs["quantity"] == "normalised":
        return share_scale(*maps, part=part)
    if "total_effect" not in average.variables:
        return effect_scale(*maps)
    return effect_scale(*maps, total=average["total_effect"].values, floor=float(average["noise_floor"]), part=part)


def largest_of(*maps: Any) -> float:
    """The largest absolute value in the maps; 0 where there is none."""
    arrays = [np.asarray(values, dtype=np.float64) for values in maps]
    return max((float(np.nanmax(np.abs(values))) for values in arrays if not np.isnan(values).all()), default=0.0)
