"""The methods written out with plain hooks on Hugging Face's model: one pass a cell, every rule as its page tells it.

Each function gives cells: the labels along a method's axes, and the two metrics there (or one number).
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import torch
from plain_passes import Edit, Edits, PlainModel, Point, read_out, scale
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


def traced(plain: PlainModel, prompt: Prompt, components: Sequence[str], width: int, noising: bool = False) -> Cells:
    """Clean values put back into the run without its subject, or that run's into the clean one."""
    clean, corrupted = recorded(plain, prompt), recorded(plain, prompt, zeroed(prompt))
    source, base = (corrupted, {}) if noising else (clean, zeroed(prompt))
    found: Cells = {}
    for name, layer, (role, positions) in itertools.product(
        components, range(plain.n_layers), roles_of(prompt).items()
    ):
        layers = window(layer, width if name in ("attn_out", "mlp_out") else 1, plain.n_layers)
        edits = base | {(name, each): taken(source[name, each], name, positions) for each in layers}
        found[name, layer, role] = measured(plain, prompt, prompt.tokens, edits)
    return found


def patched(plain: PlainModel, prompt: Prompt, other: Prompt, components: Sequence[str]) -> Cells:
    """The prompt's values in the run of the other, all heads together."""
    source, found = recorded(plain, prompt), Cells()
    for name, layer, (role, positions) in itertools.product(
        components, range(plain.n_layers), roles_of(prompt).items()
    ):
        edits = {(name, layer): taken(source[name, layer], name, positions)}
        found[name, layer, role] = measured(plain, prompt, other.tokens, edits)
    return found


def patched_heads(plain: PlainModel, prompt: Prompt, other: Prompt, components: Sequence[str]) -> Cells:
    """The same, head by head; keys and values have fewer."""
    source, found = recorded(plain, prompt), Cells()
    for name, layer, (role, positions) in itertools.product(
        components, range(plain.n_layers), roles_of(prompt).items()
    ):
        for head in range(plain.n_kv_heads if name in "kv" else plain.n_heads):
            edits = {(name, layer): taken(source[name, layer], name, positions, head)}
            found[name, layer, role, head] = measured(plain, prompt, other.tokens, edits)
    return found


def back_patched(plain: PlainModel, prompt: Prompt, other: Prompt, name: str) -> Cells:
    """The subject's value of every layer in every layer."""
    values, found = recorded(plain, prompt), Cells()
    for source, target in itertools.product(range(plain.n_layers), repeat=2):
        edits = {(name, target): taken(values[name, source], name, list(prompt.subject.positions))}
        found[f"{name} from {source}", target, "subject"] = measured(plain, prompt, other.tokens, edits)
    return found


# ---- paths ----------------------------------------------------------------------------------------------------------


def senders(plain: PlainModel) -> Iterator[tuple[Point, int]]:
    """Component, layer and head; −1 where there is none."""
    yield ("embed", -1), -1
    for layer in range(plain.n_layers):
        yield from ((("z", layer), head) for head in range(plain.n_heads))
        yield ("mlp_out", layer), -1


def paths(
    plain: PlainModel, prompt: Prompt, other: Prompt, receivers: Iterable[tuple[str, int, int]], frozen: str, norms: str
) -> Cells:
    """Four passes (Wang et al. 2022): the sender from the other run, what is frozen held, the receiver's input kept."""
    base, source, found = recorded(plain, prompt), recorded(plain, other), Cells()
    everywhere = list(range(len(prompt)))
    held = {"heads": ("z",), "heads+mlps": ("z", "mlp_out"), "nothing": ()}[frozen]
    for ((name, layer), head), receiver in itertools.product(senders(plain), receivers):
        if _stage(name, layer) >= _stage(*receiver[:2], n_layers=plain.n_layers):
            continue
        point = (name, max(layer, 0))
        edits: dict[Point, Edit] = {
            (part, each): (lambda value, part=part, each=each: base[part, each])
            for part in held
            for each in range(plain.n_layers)
        }
        put = taken(source[point], name, everywhere, None if head < 0 else head)
        edits[point] = _after(put, base[point]) if point in edits else put
        with torch.no_grad():
            _, moved = plain.run(prompt.tokens, edits)
            found[name, layer, head, *receiver] = _received(plain, prompt, receiver, base, moved, norms)
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
    receiver: tuple[str, int, int],
    base: dict[Point, Tensor],
    moved: dict[Point, Tensor],
    norms: str,
) -> np.ndarray:
    """The metrics when one receiver reads the moved stream and all after it runs."""
    name, layer, head = receiver
    stream = "resid_post" if name == "logits" else "resid_mid" if name == "mlp_in" else "resid_pre"
    at = (stream, plain.n_layers - 1 if name == "logits" else layer)
    block = plain.layers[layer]
    norm = {"resid_post": plain.llama.model.norm, "resid_mid": block.post_attention_layernorm}.get(
        stream, block.input_layernorm
    )
    normed = moved[at] / scale(norm, (base if norms == "frozen" else moved)[at]) * norm.weight
    if name == "logits":
        return metrics(prompt, plain.llama.lm_head(normed)[0]).numpy()
    if name == "mlp_in":
        product = torch.nn.functional.silu(normed @ block.mlp.gate_proj.weight.T) * (
            normed @ block.mlp.up_proj.weight.T
        )
        return measured(
            plain, prompt, prompt.tokens, {("mlp_out", layer): lambda value: product @ block.mlp.down_proj.weight.T}
        )
    linear = getattr(block.self_attn, f"{name[0]}_proj")
    made = torch.nn.functional.linear(normed, linear.weight, linear.bias).unflatten(-1, (-1, plain.d_head))
    edit = taken(made, name[0], list(range(len(prompt))), head)
    return measured(plain, prompt, prompt.tokens, {(name[0], layer): edit})


