"""The methods written out with plain hooks on Hugging Face's model: one row of a pass for each cell, every rule as its
page tells it.

Each function gives cells: the labels along a method's axes, and the two metrics there (or one number).
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from plain_passes import Edit, Edits, PlainModel, Point, scale
from torch import Tensor

from spiritlens.prompts.prompt import Prompt

Cells: TypeAlias = dict[tuple[object, ...], object]
BY_HEAD = ("q", "k", "v", "z", "pattern")
METRICS = ("logit_difference", "probability")


def metrics(prompt: Prompt, logits: Tensor) -> Tensor:
    """[logit difference, probability] of the answer after the prompt."""
    last, (answer,), (foil,) = logits[-1], prompt.answer_ids, prompt.foil_ids
    return torch.stack([last[answer] - last[foil], last.softmax(-1)[answer]])


def measured(plain: PlainModel, prompt: Prompt, tokens: Tensor, edits: Edits) -> np.ndarray:
    with torch.no_grad():
        return metrics(prompt, plain.run(tokens, edits)[0]).numpy()


def measured_each(plain: PlainModel, prompt: Prompt, tokens: Tensor, cells: Mapping[Any, Edits]) -> Cells:
    """The metrics under the edits of every cell."""
    with torch.no_grad():
        logits = plain.run_rows(tokens, list(cells.values()))
        return {labels: metrics(prompt, row).numpy() for labels, row in zip(cells, logits, strict=True)}


def recorded(plain: PlainModel, prompt: Prompt, edits: Edits | None = None) -> dict[Point, Tensor]:
    with torch.no_grad():
        return plain.run(prompt.tokens, edits)[1]


def roles_of(prompt: Prompt) -> dict[str, list[int]]:
    """The positions of every role that the prompt has."""
    return {role: [p for p, found in enumerate(prompt.roles) if found == role] for role in dict.fromkeys(prompt.roles)}


def window(layer: int, width: int, n_layers: int) -> range:
    return range(max(0, layer - width // 2), min(n_layers, layer - width // 2 + width))


def taken(source: Tensor, name: str, positions: Sequence[int], head: int | None = None) -> Edit:
    """The source's values at positions, of one head or of all."""
    at = slice(None) if head is None else head

    def edit(value: Tensor) -> Tensor:
        changed = value.clone()
        if name == "pattern":
            for position in positions:
                changed[0, at, position] = source[0, at, position]
        elif name in BY_HEAD:
            for position in positions:
                changed[0, position, at] = source[0, position, at]
        else:
            changed[0, positions] = source[0, positions]
        return changed

    return edit


# ---- tracing and patching -------------------------------------------------------------------------------------------


def zeroed(prompt: Prompt) -> Edits:
    """The subject's embeddings knocked out."""
    return {("embed", 0): lambda value: value.index_fill(1, torch.tensor(list(prompt.subject.positions)), 0.0)}


def traced(
    plain: PlainModel,
    prompt: Prompt,
    components: Sequence[str],
    width: int,
    noising: bool = False,
    sever: str = "",
    corruption: Edits | None = None,
) -> Cells:
    """Clean values put back into the run without its subject (or with it as the corruption leaves it), or that run's
    into the clean one; `sever` is held at the old values of these positions in this layer and after it."""
    corrupting = zeroed(prompt) if corruption is None else corruption
    clean, corrupted = recorded(plain, prompt), recorded(plain, prompt, corrupting)
    (source, old), base = ((corrupted, clean), {}) if noising else ((clean, corrupted), corrupting)
    cells: dict[Any, Edits] = {}
    for name, layer, (role, positions) in itertools.product(
        components, range(plain.n_layers), roles_of(prompt).items()
    ):
        layers = window(layer, width if name in ("attn_out", "mlp_out") else 1, plain.n_layers)
        edits = {**base} | {(name, each): taken(source[name, each], name, positions) for each in layers}
        later = range(layer, plain.n_layers) if sever else ()
        edits |= {(sever, each): taken(old[sever, each], sever, positions) for each in later}
        cells[name, layer, role] = edits
    return measured_each(plain, prompt, prompt.tokens, cells)


def patched(plain: PlainModel, prompt: Prompt, other: Prompt, components: Sequence[str]) -> Cells:
    """The prompt's values in the run of the other, all heads together."""
    source = recorded(plain, prompt)
    cells = {
        (name, layer, role): {(name, layer): taken(source[name, layer], name, positions)}
        for name, layer, (role, positions) in itertools.product(
            components, range(plain.n_layers), roles_of(prompt).items()
        )
    }
    return measured_each(plain, prompt, other.tokens, cells)


