"""Runs of the model with sets of parts removed: many sets of one prompt as rows of one batch.

A removed part gets its stand-in (zero, the mean of tokens like its own, or one of them), whatever the rest of the model
does; kept parts are computed anew from what they now read. Heads and sites are cells of the exact sweep
(`spiritlens.runs.sweep`), edges are run by `spiritlens.analysis.interchange.edge_runs`.

Axes: values ``[set]``, means over samples of what is drawn. Source: Wang et al. 2022 (arXiv 2211.00593), section 2.2.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from spiritlens.analysis.grid.grid import Draws
from spiritlens.analysis.heads.references import Reference, check_stand_ins
from spiritlens.analysis.interchange.parts import Part, removing
from spiritlens.components import hook_name
from spiritlens.models.lens import Lens
from spiritlens.own_errors import would_repeat
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.spans import EVERYWHERE
from spiritlens.runs.corruptions.knock_out import KnockOutKind
from spiritlens.runs.metrics import Metric
from spiritlens.runs.scoring import Scorer, prompt_scorers
from spiritlens.runs.sweep.plan import Action, Program
from spiritlens.runs.sweep.recorded import RecordedPair, RecordedRun, record
from spiritlens.runs.sweep.sweep import plan_sweep

Advance = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class SetValues:
    """Metric values of one prompt: `values` ``[set]``, of the model as it is (`clean`) and of what is left without any
    part (`empty`); `noise_floor`: how far a run in which nothing is removed is from `clean`."""

    values: np.ndarray[Any, np.dtype[np.float64]]
    clean: float
    empty: float
    noise_floor: float


class SetRuns(Protocol):
    """What removes sets of parts, given by their numbers, from a prompt's run."""

    @property
    def stand_ins(self) -> "StandIns":
        """What stands in for them."""

    def values(self, prompt: Prompt, removed: Sequence[Sequence[int]]) -> SetValues:
        """Values of the prompt with each set of parts removed."""


@dataclass(frozen=True, eq=False)
class StandIns:
    """What stands in for removed parts, by component: tokens of the same role and modality of prompts about other
    subjects (`spiritlens.analysis.heads.references`)."""

    lens: Lens
    prompts: tuple[Prompt, ...]
    kind: KnockOutKind
    components: tuple[str, ...]
    draws: Draws

    def check(self) -> None:
        """Every token finds one of its modality in a prompt about another subject."""
        if self.kind != "zero":
            for prompt in self.prompts:
                check_stand_ins(prompt, prompt.span(EVERYWHERE).positions, self.prompts, "same subject")

    @cached_property
    def pools(self) -> dict[str, Reference]:
        """The reference tokens of each component, recorded once."""
        if self.kind == "zero":
            return {}
        model, removal = self.lens.backend, self.kind
        return {name: Reference(model, self.prompts, removal, "same subject", name) for name in self.components}

    @property
    def samples(self) -> int:
        """How many are drawn."""
        return self.draws.samples if self.kind == "resample" else 1

    def of(self, component: str, prompt: Prompt, positions: Sequence[int], like: Sequence[Tensor]) -> list[Tensor]:
        """By layer, values ``[sample pos …]`` with the stand-ins at the positions; `like` are those of a run ``[1 pos
        …]``, which stand everywhere else."""
        result = [values.repeat(self.samples, *[1] * (values.ndim - 1)) for values in like]
        pool = self.pools.get(component)
        found = None if pool is None else pool.values(prompt, positions, self.samples, self.draws.seed)
        for layer, values in enumerate(result):
            values[:, list(positions)] = 0 if found is None else found[:, :, layer]
        return result


def serving(lens: Lens, prompts: Sequence[Prompt], kind: KnockOutKind) -> tuple[Prompt, ...]:
    """The prompts that stand-ins come from: those that the model can run. Raises the first error where none can be."""
    found, errors = [], []
    for prompt in prompts if kind != "zero" else ():
        try:
            lens.backend.cache(prompt.tokens, [hook_name("resid_post", lens.backend.n_layers - 1)])
        except Exception as error:
            if not would_repeat(error):
                raise
            errors.append(error)
        else:
            found.append(prompt)
    if errors and not found:
        raise errors[0]
    return tuple(found) if kind != "zero" else tuple(prompts)


@dataclass(frozen=True, eq=False)
class SweptSets:
    """Sets of heads or sites, as cells of the exact sweep."""

    stand_ins: StandIns
    parts: tuple[Part, ...]
    metric: Metric

    def values(self, prompt: Prompt, removed: Sequence[Sequence[int]]) -> SetValues:
        """Values of the prompt with each set of parts removed."""
        places = {part: part.positions(prompt) for part in self.parts}
        sets = [*removed, range(len(self.parts)), ()]
        programs = [removing([self.parts[number] for number in numbers], places) for numbers in sets]
        nothing: Program = {0: (Action("z", prompt.span(EVERYWHERE).positions, None, "base"),)}
        programs = [program or nothing for program in programs]  # run all the same: it shows the noise floor
        parts = prompt_scorers(self.stand_ins.lens, prompt, [self.metric])
        found = [self._swept(prompt, programs, scorer) for scorer in parts]
        values, clean = np.sum([some for some, _ in found], axis=0), sum(whole for _, whole in found)
        return SetValues(values[:-2], clean, float(values[-2]), abs(float(values[-1]) - clean))

    def _swept(
        self, prompt: Prompt, programs: Sequence[Program], scorer: Scorer
    ) -> tuple[np.ndarray[Any, np.dtype[np.float64]], float]:
        """All programs in one sweep: values ``[program]`` and that of the model as it is."""
        lens = self.stand_ins.lens
        model, positions = lens.backend, prompt.span(EVERYWHERE).positions
        tokens = torch.tensor([[*prompt.ids, *scorer.forced]], device=model.device)
        names = {
            name: [hook_name(name, layer) for layer in range(model.n_layers)] for name in self.stand_ins.components
        }
        always = [place for place, program in enumerate(programs) if program == programs[-1]]
        sweep = plan_sweep(model, programs, tokens.shape[1], 0, scorer.n_readouts, always)
        wanted = [*sweep.names["base"], *(name for found in names.values() for name in found)]
        base = record(model, tokens, None, wanted, scorer.n_readouts)
        replaced: dict[str, Tensor] = {}
        for component, hooks in names.items():
            values = self.stand_ins.of(component, prompt, positions, [base.values[name] for name in hooks])
            replaced |= dict(zip(hooks, values, strict=True))
        samples = self.stand_ins.samples
        marker = torch.zeros(samples, 1, 1, dtype=model.dtype, device=model.device) if samples > 1 else None
        runs: RecordedPair = {"base": base, "source": RecordedRun(tokens, marker, replaced, base.logits)}
        result = sweep.run(model, runs, scorer.with_clean(base.logits), memory_budget=lens.memory_budget)
        return result.values.double().mean(1)[:, 0].cpu().numpy(), float(result.base[0, 0])