# ---- attribution ----------------------------------------------------------------------------------------------------


def gradients(
    plain: PlainModel, prompt: Prompt, tokens: Tensor, points: Sequence[Point], embedded: Edit | None = None
) -> list[list[Tensor]]:
    """d metric / d activation, by metric and point, of the run with these embeddings."""

    def leaf(value: Tensor) -> Tensor:
        return (value if embedded is None else embedded(value)).detach().requires_grad_(True)

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


# ---- heads and lenses -----------------------------------------------------------------------------------------------


def written(plain: PlainModel, prompt: Prompt) -> Cells:
    """Each writer's part of the logit difference at the last position, the final norm's scale held."""
    seen, norm = recorded(plain, prompt), plain.llama.model.norm
    final = seen["resid_post", plain.n_layers - 1][0, -1]
    (answer,), (foil,) = prompt.answer_ids, prompt.foil_ids
    w_u = plain.llama.lm_head.weight
    reading = norm.weight * (w_u[answer] - w_u[foil]) / scale(norm, final)
    found: Cells = {("embedding",): float(seen["resid_pre", 0][0, -1] @ reading), ("total",): float(final @ reading)}
    for layer, block in enumerate(plain.layers):
        found["mlps", layer] = float(seen["mlp_out", layer][0, -1] @ reading)
        for head in range(plain.n_heads):
            columns = slice(head * plain.d_head, (head + 1) * plain.d_head)
            out = block.self_attn.o_proj.weight[:, columns] @ seen["z", layer][0, -1, head]
            found["heads", layer, head] = float(out @ reading)
    return found


def silenced(plain: PlainModel, prompt: Prompt) -> Cells:
    """Each head's output zeroed at all tokens but the first."""
    rest, found = list(range(1, len(prompt))), Cells()
    for layer, head in itertools.product(range(plain.n_layers), range(plain.n_heads)):
        edits = {("z", layer): lambda value, head=head: taken(torch.zeros_like(value), "z", rest, head)(value)}
        found[layer, head] = measured(plain, prompt, prompt.tokens, edits)
    return found


def cut(plain: PlainModel, prompt: Prompt, width: int) -> Cells:
    """The last token kept from looking at the subject, in a window around each layer."""

    def hide(scores: Tensor) -> Tensor:
        changed = scores.clone()
        changed[:, :, -1, list(prompt.subject.positions)] = -torch.inf
        return changed

    found = Cells()
    for layer in range(plain.n_layers):
        edits = {("scores", each): hide for each in window(layer, width, plain.n_layers)}
        found[(layer,)] = measured(plain, prompt, prompt.tokens, edits)
    return found


def mass(plain: PlainModel, prompt: Prompt) -> Cells:
    """The mean attention of a role's tokens to all tokens of another."""
    seen, roles, found = recorded(plain, prompt), roles_of(prompt), Cells()
    for layer, head, query, key in itertools.product(range(plain.n_layers), range(plain.n_heads), roles, roles):
        pattern = seen["pattern", layer][0, head]
        found[layer, head, query, key] = float(pattern[roles[query]][:, roles[key]].sum(1).mean())
    return found


def states(plain: PlainModel, prompt: Prompt) -> Tensor:
    """The residual stream ``[state pos d_model]``."""
    seen = recorded(plain, prompt)
    last = seen["resid_post", plain.n_layers - 1]
    return torch.cat([*(seen["resid_pre", layer] for layer in range(plain.n_layers)), last])


def lensed(plain: PlainModel, prompt: Prompt, text_ids: Sequence[int]) -> Cells:
    """At every state and position the largest probability over the text ids, and the answer's rank among them."""
    found, answer = Cells(), list(text_ids).index(prompt.answer_ids[0])
    for state, resid in enumerate(states(plain, prompt)):
        logits = read_out(plain, resid)[:, list(text_ids)]
        for position, row in enumerate(logits):
            rank = int((row >= row[answer]).sum())
            found[state, position] = np.array([float(row.softmax(-1).max()), rank])
    return found


def carried(plain: PlainModel, source: Prompt, target: Prompt, out_of: int, into: int) -> Tensor:
    """Logits at the target's end when its subject's last state is the source's."""
    value = states(plain, source)[out_of, source.subject.last]

    def put(resid: Tensor) -> Tensor:
        changed = resid.clone()
        changed[0, target.subject.last] = value
        return changed

    with torch.no_grad():
        return plain.run(target.tokens, {("resid_pre", into): put})[0][-1]
