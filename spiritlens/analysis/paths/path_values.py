"""Metric values of patched paths: senders as samples, receivers as cells of the exact sweep.

1. The base and the source run are recorded.
2. Each sender's change of the residual stream is carried to the stages that the receivers read
   (`spiritlens.analysis.paths.changes.residual_changes`), with the frozen nodes held at their base values.
3. A receiver reads ``base + change`` through its norm, whose scale is recomputed or held at the base run's; that
   gives its query, key, value or MLP output.
4. In the base run these values are put in place, and everything after them runs freely: from each receiver's block on
   (`spiritlens.analysis.paths.onward`), or as a sweep whose cells are receivers that are patched together and whose
   samples are the senders. For the logits there is nothing left to run.

Only what a path can change is computed: a sender patched at positions at which both runs agree changes nothing, and of
what goes straight to the logits the read-outs alone are read.

While a user's own hook is live on the model, steps 2 and 3 run whole sequences
(`spiritlens.analysis.paths.full_length`).

Units: one *cell* is a group of receivers that are patched together. Axes: values ``[group sender metric]``; NaN where
no path runs from the sender to any receiver of the group. Source: Wang et al. 2022 (arXiv 2211.00593), appendix B.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from spiritlens.analysis.grid.canary import NO_CANARY, Deviations, largest
from spiritlens.analysis.grid.results import array
from spiritlens.analysis.paths.changes import residual_changes
from spiritlens.analysis.paths.full_length import LOGITS, hooked_readings
from spiritlens.analysis.paths.nodes import Receiver, Sender
from spiritlens.analysis.paths.onward import Onward
from spiritlens.analysis.paths.paths import Held, ReceiverGroup
from spiritlens.analysis.paths.readings import READ, received
from spiritlens.analysis.paths.recording import Recorded
from spiritlens.components import hook_name
from spiritlens.effects.paths import Norms
from spiritlens.models.protocol import LensModel
from spiritlens.out_of_memory import in_pieces
from spiritlens.runs.sweep.plan import Action, Program
from spiritlens.runs.sweep.recorded import RecordedPair, RecordedRun, Score, record
from spiritlens.runs.sweep.sweep import bytes_per_row, plan_sweep, resolved_memory_budget


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
    model, n_positions = recorded.model, recorded.base.tokens.shape[1]
    moved = tuple(position for position in positions if position >= recorded.first_changed)
    budget = resolved_memory_budget(model.device, memory_budget)
    telling = _Telling(advance)
    paths = _Paths(recorded, tuple(groups), moved, held, score, budget, telling.tell)
    values, exact = paths.unmoved(len(senders))

    def run(some: Sequence[int], left: int) -> Tensor:
        """Fill in the values of some senders; the noise floor, and how far nothing moves the model, ``[2 metric]``."""
        telling.begin()
        within, rows = replace(paths, budget=left), slice(some[0], some[-1] + 1)
        values_of = within.hooked_values if model.has_user_hooks() else within.values
        found, exact[:, rows], floor, own = values_of(senders[rows])
        values[:, rows] = found.to(values.dtype)
        telling.end()
        return torch.stack([floor, own])

    one, least = _bytes_per_sender(model, n_positions), bytes_per_row(model, 1, n_positions, recorded.n_readouts)
    told = in_pieces(range(len(senders)), run, bytes_of_one=one, budget=budget, least=least)
    floor, own = torch.stack([torch.zeros_like(paths.base_score).repeat(2, 1), *told]).amax(0)
    absent = no_path(senders, groups, model.n_layers)
    values[exact] = paths.base_score
    values[absent] = torch.nan
    return PathValues(values, exact & ~absent, paths.base_score, floor, Deviations(array(own)))


class _Telling:
    """Tells of finished edges, each once: those of a piece that memory ran out for are run again."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self.advance = advance
        self.finished = self.here = self.told = 0

    def begin(self) -> None:
        """A piece begins, or begins again."""
        self.here = self.finished

    def tell(self, edges: int) -> None:
        """So many more edges of the piece are finished."""
        self.here += edges
        self.advance(max(0, self.here - self.told))
        self.told = max(self.here, self.told)

    def end(self) -> None:
        """The piece is whole."""
        self.finished = self.here


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
        recorded, n_layers = self.recorded, self.recorded.model.n_layers
        values, exact = self.unmoved(len(senders) + 1)
        floor = (self.score(recorded.model.logits(_read_outs(recorded))) - self.base_score).abs().amax(0)
        if not self.positions:
            self.advance(len(senders) * len(self.groups))
            return values[:, :-1], ~exact[:, :-1], floor, torch.zeros_like(floor)
        first_readout = recorded.base.tokens.shape[1] - recorded.n_readouts
        read_out = tuple(position for position in self.positions if position >= first_readout)
        if self.held.frozen == "nothing":
            inner = at_end = self.changes(senders, self.positions, self.groups)
        else:
            inner = self.changes(senders, self.positions, [self.groups[index] for index in self.inner])
            at_end = self.changes(senders, read_out, [self.groups[index] for index in self.outer])
        for index in self.outer:
            values[index], exact[index] = _at_logits(
                recorded, at_end[0], at_end[1].get(2 * n_layers), self.held.norms, self.score
            )
            self.advance(len(senders))
        self.each(senders, inner, values, exact)
        joint = [index for index in self.inner if len(self.groups[index]) > 1]
        if joint:
            changed, changes = _on_suffix(*inner, recorded.base.tokens.shape[1])
            readings = self.readings([receiver for index in joint for receiver in self.groups[index]], changed, changes)
            values[joint], unmoved = self.swept(joint, changed, readings)
            exact[[joint[cell] for cell in unmoved]] = True
        own = (values[:, -1] - self.base_score).abs().amax(0)
        return values[:, :-1], exact[:, :-1], floor, own

    def changes(
        self, senders: Sequence[Sender], positions: tuple[int, ...], groups: Sequence[ReceiverGroup]
    ) -> tuple[tuple[int, ...], dict[int, Tensor]]:
        """Positions that change, and by stage that the groups read the changes ``[sender position d_model]``; the last
        row is of a sender that changes nothing."""
        recorded = self.recorded
        stages = sorted({receiver.stage(recorded.model.n_layers) for group in groups for receiver in group})
        if not stages or not positions:
            return (), {}
        changed, found = residual_changes(
            recorded.model, recorded.base, recorded.source, senders, positions, stages, self.held.frozen
        )
        return changed, {stage: torch.cat([change, torch.zeros_like(change[:1])]) for stage, change in found.items()}

    def readings(
        self, receivers: Sequence[Receiver], positions: Sequence[int], changes: Mapping[int, Tensor]
    ) -> dict[str, Tensor]:
        """What the receivers make of the changed stream, by hook name, ``[sender pos …]``."""
        return received(self.recorded.model, self.recorded.base, receivers, positions, changes, self.held.norms)

    def each(
        self, senders: Sequence[Sender], found: tuple[tuple[int, ...], dict[int, Tensor]], values: Tensor, exact: Tensor
    ) -> None:
        """Fill in the groups of one receiver inside the model, block by block."""
        recorded, (changed, changes) = self.recorded, found
        alone = {self.groups[index][0]: index for index in self.inner if len(self.groups[index]) == 1}
        written = torch.tensor([*(sender.stage for sender in senders), -1])
        for stage in sorted({receiver.stage(recorded.model.n_layers) for receiver in alone}):
            here = [receiver for receiver in alone if receiver.stage(recorded.model.n_layers) == stage]
            onward = Onward(
                recorded.model,
                recorded.base,
                self.readings(here, changed, changes),
                changed,
                recorded.n_readouts,
                self.budget,
            )
            still = [receiver for receiver in here if not onward.moved(receiver)]
            exact[[alone[receiver] for receiver in still]] = True
            self.advance(len(senders) * len(still))
            moving = sorted(set(here) - set(still), key=lambda receiver: (receiver.component, receiver.head))
            if moving:
                reaching = (written < stage).nonzero()[:, 0]
                rows = torch.tensor([alone[receiver] for receiver in moving])
                values[rows[:, None], reaching] = onward.values(
                    moving[0].layer,
                    moving,
                    reaching.to(recorded.model.device),
                    self.score,
                    lambda: self.advance(len(senders)),
                ).to(values)

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
            values[self.inner], _ = self.swept(self.inner, range(base.tokens.shape[1]), readings)
        again = record(recorded.model, base.tokens, base.embeddings, [], recorded.n_readouts)
        floor = (self.score(again.logits)[0] - self.base_score).abs()
        return values, exact, floor, floor

    def swept(
        self, groups: Sequence[int], positions: Sequence[int], readings: Mapping[str, Tensor]
    ) -> tuple[Tensor, tuple[int, ...]]:
        """Values ``[group sender metric]`` of the base run with the received values, and which cannot move."""
        model, base, n_senders = self.recorded.model, self.recorded.base, len(next(iter(readings.values())))
        rows = torch.zeros(n_senders, 1, 1, dtype=model.dtype, device=model.device)
        programs = [_program(self.groups[index], positions, model.n_layers) for index in groups]
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
    recorded: Recorded, positions: Sequence[int], change: Tensor | None, norms: Norms, score: Score
) -> tuple[Tensor, bool]:
    """Values ``[sender metric]`` where the change goes straight to the logits, and whether none reaches a read-out."""
    model, first_readout = recorded.model, recorded.base.tokens.shape[1] - recorded.n_readouts
    reached = [(column, position) for column, position in enumerate(positions) if position >= first_readout]
    if change is None or not reached:
        return score(recorded.base.logits), True
    final = _read_outs(recorded).expand(len(change), -1, -1).clone()
    for column, position in reached:
        final[:, position - first_readout] += change[:, column]
    logits = model.logits(final)
    if norms == "frozen":
        ratio = model.norm_scale(final) / model.norm_scale(_read_outs(recorded))
        offset = model.logits(torch.zeros_like(final[:1, :1]))
        logits = offset + ratio * (logits - offset)
    return score(logits), False


def _bytes_per_sender(model: LensModel, n_positions: int) -> int:
    """Memory of one sender: its changes at every stage, and the receivers' values of all layers."""
    itemsize = torch.finfo(model.dtype).bits // 8
    per_position = 2 * model.d_model + (model.n_heads + 2 * model.n_kv_heads) * model.d_head + model.d_model
    return int(np.int64(itemsize) * n_positions * per_position * (model.n_layers + 1))
