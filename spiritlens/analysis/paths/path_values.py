"""Metric values of patched paths: senders as samples, receivers as cells of the exact sweep.

1. The base and the source run are recorded.
2. Each sender's change of the residual stream is carried to the stages that the receivers read
   (`spiritlens.analysis.paths.changes.residual_changes`), with the frozen nodes held at their base values.
3. A receiver reads ``base + change`` through its norm, whose scale is recomputed or held at the base run's; that
   gives its query, key, value or MLP output.
4. In the base run these values are put in place, and everything after them runs freely. Receivers are the sweep's
   cells and senders its samples, so that a whole matrix is one sweep. For the logits there is nothing left to run.

While a user's own hook is live on the model, steps 2 and 3 run whole sequences
(`spiritlens.analysis.paths.full_length`).

Units: one *cell* is a group of receivers that are patched together. Axes: values ``[group sender metric]``; NaN where
no path runs from the sender to any receiver of the group. Source: Wang et al. 2022 (arXiv 2211.00593), appendix B.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from spiritlens.analysis.grid.canary import NO_CANARY, Deviations, largest
from spiritlens.analysis.grid.results import array
from spiritlens.analysis.paths.canary import all_received
from spiritlens.analysis.paths.changes import residual_changes
from spiritlens.analysis.paths.full_length import LOGITS, hooked_readings
from spiritlens.analysis.paths.nodes import Sender
from spiritlens.analysis.paths.paths import Held, ReceiverGroup
from spiritlens.analysis.paths.readings import READ, received
from spiritlens.components import hook_name
from spiritlens.effects.paths import Norms
from spiritlens.models.protocol import LensModel
from spiritlens.runs.sweep.plan import Action, Program
from spiritlens.runs.sweep.recorded import RecordedPair, RecordedRun, Score, record
from spiritlens.runs.sweep.sweep import plan_sweep, resolved_memory_budget


@dataclass(frozen=True, eq=False)
class PathValues:
    """Values ``[group sender metric]`` (NaN: no path), `exact` ``[group sender]``: provably the base value; `base`
    ``[metric]``."""

    values: Tensor
    exact: Tensor
    base: Tensor
    noise_floor: Tensor
    canary: Deviations = NO_CANARY

    def scaled(self, share: float) -> "PathValues":
        """These values times a share: one noise sample's part of a mean."""
        return PathValues(self.values * share, self.exact, self.base * share, self.noise_floor, self.canary)

    def plus(self, other: "PathValues", share: float) -> "PathValues":
        """The sum with a share of another sample's (or continuation's) values; exact where both are."""
        part = other.scaled(share)
        return PathValues(
            self.values + part.values,
            self.exact & part.exact,
            self.base + part.base,
            torch.maximum(self.noise_floor, part.noise_floor),
            largest([self.canary, part.canary]),
        )


@dataclass(frozen=True, eq=False)
class Recorded:
    """The base and the source run of a prompt by a model, with what paths read of them."""

    model: LensModel
    base: RecordedRun
    source: RecordedRun
    n_readouts: int


def record_pair(
    model: LensModel,
    tokens: Tensor,
    base: Tensor | None,
    source: Tensor | None,
    groups: Sequence[ReceiverGroup],
    n_readouts: int,
) -> Recorded:
    """Record both runs, of tokens ``[1 pos]`` with embeddings ``[1 pos d_model]`` (None: the tokens' own)."""
    layers = range(model.n_layers)
    nodes = [
        hook_name(component, layer) for layer in layers for component in ("resid_pre", "resid_mid", "z", "mlp_out")
    ]
    writes = [hook_name(component, layer) for layer in layers for component in ("z", "mlp_out")]
    n_positions = tokens.shape[1]
    programs = [_program(group, range(n_positions), model.n_layers) for group in groups]
    programs = [program for program in programs if program]
    swept = plan_sweep(model, programs, n_positions, 0, n_readouts).names["base"]
    put_in: tuple[str, ...] = ()
    if programs:  # what the canary of the receivers reads
        names = plan_sweep(model, [all_received(model.n_layers, n_positions)], n_positions, 0, n_readouts).names
        swept, put_in = (*swept, *names["base"]), names["source"]
    base_run = record(model, tokens, base, [*nodes, *swept], n_readouts)
    source_run = record(model, tokens, source, [hook_name("resid_pre", 0), *writes, *put_in], n_readouts)
    return Recorded(model, base_run, source_run, n_readouts)


