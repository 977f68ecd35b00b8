"""The comparison that leads a page: its findings stand at the top, and the views draw it where it is of their effects.

Where it is not, or where a page has no effects, the page has the comparison's own section, to which its numbers lead;
what was told of an interchange has a section of its own, for no view draws it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr

from spiritlens.comparison.belonging import other_effects
from spiritlens.comparison.paired_effects import PairedEffects
from spiritlens.comparison.result import Comparison
from spiritlens.effects.schema import site_axis
from spiritlens.report.page.document import Section
from spiritlens.report.page.sections.comparison import comparison_section, served_section
from spiritlens.report.page.sections.given import Among, key_of


@dataclass(frozen=True, eq=False)
class Leading:
    """A `comparison` (None: there is none) of the effects `name` ("": of none on the page), which is the result
    `result` of the page ("": it is none); `paired` are all effects of the page, in the order of its views."""

    paired: Mapping[str, PairedEffects]
    comparison: Comparison | None = None
    name: str = ""
    result: str = ""

    @property
    def drawn(self) -> Comparison | None:
        """The comparison, where the views draw it: where it is of the effects that they draw first."""
        return self.comparison if self.name and self.name == next(iter(self.paired)) else None

    def tables(self) -> tuple[str, Sequence[Section]]:
        """The key of the section with its tables ("": there is none), and what has to be added for it."""
        if self.comparison is None:
            return "", ()
        if self.result:
            return key_of("comparison", self.result), ()
        if self.drawn is not None:
            added = [served_section(self.comparison)] if self.comparison.served else []
        else:
            own = Among(effects=self.paired.get(self.name))
            added = [comparison_section("what was found", self.comparison, own)]
        return added[0].key if added else "", added


def leading(given: Comparison | None, results: Mapping[str, Any], traced: Mapping[str, xr.Dataset]) -> Leading:
    """The comparison that was given, which must be of effects on the page, else the first among the results that is.

    Raises ValueError for a given one of other effects.
    """
    ordered = sorted(traced, key=lambda name: site_axis(traced[name]) != "role")  # by role first, else as given
    paired = {name: PairedEffects(traced[name]) for name in ordered}
    found = {name: one for name, one in results.items() if isinstance(one, Comparison)}
    if given is not None:
        found = {next((name for name, one in found.items() if one is given), ""): given}
    for result, one in found.items():
        reasons = {name: other_effects(one, paired[name]) for name in traced}
        name = next((name for name, why in reasons.items() if not why), "")
        if name or not traced:
            return Leading(paired, one, name, result)
        if given is not None:
            raise ValueError(
                f"comparison= is not of the effects on this page ({next(iter(reasons.values()))}): pass what "
                "sl.compare returns for them"
            )
    return Leading(paired)
