"""One prompt's activation patches: the base run, the values put into it, and every cell of the grid through the exact
sweep.

Base and source may be any two runs: of the prompt, of a counterfactual, of a corruption, of the same fact in another
modality. Values of a run of other length come through `spiritlens.analysis.patching.donors`; values of another layer
(back-patching) stand under the name of the place that they are put into. Patches that move one block at their own
positions only are computed beforehand (`spiritlens.analysis.patching.closed_form`); of these one per component is swept
as well, for the canary.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from spiritlens.analysis.grid.canary import Deviations
from spiritlens.analysis.patching.canary import patch_canary
from spiritlens.analysis.patching.closed_form import block_names, block_sweep, block_values, moves_one_block
from spiritlens.analysis.patching.donors import Transfer, noise_like, pooled
from spiritlens.analysis.patching.grid import Patch
from spiritlens.models.protocol import LensModel
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.scoring import Scorer
from spiritlens.runs.sweep.plan import Action, Program
from spiritlens.runs.sweep.recorded import RecordedPair, RecordedRun, first_difference, record
from spiritlens.runs.sweep.sweep import plan_sweep

PLAIN = Transfer()
"""Each value from its own position and layer of an equally long donor."""


@dataclass(frozen=True, eq=False)
class RunSpec:
    """A run to record: a prompt with its own embeddings, or with others ``[sample pos d_model]``."""

    prompt: Prompt
    embeddings: Tensor | None = None

    def tokens(self, forced: Sequence[int], device: torch.device) -> Tensor:
        """Token ids ``[1 pos]`` with the forced tokens of the answer."""
        return torch.tensor([[*self.prompt.ids, *forced]], device=device)


@dataclass(frozen=True, eq=False)
class PatchValues:
    """Values ``[cell sample metric]``, cells that provably keep the base's value, scores ``[run metric]`` of the base,
    the source and the clean run, the noise floor and the canary."""

    values: Tensor
    unmoved: frozenset[int]
    base: Tensor
    source: Tensor
    clean: Tensor
    noise_floor: Tensor
    canary: Deviations


@torch.no_grad()
def patch_values(
    model: LensModel,
    base: RunSpec,
    source: RunSpec,
    patches: Sequence[Patch],
    scorer: Scorer,
    *,
    clean: Tensor | Literal["base", "source"],
    transfer: Transfer = PLAIN,
    memory_budget: int | None = None,
) -> PatchValues:
    """Run every patch; the metric is `scorer`'s at the base run's read-outs.

    `clean` says which of the two is the clean run, or gives its logits ``[1 readout d_vocab]``.
    """
    _check_patterns(base, source, patches, transfer)
    own, rest = _ways(model, patches)
    tokens = base.tokens(scorer.forced, model.device)
    first = _first_changed(model, base, source, scorer, transfer)
    nothing: Program = {0: (Action("resid_pre", (max(first, len(base.prompt) - 1),), None, "base"),)}
    canary = patch_canary(patches, own, range(first, tokens.shape[1]), model.n_layers, base.prompt.id)
    if not _whole(base, source, transfer):
        canary = replace(canary, own=canary.own[:1])
    programs = [*(patches[index].program() for index in rest), nothing, *canary.programs]
    some, sizes = [patches[index] for index in own], (tokens.shape[1], first, scorer.n_readouts)
    sweep = plan_sweep(model, programs, *sizes, always=range(len(rest), len(programs) - len(canary.twins)))
    blocks = block_sweep(model, some, *sizes)
    both = sweep.names, block_names(blocks, some)
    taken = list(dict.fromkeys(name for names in both for name in names["source"]))
    held = list(dict.fromkeys(name for names in both for name in names["base"]))
    if transfer.pooling == "norm_matched":
        held = held + taken
    found_base = record(model, tokens, base.embeddings, held, scorer.n_readouts)
    found_source = _aligned_source(model, found_base, base, source, taken, scorer, transfer)
    if not isinstance(clean, Tensor):
        clean = (found_base if clean == "base" else found_source).logits
    scored = scorer.with_clean(clean)
    runs: RecordedPair = {"base": found_base, "source": found_source}
    result = sweep.run(model, runs, scored, memory_budget=memory_budget)
    values = result.values.new_zeros(len(patches), *result.values.shape[1:])
    values[rest] = result.values[: len(rest)]
    unmoved = {rest[cell] for cell in result.unmoved if cell < len(rest)}
    if own:
        values[own], still = block_values(
            model, blocks, runs, some, n_prompt=len(base.prompt), score=scored, memory_budget=memory_budget
        )
        unmoved |= {own[cell] for cell in still}
    floor = (result.values[len(rest)] - result.base).abs().amax(0)
    told = canary.deviations(result, len(rest) + 1, values)
    return PatchValues(values, frozenset(unmoved), result.base, result.source, scored(clean), floor, told)


def _ways(model: LensModel, patches: Sequence[Patch]) -> tuple[list[int], list[int]]:
    """Indices of patches that move one block in closed form, and of all others.

    A user's own hooks see whole sequences: beside them nothing is computed beforehand.
    """
    hooked = model.has_user_hooks()
    own = [index for index, patch in enumerate(patches) if not hooked and moves_one_block(patch)]
    return own, sorted(set(range(len(patches))) - set(own))


def _check_patterns(base: RunSpec, source: RunSpec, patches: Sequence[Patch], transfer: Transfer) -> None:
    if all(patch.component != "pattern" for patch in patches):
        return
    if len(base.prompt) != len(source.prompt):
        raise ValueError(
            "patterns are taken between prompts of equal length; "
            f"these have {len(base.prompt)} and {len(source.prompt)} tokens"
        )
    if not transfer.same_places(base.prompt, source.prompt) or transfer.control == "noise":
        raise ValueError(
            f"a pattern is taken row by row and cannot be pooled (pooling={transfer.pooling!r}) or drawn "
            f"(control={transfer.control!r}); use pooling='position' with control 'none' or 'other fact', or leave "
            "pattern out of the components"
        )


def alignable(prompt: Prompt, donor: Prompt, transfer: Transfer) -> tuple[bool, ...]:
    """For every position of the prompt, whether the donor has a value for it."""
    if transfer.same_places(prompt, donor):
        return (True,) * len(prompt)
    return tuple(bool(row.sum() > 0) for row in transfer.weights(prompt, donor))


def _whole(base: RunSpec, source: RunSpec, transfer: Transfer) -> bool:
    """Whether each value comes from its own position and layer, so that all of them together are the source run."""
    moved = transfer.control != "none" or transfer.source_hook is not None
    return not moved and transfer.same_places(base.prompt, source.prompt)


def _first_changed(model: LensModel, base: RunSpec, source: RunSpec, scorer: Scorer, transfer: Transfer) -> int:
    """First position at which values of the source can differ from the base's."""
    if not _whole(base, source, transfer):
        return 0
    both = [
        model.embed(spec.tokens(scorer.forced, model.device)) if spec.embeddings is None else spec.embeddings
        for spec in (base, source)
    ]
    return first_difference(model.embed(base.tokens(scorer.forced, model.device)), both[0], both[1])


