"""From one receiver's other value to the read-outs: the base run from the receiver's block on, a row per edge.

A query, key, value or MLP output that is other than the base run's changes the receiver's block in closed form, and
only blocks after it run freely:

1. Queries, keys and values of all heads are put in at once, one of the three kinds at a time: heads do not see each
   other inside a block, so that one attention per sender gives z' of every head.
2. A head's row has ``resid_mid' = resid_mid + (z' − z) · W_O`` with that head alone (a key-value head: with the query
   heads that read it), and the block's MLP after it. A query moves its own positions, a key or value all from its own
   on; an MLP output is added where it stands, and nothing of the block is left to compute.
3. The rows run through the later blocks from the first moved position on, with the base run's keys and values before
   it. The last block is computed at the read-outs only.

Rows of senders that have no path to the receiver are not run. Several receivers patched together are no closed form:
the sweep runs them (`spiritlens.analysis.paths.path_values`). Axes: readings ``[sender pos …]``, rows
``[receiver·sender suffix d_model]``. Values equal those of the four passes to rounding.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from einops import rearrange
from torch import Tensor

from spiritlens.analysis.paths.nodes import Receiver
from spiritlens.components import hook_name
from spiritlens.models.protocol import CachedPrefix, LensModel
from spiritlens.runs.sweep.columns import TOKENS_AT_ONCE
from spiritlens.runs.sweep.recorded import RecordedRun, Score
from spiritlens.runs.sweep.sweep import READ_AT_ONCE, bytes_per_row


@dataclass(frozen=True, eq=False)
class Onward:
    """What all edges have in common; `positions` are those at which `readings` ``[sender pos …]`` are filled."""

    model: LensModel
    base: RecordedRun
    readings: Mapping[str, Tensor]
    positions: tuple[int, ...]
    n_readouts: int
    budget: int

    @cached_property
    def n_positions(self) -> int:
        return self.base.tokens.shape[1]

    @cached_property
    def suffix(self) -> range:
        """The positions that rows hold: from the first moved one (or the first read-out) to the end."""
        return range(min(min(self.positions), self.n_positions - self.n_readouts), self.n_positions)

    def axis(self, layer: int) -> range:
        """The positions that are needed of a block's output."""
        last = layer == self.model.n_layers - 1
        return range(self.n_positions - self.n_readouts, self.n_positions) if last else self.suffix

    def moved(self, receiver: Receiver) -> list[int]:
        """Positions that the receiver moves in its own block, among those that are needed of it; none: no path."""
        if receiver.component in ("k_input", "v_input"):
            return list(self.axis(receiver.layer))
        return [position for position in self.positions if position in self.axis(receiver.layer)]

    def values(
        self,
        layer: int,
        receivers: Sequence[Receiver],
        senders: Tensor,
        score: Score,
        advance: Callable[[], None],
    ) -> Tensor:
        """Values ``[receiver sender metric]`` of one block's receivers for the chosen senders; each receiver moves
        some position. `advance` is told of each finished receiver."""
        changes = self._head_changes(layer, {receiver.component for receiver in receivers}, senders)
        found: list[Tensor] = []
        for some in self._together(receivers, len(senders)):
            final = torch.cat([self._run(layer, rows) for rows in self._rows(layer, some, changes, senders)])
            pieces = final.tensor_split(-(-len(final) // READ_AT_ONCE))
            scores = torch.cat([score(self.model.logits(piece)) for piece in pieces])
            found.append(scores.reshape(len(some), len(senders), -1))
            for _ in some:
                advance()
        return torch.cat(found)

    @cached_property
    def _most_rows(self) -> int:
        """Rows at a time: what the memory budget allows, on a CPU as many as stay in its cache."""
        size = bytes_per_row(self.model, len(self.suffix), self.n_positions, self.n_readouts)
        most = max(1, self.budget // size)
        on_cpu = self.model.device.type == "cpu"
        return min(most, max(1, TOKENS_AT_ONCE // len(self.suffix))) if on_cpu else most

    def _pieces(self, rows: Tensor) -> list[Tensor]:
        """The rows in equal parts of at most so many."""
        return list(rows.tensor_split(-(-len(rows) // self._most_rows)))

    def _together(self, receivers: Sequence[Receiver], n_senders: int) -> list[Sequence[Receiver]]:
        """Receivers whose rows run together: alike in what they move, and few enough."""
        alike: dict[str, list[Receiver]] = {}
        for receiver in receivers:
            alike.setdefault(receiver.component, []).append(receiver)
        size = max(1, self._most_rows // n_senders)
        return [some[first : first + size] for some in alike.values() for first in range(0, len(some), size)]

    def _held(self, component: str, layer: int, positions: Sequence[int]) -> Tensor:
        """The base run's values ``[1 position …]``."""
        return self.base.values[hook_name(component, layer)][:, list(positions)]

    def _head_changes(self, layer: int, components: set[str], senders: Tensor) -> dict[str, Tensor]:
        """z' − z ``[sender axis head d_head]`` with the queries, keys or values of all heads put in, by receiver."""
        axis, first = self.axis(layer), self.suffix.start
        prefix = CachedPrefix(self.base.values, first, torch.zeros_like(senders))
        queries = torch.arange(axis.start, axis.stop, device=senders.device)
        places = [position - first for position in self.positions]
        found: dict[str, Tensor] = {}
        for kind in "qkv":
            if f"{kind}_input" not in components:
                continue
            inputs = {name: self._held(name, layer, self.suffix).expand(len(senders), -1, -1, -1) for name in "qkv"}
            inputs[kind] = inputs[kind].clone()
            inputs[kind][:, places] = self.readings[hook_name(kind, layer)][senders][:, list(self.positions)]
            z = self.model.attend(layer, inputs["q"], inputs["k"], inputs["v"], prefix, queries)
            found[f"{kind}_input"] = z - self._held("z", layer, axis)
        return found

    def _rows(
        self, layer: int, receivers: Sequence[Receiver], changes: Mapping[str, Tensor], senders: Tensor
    ) -> list[Tensor]:
        """Rows after the receivers' block, ``[receiver·sender axis d_model]``, in pieces."""
        component, axis, positions = receivers[0].component, self.axis(layer), self.moved(receivers[0])
        places = [axis.index(position) for position in positions]
        resid_mid = self._held("resid_mid", layer, positions)
        if component == "mlp_in":
            mlp_out = self.readings[hook_name("mlp_out", layer)][senders][:, positions]
            pieces = self._pieces(resid_mid + mlp_out)
        else:
            change = changes[component][:, places]
            by_head = torch.stack([self._through_output(layer, receiver, change) for receiver in receivers])
            entering = rearrange(resid_mid + by_head, "receiver sender pos d_model -> (receiver sender) pos d_model")
            pieces = [piece + self.model.mlp(layer, piece) for piece in self._pieces(entering)]
        if len(positions) == len(axis):
            return pieces
        still = self._held("resid_mid", layer, axis) + self._held("mlp_out", layer, axis)
        rows = [still.repeat(len(piece), 1, 1) for piece in pieces]
        for whole, piece in zip(rows, pieces, strict=True):
            whole[:, places] = piece
        return rows

    def _through_output(self, layer: int, receiver: Receiver, change: Tensor) -> Tensor:
        """What the receiver's heads add to the stream, ``[sender position d_model]``."""
        group = 1 if receiver.component == "q_input" else self.model.n_heads // self.model.n_kv_heads
        heads = slice(receiver.head * group, (receiver.head + 1) * group)
        return change[:, :, heads].flatten(2) @ self.model.w_o(layer)[heads].flatten(0, 1)

    def _run(self, layer: int, rows: Tensor) -> Tensor:
        """Rows after the receivers' block through all later ones, ``[row readout d_model]``."""
        prefix = CachedPrefix(
            self.base.values, self.suffix.start, torch.zeros(len(rows), dtype=torch.long, device=rows.device)
        )
        for later in range(layer + 1, self.model.n_layers):
            axis = self.axis(later)
            queries = None if axis == self.suffix else torch.arange(axis.start, axis.stop, device=rows.device)
            rows = self.model.block(later, rows, prefix, queries)
        return rows
