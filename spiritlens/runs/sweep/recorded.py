"""Recorded runs: the activations of a whole run, once per noise sample, from which a sweep takes prefixes and patches.

Axes: a recorded activation is ``[run pos …]``; ``run`` counts noise samples, or is 1 for a run that all samples share
(the clean run). `patched` is the one place where values of a run are put into rows ``[row sample axis …]``, ``axis``
being the token positions that the rows hold.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from spiritlens.components import COMPONENT_NAMED, HEAD_COMPONENTS, KEY_VALUE_COMPONENTS, hook_name
from spiritlens.models.protocol import CachedPrefix, LensModel, names_at_hand
from spiritlens.out_of_memory import joined, of_slices
from spiritlens.runs.sweep.plan import Action, Which
from spiritlens.shapes import checked


@dataclass(frozen=True, eq=False)
class RecordedRun:
    """Activations by hook name, ``[run pos …]``, of tokens ``[1 pos]``; `embeddings` where they were replaced."""

    tokens: Tensor
    embeddings: Tensor | None
    values: Mapping[str, Tensor]
    logits: Tensor
    """Logits at the read-outs, ``[run readout d_vocab]``, float32 or better."""

    @property
    def n_runs(self) -> int:
        return 1 if self.embeddings is None else self.embeddings.shape[0]

    def of_samples(self, samples: Tensor) -> Tensor:
        """Index of the run that each noise sample belongs to."""
        return samples if self.n_runs > 1 else torch.zeros_like(samples)

    def at(self, component: str, layer: int, samples: Tensor, positions: Sequence[int]) -> Tensor:
        """Recorded values ``[sample position …]``."""
        values = by_position(component, self.values[hook_name(component, layer)])
        if isinstance(positions, range):
            return values[self.of_samples(samples), positions.start : positions.stop]
        where = torch.tensor(positions, device=values.device)
        return values[self.of_samples(samples)[:, None], where]


RecordedPair: TypeAlias = Mapping[Which, RecordedRun]
"""The run that cells start from ("base") and the one that their values are taken from ("source")."""

Score: TypeAlias = Callable[[Tensor], Tensor]
"""Logits ``[row readout d_vocab]`` → metric values ``[row metric]``."""


def n_samples(runs: RecordedPair) -> int:
    """Noise samples of the two runs; one of them may be the same for all."""
    return max(run.n_runs for run in runs.values())


def runs_of(pair: RecordedPair, held: slice) -> RecordedPair:
    """Some of the runs of a pair; of a run that all samples share, that one."""

    def some(values: Tensor) -> Tensor:
        return values if len(values) == 1 else values[held]

    return {
        which: replace(
            run,
            embeddings=None if run.embeddings is None else some(run.embeddings),
            values={name: some(values) for name, values in run.values.items()},
            logits=some(run.logits),
        )
        for which, run in pair.items()
    }


@dataclass(frozen=True, eq=False)
class RunPair:
    """A base and a source run of the same tokens ``[1 pos]``, yet to be recorded.

    `base` and `source` are embeddings ``[sample pos d_model]`` of a disturbed run, or None for the clean one.
    """

    tokens: Tensor
    base: Tensor | None
    source: Tensor | None

    def first_changed(self, model: LensModel) -> int:
        """First position at which the runs can differ."""
        plain = model.embed(self.tokens)
        return first_difference(plain, *(plain if found is None else found for found in (self.base, self.source)))

    def record(
        self, model: LensModel, names: Mapping[Which, Sequence[str]], n_readouts: int, first_changed: int = 0
    ) -> RecordedPair:
        """Run both and keep the named activations; before `first_changed` a disturbed run is the clean one."""
        embeddings: dict[Which, Tensor | None] = {"base": self.base, "source": self.source}
        clean, other = _sorted(embeddings)
        start = min(first_changed, self.tokens.shape[1] - n_readouts)
        asked = {*names["base"], *names["source"]}
        if clean is None or start <= 0 or model.has_user_hooks() or not names_at_hand(model.n_layers) >= asked:
            return {run: record(model, self.tokens, embeddings[run], names[run], n_readouts) for run in embeddings}
        read = [hook_name(name, layer) for name in KEY_VALUE_COMPONENTS for layer in range(model.n_layers)]
        whole = record(model, self.tokens, None, [*asked, *read], n_readouts)
        disturbed = record(model, self.tokens, embeddings[other], names[other], n_readouts, (whole, start))
        kept = dict.fromkeys([*names[clean], hook_name("resid_post", model.n_layers - 1)])
        own = replace(whole, values={name: whole.values[name] for name in kept})
        return {run: own if run == clean else disturbed for run in embeddings}


@checked
def first_difference(
    plain: Float[Tensor, "1 pos d_model"],
    first: Float[Tensor, "first pos d_model"],
    second: Float[Tensor, "second pos d_model"],
) -> int:
    """First position at which two runs' embeddings differ in any sample; the number of positions if they never do.

    `plain` are the tokens' own embeddings, which both must fit.
    """
    differs = (first != second).any(-1).any(0).nonzero()
    return int(differs[0]) if len(differs) else plain.shape[1]


def _sorted(embeddings: Mapping[Which, Tensor | None]) -> tuple[Which | None, Which]:
    """The clean run and the disturbed one; no clean one where both are of a kind."""
    if (embeddings["base"] is None) == (embeddings["source"] is None):
        return None, "base"
    return ("base", "source") if embeddings["base"] is None else ("source", "base")


def record(
    model: LensModel,
    tokens: Tensor,
    embeddings: Tensor | None,
    names: Sequence[str],
    n_readouts: int = 1,
    after: tuple[RecordedRun, int] | None = None,
) -> RecordedRun:
    """Run tokens ``[1 pos]`` with their own embeddings, or once per row of `embeddings` ``[run pos d_model]``.

    `after` is a single run, with all that is asked for and all keys and values, and the position up to which the runs
    equal it: there its values are taken.
    """
    last = hook_name("resid_post", model.n_layers - 1)
    wanted = list(dict.fromkeys([*names, last]))

    def recorded(rows: slice) -> tuple[dict[str, Tensor], Tensor]:
        some = None if embeddings is None else embeddings[rows]
        batch = tokens.to(model.device).expand(rows.stop - rows.start, -1)
        with torch.no_grad(), replaced_embeddings(model, some):
            values = model.cache(batch, wanted) if after is None else _continued(model, batch, wanted, *after)
            if model.has_user_hooks():
                logits = model.forward(batch)[:, -n_readouts:].clone()  # not the logits of all positions
            else:
                logits = model.logits(values[last][:, -n_readouts:])
        return values, logits

    parts = of_slices(1 if embeddings is None else len(embeddings), recorded)
    values = {name: joined([found.pop(name) for found, _ in parts]) for name in wanted}
    return RecordedRun(tokens, embeddings, values, joined([logits for _, logits in parts]))


def _continued(
    model: LensModel, batch: Tensor, wanted: Sequence[str], run: RecordedRun, start: int
) -> dict[str, Tensor]:
    """The activations ``[run pos …]`` of runs that equal a recorded one before `start`."""
    rows = torch.zeros(len(batch), dtype=torch.long, device=batch.device)
    found = model.cache(batch, wanted, CachedPrefix(run.values, start, rows))
    values: dict[str, Tensor] = {}
    for name in wanted:
        before, behind = run.values[name][:, :start], found.pop(name)  # one name at a time is there twice
        values[name] = torch.cat([before.expand(len(batch), *before.shape[1:]), behind], dim=1)
    return values


def by_position(component: str, activation: Tensor) -> Tensor:
    """A view of an activation with positions second, ``[row pos …]``; of a pattern these are its queries.

    Of such a view, the function gives the activation again.
    """
    return activation.transpose(1, 2) if COMPONENT_NAMED[component].by_query else activation


def replaced_embeddings(model: LensModel, embeddings: Tensor | None) -> AbstractContextManager[None]:
    """A context in which the token embeddings are replaced; None leaves them."""
    return nullcontext() if embeddings is None else model.hooked([(hook_name("embed", 0), lambda _: embeddings)])


def patched(
    rows: Tensor,
    component: str,
    layer: int,
    actions: Sequence[Sequence[Action]],
    axis: Sequence[int],
    runs: RecordedPair,
    samples: Tensor,
    in_place: bool = False,
) -> Tensor:
    """Rows ``[row sample axis …]`` with the component's actions of each row applied; `runs` holds "source" and "base".

    Positions outside `axis` are left out: the caller has read them already, or nobody will. `in_place` writes into
    `rows`, which are nobody else's then.
    """
    rows_of: dict[Action, list[int]] = defaultdict(list)
    for row, row_actions in enumerate(actions):
        for action in row_actions:
            if action.component == component:
                rows_of[action].append(row)
    if not rows_of:
        return rows
    result = rows if in_place else rows.clone()
    for action, members in rows_of.items():
        positions = [position for position in action.positions if position in axis]
        if not positions:
            continue
        values = runs[action.run].at(component, layer, samples, positions)
        index = (
            torch.tensor(members, device=rows.device)[:, None, None],
            torch.arange(len(samples), device=rows.device)[None, :, None],
            torch.tensor([axis.index(position) for position in positions], device=rows.device)[None, None, :],
        )
        if action.head is None or component not in HEAD_COMPONENTS:
            result[index] = values
        else:
            result[(*index, action.head)] = values[:, :, action.head]
    return result


def as_rows(flat: Tensor, like: Tensor) -> Tensor:
    """``[row·sample …]`` as ``[row sample …]``, with the numbers of rows and samples of another tensor."""
    return flat.reshape(*like.shape[:2], *flat.shape[1:])
