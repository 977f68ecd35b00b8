"""The canary of activation patching: that of its grid, and one cell of each component that is run in two ways.

Cells that are computed in closed form (`spiritlens.analysis.patching.closed_form`) never pass the code that the sweep's
canary is about; so one of them per component, whose turn follows from the prompt's id, is swept as well, and what they
are apart counts as a deviation of *all*. Rows of patterns are not swept and have no such twin. Values from other layers
or positions, and drawn ones, add up to no run: then only *self* and the twins are left.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from spiritlens.analysis.grid.canary import Deviations, canary_programs, deviations, largest, turn_of
from spiritlens.analysis.grid.results import array
from spiritlens.analysis.patching.grid import Patch
from spiritlens.runs.sweep.plan import Program
from spiritlens.runs.sweep.sweep import SweepResult


@dataclass(frozen=True, eq=False)
class PatchCanary:
    """Programs of the grid's canary, and of the `twins`, patches that are computed in closed form too."""

    own: tuple[Program, ...]
    twins: tuple[int, ...]
    twin_programs: tuple[Program, ...]

    @property
    def programs(self) -> tuple[Program, ...]:
        """What the sweep runs after its other cells: the twins last, for some of them can move nothing."""
        return (*self.own, *self.twin_programs)

    def deviations(self, result: SweepResult, start: int, values: Tensor) -> Deviations:
        """Deviations of the swept rows from `start` on, and of the twins from the patches' `values` ``[patch sample
        metric]``."""
        split = start + len(self.own)
        rows, donor = array(result.values[start:split]), array(result.source) if len(self.own) > 1 else None
        found = deviations(rows, array(result.base), donor)
        if not self.twins:
            return found
        apart = (values[list(self.twins)] - result.values[split:]).abs().amax((0, 1))
        return largest([found, Deviations(everywhere=array(apart))])


def patch_canary(
    patches: Sequence[Patch], closed: Sequence[int], positions: Sequence[int], n_layers: int, prompt_id: str
) -> PatchCanary:
    """The canary of patches, of which those at the places `closed` are computed in closed form.

    `positions` are all from the first at which the runs differ. Twins are at the last site, where a patch moves most.
    """
    by_component: dict[str, list[int]] = {}
    for index in closed:
        if patches[index].component != "pattern":
            by_component.setdefault(patches[index].component, []).append(index)
    twins = []
    for some in by_component.values():
        end = max(max(patches[index].positions) for index in some)
        last = [index for index in some if max(patches[index].positions) == end]
        twins.append(last[turn_of(prompt_id) % len(last)])
    components = {patch.component for patch in patches}
    programs = canary_programs(components, n_layers, positions, prompt_id)
    return PatchCanary(tuple(programs), tuple(twins), tuple(patches[index].program() for index in twins))