@torch.no_grad()
def path_values(
    recorded: Recorded,
    senders: Sequence[Sender],
    groups: Sequence[ReceiverGroup],
    positions: Sequence[int],
    *,
    held: Held,
    score: Score,
    memory_budget: int | None = None,
    advance: Callable[[int], None] = lambda edges: None,
) -> PathValues:
    """Values of every group for every sender patched at `positions`; `advance` is told how many edges are finished."""
    model = recorded.model
    budget = resolved_memory_budget(model.device, memory_budget)
    paths = _Paths(recorded, tuple(groups), tuple(positions), held, score, budget, advance)
    values, exact = paths.unmoved(len(senders))
    size = max(1, budget // _bytes_per_sender(model, recorded.base.tokens.shape[1]))
    floor, own = torch.zeros_like(paths.base_score), torch.zeros_like(paths.base_score)
    values_of = paths.hooked_values if model.has_user_hooks() else paths.values
    for first in range(0, len(senders), size):
        found, same, floor_here, own_here = values_of(senders[first : first + size])
        values[:, first : first + size] = found.to(values.dtype)
        exact[:, first : first + size] = same
        floor, own = torch.maximum(floor, floor_here), torch.maximum(own, own_here)
    absent = no_path(senders, groups, model.n_layers)
    values[exact] = paths.base_score
    values[absent] = torch.nan
    return PathValues(values, exact & ~absent, paths.base_score, floor, Deviations(array(own)))


def no_path(senders: Sequence[Sender], groups: Sequence[ReceiverGroup], n_layers: int) -> Tensor:
    """Whether the sender writes after every receiver of the group has read, ``[group sender]``."""
    written = torch.tensor([sender.stage for sender in senders])
    read = torch.tensor([max(receiver.stage(n_layers) for receiver in group) for group in groups])
    return written[None, :] >= read[:, None]


@dataclass(frozen=True, eq=False)
class _Paths:
    """What all senders have in common: the runs, the receivers, the positions and the rules."""

    recorded: Recorded
    groups: tuple[ReceiverGroup, ...]
    positions: tuple[int, ...]
    held: Held
    score: Score
    budget: int
    advance: Callable[[int], None]

    @cached_property
    def base_score(self) -> Tensor:
        """The base run's ``[metric]``."""
        return self.score(self.recorded.base.logits)[0]

    @cached_property
    def inner(self) -> list[int]:
        """Groups that are inside the model; the others are the logits."""
        return [index for index, group in enumerate(self.groups) if group[0].component != "logits"]

    @cached_property
    def outer(self) -> list[int]:
        """Groups that are the logits."""
        return [index for index, group in enumerate(self.groups) if group[0].component == "logits"]

    def unmoved(self, n_senders: int) -> tuple[Tensor, Tensor]:
        """The base run's values ``[group sender metric]``, none of them marked exact ``[group sender]``."""
        values = self.base_score[None, None].repeat(len(self.groups), n_senders, 1)
        return values, torch.zeros(len(self.groups), n_senders, dtype=torch.bool)

    def values(self, senders: Sequence[Sender]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Values ``[group sender metric]``, which are provably the base's, the noise floor ``[metric]``, and how far a
        sender that changes nothing moves the receivers ``[metric]``."""
        recorded, model, n_layers = self.recorded, self.recorded.model, self.recorded.model.n_layers
        base, receivers = recorded.base, [receiver for index in self.inner for receiver in self.groups[index]]
        stages = sorted({receiver.stage(n_layers) for group in self.groups for receiver in group})
        changed, changes = residual_changes(
            model, base, recorded.source, senders, self.positions, stages, self.held.frozen
        )
        if any(len(group) > 1 for group in self.groups):
            changed, changes = _on_suffix(changed, changes, base.tokens.shape[1])
        changes = {stage: torch.cat([change, torch.zeros_like(change[:1])]) for stage, change in changes.items()}
        values, exact = self.unmoved(len(senders) + 1)
        for index in self.outer:
            values[index], exact[index] = _at_logits(
                recorded, changed, changes[2 * n_layers], self.held.norms, self.score
            )
            self.advance(len(senders))
        floor = (self.score(model.logits(_read_outs(recorded))) - self.base_score).abs().amax(0)
        if receivers:
            values[self.inner], unmoved = self.swept(
                changed, received(model, base, receivers, changed, changes, self.held.norms)
            )
            exact[[self.inner[cell] for cell in unmoved]] = True
        own = (values[:, -1] - self.base_score).abs().amax(0)
        return values[:, :-1], exact[:, :-1], floor, own

    def hooked_values(self, senders: Sequence[Sender]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The same beside a user's own hooks: whole sequences, nothing taken for granted."""
        recorded, base = self.recorded, self.recorded.base
        receivers = [receiver for group in self.groups for receiver in group]
        readings = hooked_readings(
            recorded.model, base, recorded.source, senders, self.positions, receivers, self.held, recorded.n_readouts
        )
        values, exact = self.unmoved(len(senders))
        for index in self.outer:
            values[index] = self.score(readings[LOGITS])
            self.advance(len(senders))
        if self.inner:
            values[self.inner], _ = self.swept(range(base.tokens.shape[1]), readings)
        again = record(recorded.model, base.tokens, base.embeddings, [], recorded.n_readouts)
        floor = (self.score(again.logits)[0] - self.base_score).abs()
        return values, exact, floor, floor

    def swept(self, positions: Sequence[int], readings: Mapping[str, Tensor]) -> tuple[Tensor, tuple[int, ...]]:
        """Values ``[inner group, sender, metric]`` of the base run with the received values, and which cannot move."""
        model, base, n_senders = self.recorded.model, self.recorded.base, len(next(iter(readings.values())))
        rows = torch.zeros(n_senders, 1, 1, dtype=model.dtype, device=model.device)
        programs = [_program(self.groups[index], positions, model.n_layers) for index in self.inner]
        sweep = plan_sweep(model, programs, base.tokens.shape[1], min(positions), self.recorded.n_readouts)
        runs: RecordedPair = {"base": base, "source": RecordedRun(base.tokens, rows, readings, base.logits)}
        result = sweep.run(model, runs, self.score, memory_budget=self.budget, advance=self.advance)
        self.advance(n_senders * len(result.unmoved))
        return result.values, result.unmoved


def _on_suffix(
    positions: Sequence[int], changes: dict[int, Tensor], n_positions: int
) -> tuple[tuple[int, ...], dict[int, Tensor]]:
    """The same changes on every position from the first on: a receiver of a group is held everywhere, also where
    another receiver of the group would move it."""
    suffix = range(min(positions), n_positions)
    columns = [position - suffix.start for position in positions]
    widened: dict[int, Tensor] = {}
    for stage, change in changes.items():
        widened[stage] = change.new_zeros(len(change), len(suffix), change.shape[-1])
        widened[stage][:, columns] = change
    return tuple(suffix), widened


def _program(group: ReceiverGroup, positions: Sequence[int], n_layers: int) -> Program:
    """The group's patches as a cell of the sweep."""
    actions: dict[int, tuple[Action, ...]] = {}
    for receiver in group:
        if receiver.component != "logits":
            head = None if receiver.component == "mlp_in" else receiver.head
            action = Action(READ[receiver.component], tuple(positions), head)
            actions[receiver.layer] = (*actions.get(receiver.layer, ()), action)
    return dict(sorted(actions.items()))


def _read_outs(recorded: Recorded) -> Tensor:
    """The base run's residual stream at the read-outs, ``[1 readout d_model]``."""
    return recorded.base.values[hook_name("resid_post", recorded.model.n_layers - 1)][:, -recorded.n_readouts :]


def _at_logits(
    recorded: Recorded, positions: Sequence[int], change: Tensor, norms: Norms, score: Score
) -> tuple[Tensor, Tensor]:
    """Values ``[sender metric]`` where the change goes straight to the logits, and which of them are exact."""
    model = recorded.model
    final = _read_outs(recorded).expand(len(change), -1, -1).clone()
    n_positions = recorded.base.tokens.shape[1]
    for column, position in enumerate(positions):
        readout = position - (n_positions - recorded.n_readouts)
        if readout >= 0:
            final[:, readout] += change[:, column]
    logits = model.logits(final)
    if norms == "frozen":
        ratio = model.norm_scale(final) / model.norm_scale(_read_outs(recorded))
        offset = model.logits(torch.zeros_like(final[:1, :1]))
        logits = offset + ratio * (logits - offset)
    reached = max(positions) >= n_positions - recorded.n_readouts
    return score(logits), torch.full((len(change),), not reached)


def _bytes_per_sender(model: LensModel, n_positions: int) -> int:
    """Memory of one sender: its changes at every stage, and the receivers' values of all layers."""
    itemsize = torch.finfo(model.dtype).bits // 8
    per_position = 2 * model.d_model + (model.n_heads + 2 * model.n_kv_heads) * model.d_head + model.d_model
    return int(np.int64(itemsize) * n_positions * per_position * (model.n_layers + 1))