def patched_heads(plain: PlainModel, prompt: Prompt, other: Prompt, components: Sequence[str]) -> Cells:
    """The same, head by head; keys and values have fewer."""
    source = recorded(plain, prompt)
    cells = {
        (name, layer, role, head): {(name, layer): taken(source[name, layer], name, positions, head)}
        for name, layer, (role, positions) in itertools.product(
            components, range(plain.n_layers), roles_of(prompt).items()
        )
        for head in range(plain.n_kv_heads if name in "kv" else plain.n_heads)
    }
    return measured_each(plain, prompt, other.tokens, cells)


def back_patched(plain: PlainModel, prompt: Prompt, other: Prompt, name: str) -> Cells:
    """The subject's value of every layer in every layer."""
    values, subject = recorded(plain, prompt), list(prompt.subject.positions)
    cells = {
        (f"{name} from {source}", target, "subject"): {(name, target): taken(values[name, source], name, subject)}
        for source, target in itertools.product(range(plain.n_layers), repeat=2)
    }
    return measured_each(plain, prompt, other.tokens, cells)


# ---- paths ----------------------------------------------------------------------------------------------------------


def senders(plain: PlainModel) -> Iterator[tuple[Point, int]]:
    """Component, layer and head; −1 where there is none."""
    yield ("embed", -1), -1
    for layer in range(plain.n_layers):
        yield from ((("z", layer), head) for head in range(plain.n_heads))
        yield ("mlp_out", layer), -1


def paths(
    plain: PlainModel, prompt: Prompt, other: Prompt, receivers: Sequence[tuple[str, int, int]], frozen: str, norms: str
) -> Cells:
    """Four passes (Wang et al. 2022): the sender from the other run, what is frozen held, the receiver's input kept."""
    base, source, found = recorded(plain, prompt), recorded(plain, other), Cells()
    everywhere = list(range(len(prompt)))
    held = {"heads": ("z",), "heads+mlps": ("z", "mlp_out"), "nothing": ()}[frozen]
    for (name, layer), head in senders(plain):
        point = (name, max(layer, 0))
        edits: dict[Point, Edit] = {
            (part, each): (lambda value, part=part, each=each: base[part, each])
            for part in held
            for each in range(plain.n_layers)
        }
        put = taken(source[point], name, everywhere, None if head < 0 else head)
        edits[point] = _after(put, base[point]) if point in edits else put
        moved = recorded(plain, prompt, edits)
        for receiver in receivers:
            if _stage(name, layer) < _stage(*receiver[:2], n_layers=plain.n_layers):
                with torch.no_grad():
                    received = _received(plain, prompt, prompt.tokens, receiver, base, moved, norms)
                found[name, layer, head, *receiver] = received.numpy()
    return found


def _after(put: Edit, held: Tensor) -> Edit:
    """The edit of a value that is held."""
    return lambda value: put(held)


def _stage(name: str, layer: int, n_layers: int = 0) -> int:
    """Where a sender has written and a receiver reads."""
    if name == "logits":
        return 2 * n_layers
    return -1 if name == "embed" else 2 * layer + (name in ("mlp_out", "mlp_in"))


def _received(
    plain: PlainModel,
    prompt: Prompt,
    tokens: Tensor,
    receiver: tuple[str, int, int],
    base: dict[Point, Tensor],
    moved: dict[Point, Tensor],
    norms: str,
) -> Tensor:
    """The metrics when one receiver reads the moved stream and all after it runs."""
    name, layer, head = receiver
    stream, _ = at = _read(plain, receiver)
    block = plain.layers[layer]
    norm = {"resid_post": plain.llama.model.norm, "resid_mid": block.post_attention_layernorm}.get(
        stream, block.input_layernorm
    )
    normed = moved[at] / scale(norm, (base if norms == "frozen" else moved)[at]) * norm.weight
    if name == "logits":
        return metrics(prompt, plain.llama.lm_head(normed)[0])
    if name == "mlp_in":
        product = torch.nn.functional.silu(normed @ block.mlp.gate_proj.weight.T) * (
            normed @ block.mlp.up_proj.weight.T
        )
        edits: Edits = {("mlp_out", layer): lambda value: product @ block.mlp.down_proj.weight.T}
        return metrics(prompt, plain.run(tokens, edits)[0])
    linear = getattr(block.self_attn, f"{name[0]}_proj")
    made = torch.nn.functional.linear(normed, linear.weight, linear.bias).unflatten(-1, (-1, plain.d_head))
    edit = taken(made, name[0], list(range(len(prompt))), head)
    return metrics(prompt, plain.run(tokens, {(name[0], layer): edit})[0])


