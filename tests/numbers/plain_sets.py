"""Edges to first order, and rankings of heads with what is left when only the first are kept, written out with plain
hooks on Hugging Face's model."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from plain_methods import Cells, measured, metrics, recorded, taken, zeroed
from plain_passes import Edit, Edits, PlainModel, Point, read_out, scale
from torch import Tensor

from spiritlens.analysis.interchange.halves import halves
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.subject_key import subject_key
from spiritlens.runs.corruptions.noise import derived_seed

Reader = tuple[str, int, int]
"""Component, layer and head; −1 where there is none."""


# ---- edges ----------------------------------------------------------------------------------------------------------


def writes(plain: PlainModel, seen: dict[Point, Tensor]) -> Iterator[tuple[Reader, int, Tensor]]:
    """Each node with its stage and what it writes ``[pos d_model]``."""
    yield ("embed", -1, -1), -1, seen["resid_pre", 0][0]
    for layer, block in enumerate(plain.layers):
        for head in range(plain.n_heads):
            columns = slice(head * plain.d_head, (head + 1) * plain.d_head)
            out = seen["z", layer][0, :, head] @ block.self_attn.o_proj.weight[:, columns].T
            yield ("z", layer, head), 2 * layer, out
        yield ("mlp_out", layer, -1), 2 * layer + 1, seen["mlp_out", layer][0]


def readers(plain: PlainModel) -> list[tuple[Reader, int]]:
    """Each reader with the stage of the stream that it reads."""
    found: list[tuple[Reader, int]] = [(("logits", -1, -1), 2 * plain.n_layers)]
    for layer in range(plain.n_layers):
        found.append((("mlp_in", layer, -1), 2 * layer + 1))
        for name, count in (("q", plain.n_heads), ("k", plain.n_kv_heads), ("v", plain.n_kv_heads)):
            found += [((f"{name}_input", layer, head), 2 * layer) for head in range(count)]
    return found


def normed(norm: torch.nn.Module, x: Tensor) -> Tensor:
    return x / scale(norm, x) * norm.weight


def reading_apart(plain: PlainModel, added: dict[Reader, Tensor]) -> Edits:
    """Each reader reads the stream and its own tensor ``[pos d_model]`` of those that are added."""

    def heads(letter: str, layer: int) -> Edit:
        block = plain.layers[layer]
        linear = getattr(block.self_attn, f"{letter}_proj")

        def edit(value: Tensor) -> Tensor:
            found = []
            for head in range(value.shape[2]):
                stream = plain.seen["resid_pre", layer] + added[f"{letter}_input", layer, head]
                made = torch.nn.functional.linear(normed(block.input_layernorm, stream), linear.weight, linear.bias)
                found.append(made.unflatten(-1, (-1, plain.d_head))[:, :, head])
            return torch.stack(found, dim=2)

        return edit

    def mlp(layer: int) -> Edit:
        block = plain.layers[layer]

        def edit(value: Tensor) -> Tensor:
            stream = plain.seen["resid_mid", layer] + added["mlp_in", layer, -1]
            x = normed(block.post_attention_layernorm, stream)
            gated = torch.nn.functional.silu(x @ block.mlp.gate_proj.weight.T) * (x @ block.mlp.up_proj.weight.T)
            return gated @ block.mlp.down_proj.weight.T

        return edit

    layers = range(plain.n_layers)
    found: dict[Point, Edit] = {(letter, layer): heads(letter, layer) for letter in "qkv" for layer in layers}
    return found | {("mlp_out", layer): mlp(layer) for layer in layers}


def attributed_edges(plain: PlainModel, prompt: Prompt, other: Prompt) -> Cells:
    """metric(other) + Σ (what a node writes in the prompt's run − in the other's) · ∂ metric / ∂ a reader's stream."""
    base = recorded(plain, other)
    changes = [
        (node, stage, new - old)
        for (node, stage, old), (_, _, new) in zip(
            writes(plain, base), writes(plain, recorded(plain, prompt)), strict=True
        )
    ]
    shape = base["resid_pre", 0].shape[1:]
    added = {reader: torch.zeros(shape, dtype=torch.float64, requires_grad=True) for reader, _ in readers(plain)}
    with torch.enable_grad():
        _, seen = plain.run(other.tokens, reading_apart(plain, added))
        last = seen["resid_post", plain.n_layers - 1] + added["logits", -1, -1]
        values = metrics(prompt, read_out(plain, last)[0])
        slopes = [torch.autograd.grad(value, list(added.values()), retain_graph=True) for value in values]
    scores = values.detach()
    found = Cells()
    for place, (reader, read) in enumerate(readers(plain)):
        for node, stage, change in changes:
            if stage < read:
                moved = torch.stack([(change * slope[place]).sum() for slope in slopes])
                found[*node, *reader] = (scores + moved).numpy()
    return found


