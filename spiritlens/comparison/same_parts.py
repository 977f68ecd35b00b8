"""Do the same heads carry recall in both modalities? Read from an interchange, where one was given.

That two rankings share heads is no finding: in models of random weights the same heads lead in both modalities
(`spiritlens.comparison.head_ranking`). What counts is what the heads of one modality *do* in the other: the first k* of
the ranking made in one, on half of the facts, are kept in the other, on the other half, beside that modality's own
first k* (`spiritlens.effects.faithfulness`; k* is where the own ranking suffices). For each direction, with d = f by
the own ranking − f by the other modality's, in shares of the recall:

- **the same serve**: they keep more than parts drawn at random (interval above 0), and the interval of d lies below the
  margin (non-inferiority at alpha/2), or d is 0 in every fact;
- **others are needed**: d reaches the margin and its interval lies above 0, both directions sharing alpha (Bonferroni);
- else it is said that neither is shown.

It is one family of its own, since it is another result's: it shares no alpha with the differences of maps.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from spiritlens.comparison.conditions import KIND_WORDS
from spiritlens.comparison.estimates import Estimate
from spiritlens.comparison.rules import Rules
from spiritlens.comparison.said import Said, Spot, Stretch, What, about, joined
from spiritlens.effects.faithfulness import faithfulness_areas
from spiritlens.effects.intervals import SAME

Serve = Literal["the same serve", "others are needed", "not shown"]
"""What is said of the parts of one modality in the other."""


SERVED: tuple[What, ...] = ("parts", "kept", "beyond random", "below own")
"""What is told of each direction."""


@dataclass(frozen=True)
class ServedParts:
    """What the first `enough` of `n_parts` parts, ranked in `found`, keep of the recall in `kept` (`f`); by how much
    the own ranking keeps more (`less`), and a random one less (`beyond_random`). `why`: why there is none."""

    found: str
    kept: str
    parts: str
    n_parts: int
    enough: int
    f: Estimate
    less: Estimate
    beyond_random: Estimate
    serve: Serve
    why: str


def served_parts(interchanged: xr.Dataset, kinds: tuple[str, str], rules: Rules) -> tuple[ServedParts, ...]:
    """Both directions between the modalities; raises ValueError for what `sl.interchange` did not return."""
    told, shared = (faithfulness_areas(interchanged, 1 - level) for level in (rules.alpha, rules.alpha / 2))
    found = []
    for one, other in (kinds, kinds[::-1]):
        chosen = [(each["direction"] == f"{one}→{other}") & (each["ranking"] == "ranked") for each in (told, shared)]
        if not chosen[0].any():
            raise ValueError(f"interchanged has no direction {one}→{other}: it is of other modalities than {kinds}")
        row, strict = (dict(each[rows].iloc[0]) for each, rows in zip((told, shared), chosen, strict=True))
        less = _estimate(row, "f(k*) below own")
        random = _estimate(row, "f(k*) above random")
        apart = less.value >= rules.margins.share and strict["f(k*) below own low"] > 0
        none_less = less.high < rules.margins.share or (np.isnan(less.high) and abs(less.value) <= SAME)
        same = none_less and random.low > 0
        found.append(
            ServedParts(
                found=one,
                kept=other,
                parts=str(interchanged.attrs.get("parts", "parts")),
                n_parts=int(interchanged.sizes["part"]),
                enough=int(row["k*"]),
                f=_estimate(row, "f(k*)"),
                less=less,
                beyond_random=random,
                serve="the same serve" if same else "others are needed" if apart else "not shown",
                why=str(row["why"]),
            )
        )
    return tuple(found)


def _estimate(row: dict[str, float], name: str) -> Estimate:
    return Estimate(*(float(row[f"{name}{end}"]) for end in ("", " low", " high")))


def served_sentences(found: tuple[ServedParts, ...], margin: float) -> Iterator[Said]:
    """A sentence for each direction."""
    for one in found:
        where, origin = KIND_WORDS[one.kept], KIND_WORDS[one.found]
        spots = {what: Stretch(0, Spot(what, kind=one.kept)) for what in SERVED}
        if one.why:
            why = f"Whether the {one.parts} that rank first {origin} serve {where} was not tested: {one.why}."
            yield about(why, spots["parts"].spot)
            continue
        end = {
            "the same serve": f": they serve as well, within {margin:.2g}.",
            "others are needed": f": recall {where} needs others.",
            "not shown": ": that they serve as well, or do not, is not shown.",
        }[one.serve]
        first = f"Kept {where}, the first {one.enough} of {one.n_parts} {one.parts} as ranked {origin} on other facts"
        clauses = [
            (first, spots["parts"]),
            (f" keep {one.f} of the recall,", spots["kept"]),
            (f" {one.beyond_random} more than random ones", spots["beyond random"]),
            (f" and {one.less} less than those ranked {where} itself", spots["below own"]),
        ]
        yield joined("", clauses, end, between="")
