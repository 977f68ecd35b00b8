"""One prompt's activation patches: the base run, the values put into it, and every cell of the grid through the exact
sweep.

Base and source may be any two runs: of the prompt, of a counterfactual, of a corruption, of the same fact in another
modality. Values of a run of other length come through `spiritlens.analysis.donors`; values of another layer
(back-patching) under the name of the layer that they are put into. Patches that move one block at their own positions
only are computed beforehand (`spiritlens.analysis.patch_blocks`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from einops import rearrange
from torch import Tensor

from spiritlens.analysis.donors import Control, Pooling, noise_like, pooled, pooling_weights
from spiritlens.analysis.patch_blocks import block_names, block_values, moves_one_block
from spiritlens.analysis.patch_grid import Patch
from spiritlens.models.hooked import HookFunction, LensModel
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.metrics import Scorer
from spiritlens.runs.plan import Action, Program
from spiritlens.runs.states import RecordedRun, record, replaced_embeddings
from spiritlens.runs.sweep import first_difference, names_to_record, sweep_runs

LayerOf = Callable[[int], int]
"""The donor's layer for a layer of the base run."""


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
    the source and the clean run, and the noise floor."""

    values: Tensor
    unmoved: frozenset[int]
    base: Tensor
    source: Tensor
    clean: Tensor
    noise_floor: Tensor


@torch.no_grad()
def patch_values(
    model: LensModel,
    base: RunSpec,
    source: RunSpec,
    patches: Sequence[Patch],
    scorer: Scorer,
    *,
    clean: Tensor | Literal["base", "source"],
    pooling: Pooling = "position",
    control: Control = "none",
    layer_of: LayerOf = lambda layer: layer,
    seed: int = 0,
    memory_budget: int | None = None,
) -> PatchValues:
    """Run every patch; the metric is `scorer`'s at the base run's read-outs.

    `clean` says which of the two is the clean run, or gives its logits ``[1 readout d_vocab]``.
    """
    _check_patterns(base, source, patches, pooling, control)
    own, rows, rest = _ways(model, patches)
    tokens = base.tokens(scorer.forced, model.device)
    first = _first_changed(model, base, source, scorer, pooling, control, layer_of)
    nothing: Program = {0: (Action("resid_pre", (max(first, len(base.prompt) - 1),), None, "base"),)}
    programs = [*(patches[index].program() for index in rest), nothing]
    always, sizes = (len(rest),), (tokens.shape[1], first, scorer.n_readouts)
    both = (names_to_record(model, programs, *sizes, always), block_names(model, [patches[i] for i in own], *sizes))
    taken = list(dict.fromkeys(name for names in both for name in names["source"]))
    held = list(dict.fromkeys(name for names in both for name in names["base"]))
    found_base = record(
        model, tokens, base.embeddings, held + taken if pooling == "norm_matched" else held, scorer.n_readouts
    )
    found_source = _aligned_source(model, found_base, base, source, taken, scorer, pooling, control, layer_of, seed)
    if not isinstance(clean, Tensor):
        clean = (found_base if clean == "base" else found_source).logits
    scored = scorer.with_clean(clean)
    result = sweep_runs(
        model,
        programs,
        base=found_base,
        source=found_source,
        first_changed=first,
        score=scored,
        n_readouts=scorer.n_readouts,
        always=always,
        memory_budget=memory_budget,
    )
    values = result.values.new_zeros(len(patches), *result.values.shape[1:])
    values[rest] = result.values[:-1]
    unmoved = {rest[cell] for cell in result.unmoved if cell < len(rest)}
    if own:
        values[own], still = block_values(
            model,
            found_base,
            found_source,
            [patches[index] for index in own],
            first_changed=first,
            n_prompt=len(base.prompt),
            score=scored,
            n_readouts=scorer.n_readouts,
            memory_budget=memory_budget,
        )
        unmoved |= {own[cell] for cell in still}
    if rows:
        values[rows] = _pattern_values(model, base, source, [patches[index] for index in rows], scored).to(values.dtype)
    floor = (result.values[-1] - result.base).abs().amax(0)
    return PatchValues(values, frozenset(unmoved), result.base, result.source, scored(clean), floor)


def _ways(model: LensModel, patches: Sequence[Patch]) -> tuple[list[int], list[int], list[int]]:
    """Indices of patches that move one block in closed form, of patterns put in by hooks, and of all others.

    A user's own hooks see whole sequences: beside them nothing is computed beforehand.
    """
    hooked = model.has_user_hooks()
    own = [] if hooked else [index for index, patch in enumerate(patches) if moves_one_block(patch)]
    rows = [index for index, patch in enumerate(patches) if hooked and patch.component == "pattern"]
    return own, rows, sorted(set(range(len(patches))) - {*own, *rows})


def _check_patterns(
    base: RunSpec, source: RunSpec, patches: Sequence[Patch], pooling: Pooling, control: Control
) -> None:
    if all(patch.component != "pattern" for patch in patches):
        return
    if len(base.prompt) != len(source.prompt):
        raise ValueError(
            "patterns are taken between prompts of equal length; "
            f"these have {len(base.prompt)} and {len(source.prompt)} tokens"
        )
    if not _same_places(base, source, pooling, control) or control == "noise":
        raise ValueError(
            f"a pattern is taken row by row and cannot be pooled (pooling={pooling!r}) or drawn (control={control!r}); "
            "use pooling='position' with control 'none' or 'other fact', or leave pattern out of the components"
        )


def alignable(base: RunSpec, source: RunSpec, pooling: Pooling, control: Control, seed: int) -> tuple[bool, ...]:
    """For every position of the base's prompt, whether the source has a value for it."""
    if _same_places(base, source, pooling, control):
        return (True,) * len(base.prompt)
    weights = pooling_weights(base.prompt, source.prompt, pooling, control, seed)
    return tuple(bool(row.sum() > 0) for row in weights)