# ---- sets of heads --------------------------------------------------------------------------------------------------


def interchanged(plain: PlainModel, prompts: Sequence[Prompt], sizes: Sequence[int]) -> Cells:
    """Heads ranked on half of the facts by the larger of two shares of the logit difference, restored beside a subject
    knocked out and zeroed in the clean run; and what is left on the other half when only the first are kept."""
    heads = list(itertools.product(range(plain.n_layers), range(plain.n_heads)))
    half = halves(prompts, 0)
    folds = [half[subject_key(prompt)] for prompt in prompts]
    clean = np.array([value(plain, prompt, {}) for prompt in prompts])
    empty = np.array([value(plain, prompt, without(prompt, heads)) for prompt in prompts])
    knocked = np.array([value(plain, prompt, zeroed(prompt)) for prompt in prompts])
    removed = clean[:, None] - [[value(plain, prompt, without(prompt, [head])) for head in heads] for prompt in prompts]
    seen = [recorded(plain, prompt) for prompt in prompts]
    restored = [
        [value(plain, prompt, put_back(prompt, run, *head)) for head in heads]
        for prompt, run in zip(prompts, seen, strict=True)
    ]
    effects = [(restored - knocked[:, None], clean - knocked), (removed, clean - empty)]
    found: Cells = {("clean", each.id): clean[place] for place, each in enumerate(prompts)}
    orders: dict[tuple[str, int], list[int]] = {}
    for kind, fold in itertools.product(("T2T", "S2T"), (0, 1)):
        rows = [p for p, each in enumerate(prompts) if each.kind == kind and folds[p] != fold]
        shares = [each[rows].mean(0) / abs(totals[rows].mean()) for each, totals in effects]
        scores = np.maximum(*shares)
        found |= {("score", kind, fold, part): score for part, score in enumerate(scores)}
        orders[kind, fold] = sorted(range(len(heads)), key=lambda part, scores=scores: -scores[part])
        orders[f"{kind} reversed", fold] = orders[kind, fold][::-1]
        draw = np.random.default_rng(derived_seed(0, "random ranking 0"))
        orders["random 0", fold] = draw.permutation(len(heads)).tolist()
    for (ranking, fold), size in itertools.product(orders, (0, *sizes, len(heads))):
        for place, prompt in enumerate(prompts):
            if folds[place] == fold:
                gone = [heads[part] for part in orders[ranking, fold][size:]]
                found["kept", prompt.id, ranking, size] = value(plain, prompt, without(prompt, gone))
    return found


def value(plain: PlainModel, prompt: Prompt, edits: Edits) -> float:
    return float(measured(plain, prompt, prompt.tokens, edits)[0])


def without(prompt: Prompt, heads: Sequence[tuple[int, int]]) -> Edits:
    """The heads' z zero at every token but the first."""

    def zero(gone: Sequence[int]) -> Edit:
        def edit(z: Tensor) -> Tensor:
            changed = z.clone()
            changed[:, 1:, list(gone)] = 0
            return changed

        return edit

    layers = dict.fromkeys(layer for layer, _ in heads)
    return {("z", layer): zero([head for of, head in heads if of == layer]) for layer in layers}


def put_back(prompt: Prompt, clean: dict[Point, Tensor], layer: int, head: int) -> Edits:
    """A head's clean z in the run without the subject, at every token but the first."""
    return {**zeroed(prompt), ("z", layer): taken(clean["z", layer], "z", range(1, len(prompt)), head)}