def _read(plain: PlainModel, receiver: tuple[str, int, int]) -> Point:
    """The stream that a receiver reads."""
    name, layer, _ = receiver
    if name == "logits":
        return "resid_post", plain.n_layers - 1
    return "resid_mid" if name == "mlp_in" else "resid_pre", layer


def edges(
    plain: PlainModel, prompt: Prompt, other: Prompt, receivers: Iterable[tuple[str, int, int]], clean: bool
) -> Cells:
    """metric(base) + what the metric gains, to first order, as one receiver reads one sender's change as well.

    One pass a receiver: it reads the base's stream and ε times each sender's change, and the derivative is taken by all
    ε at 0.
    """
    near, far = (prompt, other) if clean else (other, prompt)
    base, source, found = recorded(plain, near), recorded(plain, far), Cells()
    nodes = list(senders(plain))
    changes = torch.stack([_change(plain, base, source, *node) for node in nodes])
    start = measured(plain, prompt, near.tokens, {})
    for receiver in receivers:
        size = torch.zeros(len(nodes), dtype=torch.float64, requires_grad=True)
        at = _read(plain, receiver)
        with torch.enable_grad():
            moved = {**base, at: base[at] + torch.einsum("s,sbpd->bpd", size, changes)}
            values = _received(plain, prompt, near.tokens, receiver, base, moved, "recomputed")
            slopes = [torch.autograd.grad(value, size, retain_graph=True)[0] for value in values]
        for place, ((name, layer), head) in enumerate(nodes):
            if _stage(name, layer) < _stage(*receiver[:2], n_layers=plain.n_layers):
                gained = np.array([float(slope[place]) for slope in slopes])
                found[name, layer, head, *receiver] = start + gained
    return found


def _change(
    plain: PlainModel, base: dict[Point, Tensor], source: dict[Point, Tensor], point: Point, head: int
) -> Tensor:
    """What one sender writes in the source's run and not in the base's, ``[1 pos d_model]``."""
    at = (point[0], max(point[1], 0))
    change = source[at] - base[at]
    if head < 0:
        return change
    columns = slice(head * plain.d_head, (head + 1) * plain.d_head)
    out: Tensor = change[:, :, head] @ plain.layers[point[1]].self_attn.o_proj.weight[:, columns].T
    return out


# ---- attribution ----------------------------------------------------------------------------------------------------


def gradients(plain: PlainModel, prompt: Prompt, tokens: Tensor, points: Sequence[Point]) -> list[list[Tensor]]:
    """d metric / d activation, by metric and point."""

    def leaf(value: Tensor) -> Tensor:
        return value.detach().requires_grad_(True)

    with torch.enable_grad():
        logits, seen = plain.run(tokens, {("embed", 0): leaf})
        wanted = [seen[point] for point in points]
        return [
            list(torch.autograd.grad(value, wanted, retain_graph=True, materialize_grads=True, allow_unused=True))
            for value in metrics(prompt, logits)
        ]


def attributed(
    plain: PlainModel, prompt: Prompt, other: Prompt, components: Sequence[str], relp: bool = False
) -> Cells:
    """metric(other) + Σ (a of the prompt − a of the other) · gradient, at the other run; RelP's at the prompt's."""
    clean, base = recorded(plain, prompt), recorded(plain, other)
    points = list(itertools.product(components, range(plain.n_layers)))
    plain.linear = relp
    try:
        slopes = gradients(plain, prompt, (prompt if relp else other).tokens, points)
    finally:
        plain.linear = False
    start, found = measured(plain, prompt, other.tokens, {}), Cells()
    for place, point in enumerate(points):
        products = torch.stack([(clean[point] - base[point])[0] * slope[place][0] for slope in slopes]).sum(-1)
        for role, positions in roles_of(prompt).items():
            at = products[:, positions].sum(1)
            if point[0] in BY_HEAD:
                found |= {(*point, role, head): start + at[:, head].numpy() for head in range(at.shape[1])}
            else:
                found[*point, role] = start + at.numpy()
    return found