def _aligned_source(
    model: LensModel,
    found_base: RecordedRun,
    base: RunSpec,
    source: RunSpec,
    names: Sequence[str],
    scorer: Scorer,
    transfer: Transfer,
) -> RecordedRun:
    """The source run as if it had the base run's positions, each hook name holding what is put in there."""
    source_name = {name: transfer.source_name(name) for name in names}
    tokens = source.tokens(scorer.forced, model.device)
    found = record(model, tokens, source.embeddings, list(dict.fromkeys(source_name.values())), scorer.n_readouts)
    values = {name: found.values[other] for name, other in source_name.items()}
    if not transfer.same_places(base.prompt, source.prompt):
        n_forced = len(scorer.forced)
        weights = torch.nn.functional.pad(transfer.weights(base.prompt, source.prompt), (0, n_forced, 0, n_forced))
        match = transfer.pooling == "norm_matched"
        values = {
            name: pooled(value, weights, found_base.values[name] if match else None) for name, value in values.items()
        }
    if transfer.control == "noise":
        values = noise_like(values, base.prompt, transfer.seed)
    samples = max((len(value) for value in values.values()), default=1)
    marker = found.embeddings if samples == 1 else torch.zeros(samples, 1, 1, dtype=model.dtype, device=model.device)
    return RecordedRun(found_base.tokens, marker, values, found.logits)