def _same_places(base: RunSpec, source: RunSpec, pooling: Pooling, control: Control) -> bool:
    """Whether positions correspond one to one without any alignment: equally long runs, token by token."""
    return pooling == "position" and len(base.prompt) == len(source.prompt) and control != "other word"


def _first_changed(
    model: LensModel,
    base: RunSpec,
    source: RunSpec,
    scorer: Scorer,
    pooling: Pooling,
    control: Control,
    layer_of: LayerOf,
) -> int:
    """First position at which values of the source can differ from the base's."""
    straight = _same_places(base, source, pooling, control) and control == "none"
    if not straight or any(layer_of(layer) != layer for layer in range(model.n_layers)):
        return 0
    both = [
        model.embed(spec.tokens(scorer.forced, model.device)) if spec.embeddings is None else spec.embeddings
        for spec in (base, source)
    ]
    return first_difference(model, base.tokens(scorer.forced, model.device), both[0], both[1])


def _aligned_source(
    model: LensModel,
    found_base: RecordedRun,
    base: RunSpec,
    source: RunSpec,
    names: Sequence[str],
    scorer: Scorer,
    pooling: Pooling,
    control: Control,
    layer_of: LayerOf,
    seed: int,
) -> RecordedRun:
    """The source run as if it had the base run's positions, each hook name holding what is put in there."""
    donor_name = {name: _at_layer(name, layer_of) for name in names}
    tokens = source.tokens(scorer.forced, model.device)
    found = record(model, tokens, source.embeddings, list(dict.fromkeys(donor_name.values())), scorer.n_readouts)
    values = {name: found.values[other] for name, other in donor_name.items()}
    if not _same_places(base, source, pooling, control):
        weights = pooling_weights(base.prompt, source.prompt, pooling, control, seed)
        weights = torch.nn.functional.pad(weights, (0, len(scorer.forced), 0, len(scorer.forced)))
        match = pooling == "norm_matched"
        values = {
            name: pooled(value, weights, found_base.values[name] if match else None) for name, value in values.items()
        }
    if control == "noise":
        values = noise_like(values, base.prompt, seed)
    samples = max((len(value) for value in values.values()), default=1)
    marker = found.embeddings if samples == 1 else torch.zeros(samples, 1, 1, device=model.device)
    return RecordedRun(found_base.tokens, marker, values, found.logits)


def _at_layer(name: str, layer_of: LayerOf) -> str:
    parts = name.split(".")
    return ".".join([parts[0], str(layer_of(int(parts[1]))), *parts[2:]])


def _pattern_values(
    model: LensModel, base: RunSpec, source: RunSpec, patches: Sequence[Patch], scorer: Scorer, rows_at_once: int = 32
) -> Tensor:
    """Values ``[cell sample metric]`` of attention rows taken from a run of equal length, by hooks."""
    layers = sorted({layer for patch in patches for layer in patch.layers})
    names = {layer: f"blocks.{layer}.attn.hook_pattern" for layer in layers}
    specs = (base, source)
    samples = max(1 if spec.embeddings is None else len(spec.embeddings) for spec in specs)
    tokens = source.tokens(scorer.forced, model.device)
    taken = record(model, tokens, source.embeddings, list(names.values()), scorer.n_readouts).values
    found = []
    for first in range(0, len(patches), rows_at_once):
        some = patches[first : first + rows_at_once]
        rows = base.tokens(scorer.forced, model.device).expand(len(some) * samples, -1)
        embeddings = None
        if base.embeddings is not None:
            embeddings = base.embeddings.expand(samples, -1, -1).repeat(len(some), 1, 1)
        hooks = [(names[layer], _pattern_patch(taken[names[layer]], some, layer, samples)) for layer in layers]
        with replaced_embeddings(model, embeddings), model.hooked(hooks):
            logits = model.forward(rows)[:, -scorer.n_readouts :]
        found.append(rearrange(scorer(logits), "(cell sample) metric -> cell sample metric", sample=samples))
    return torch.cat(found)


def _pattern_patch(taken: Tensor, patches: Sequence[Patch], layer: int, samples: int) -> HookFunction:
    """A hook on patterns ``[cell·sample head query key]``: each cell gets its rows (queries) from the source run."""

    def put(pattern: Tensor) -> Tensor:
        result = rearrange(pattern.clone(), "(cell sample) ... -> cell sample ...", sample=samples)
        for cell, patch in enumerate(patches):
            if layer in patch.layers:
                heads = range(pattern.shape[1]) if patch.head is None else (patch.head,)
                index = torch.tensor(list(heads))[:, None], torch.tensor(patch.positions)
                result[cell][:, index[0], index[1]] = taken[:, index[0], index[1]].to(pattern.dtype)
        return rearrange(result, "cell sample ... -> (cell sample) ...")

    return put
