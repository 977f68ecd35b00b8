"""Effects whose modalities are paired when that is asked for, each way once: a page asks in several places."""

from dataclasses import dataclass, field

import xarray as xr

from spiritlens.comparison.pairing import Last, Pairs, paired, prompt_maps
from spiritlens.terms import Facts


@dataclass(frozen=True, eq=False)
class PairedEffects:
    """One dataset of effects, and the pairs that were `made` of it."""

    effects: xr.Dataset
    made: dict[tuple[str, tuple[str, str], Facts, Last], Pairs] = field(default_factory=dict, repr=False)

    def pairs(self, metric: str, kinds: tuple[str, str], facts: Facts = "known", last: Last = "read-out") -> Pairs:
        """The facts of both modalities in one metric, as `spiritlens.comparison.pairing.paired` pairs them.

        Raises ValueError where no fact is in both.
        """
        asked = metric, kinds, facts, last
        if asked not in self.made:
            maps = prompt_maps(self.effects, metric, last)
            self.made[asked] = paired(maps, maps, kinds, facts)
        return self.made[asked]
