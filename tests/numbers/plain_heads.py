"""Heads and lenses written out with plain hooks on Hugging Face's model."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from plain_methods import Cells, measured, measured_each, recorded, roles_of, taken, window
from plain_passes import PlainModel, scale
from plain_runs import stream
from torch import Tensor

from spiritlens.prompts.prompt import Prompt


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


def silenced(plain: PlainModel, prompt: Prompt, stand_ins: Sequence[Sequence[Tensor]] = ()) -> Cells:
    """Each head's output zeroed, or replaced by each stand-in ``[layer][1 pos head d_head]``, at all tokens but the
    first; with several, ``[sample metric]``."""
    seen = recorded(plain, prompt)
    stand_ins = stand_ins or [[torch.zeros_like(seen["z", layer]) for layer in range(plain.n_layers)]]
    each = []
    for values in stand_ins:
        heads = itertools.product(range(plain.n_layers), range(plain.n_heads))
        cells = {(layer, head): {("z", layer): taken(values[layer], "z", _rest(prompt), head)} for layer, head in heads}
        each.append(measured_each(plain, prompt, prompt.tokens, cells))
    return each[0] if len(each) == 1 else {place: np.stack([cells[place] for cells in each]) for place in each[0]}


def silenced_sets(plain: PlainModel, prompt: Prompt, groups: Mapping[str, Sequence[tuple[int, int]]]) -> Cells:
    """Groups of heads zeroed together, each in a layer of its own."""
    found = Cells()
    for name, heads in groups.items():
        edits = {
            ("z", layer): lambda value, head=head: taken(torch.zeros_like(value), "z", _rest(prompt), head)(value)
            for layer, head in heads
        }
        found[(name,)] = measured(plain, prompt, prompt.tokens, edits)
    return found


def mean_of_others(plain: PlainModel, prompt: Prompt, others: Sequence[Prompt]) -> list[Tensor]:
    """z of each layer at each token: the mean over the others' tokens of the same role and modality."""
    seen = [recorded(plain, other) for other in others]
    found = []
    for layer in range(plain.n_layers):
        rows = [
            torch.stack([seen[at]["z", layer][0, position] for at, position in _alike(prompt, here, others)]).mean(0)
            for here in range(len(prompt))
        ]
        found.append(torch.stack(rows)[None])
    return found


def drawn_of_others(plain: PlainModel, prompt: Prompt, others: Sequence[Prompt], sample: int) -> list[Tensor]:
    """The same, one token of them drawn for each token and sample, in all layers at once."""
    seen, rows = [recorded(plain, other) for other in others], []
    for here in range(len(prompt)):
        alike = _alike(prompt, here, others)
        place = int(torch.randint(len(alike), (1,), generator=stream(0, prompt, sample, f"resample z {here}")))
        rows.append(alike[place])
    return [
        torch.stack([seen[at]["z", layer][0, position] for at, position in rows])[None]
        for layer in range(plain.n_layers)
    ]


def _alike(prompt: Prompt, here: int, others: Sequence[Prompt]) -> list[tuple[int, int]]:
    """Which prompt and which of its tokens have the role and the modality of this token."""
    wanted = prompt.roles[here], prompt.modalities[here]
    return [
        (at, position)
        for at, other in enumerate(others)
        for position, kind in enumerate(zip(other.roles, other.modalities, strict=True))
        if kind == wanted
    ]


def _rest(prompt: Prompt) -> list[int]:
    return list(range(1, len(prompt)))


def detected(plain: PlainModel, prompt: Prompt) -> Cells:
    """What each detector asks for, token by token."""
    ids, words = list(prompt.ids), list(prompt.word_index)
    n, seen, found = len(ids), recorded(plain, prompt), Cells()
    own = [[key for key in range(n) if words[key] == words[query] >= 0] for query in range(n)]
    before = [[key for key in range(query) if 0 <= words[key] < words[query]] for query in range(n)]
    wanted = {
        "previous_token": [[query - 1] if query else [] for query in range(n)],
        "duplicate": [[key for key in range(query) if ids[key] == ids[query]] for query in range(n)],
        "induction": [[key + 1 for key in range(query) if ids[key] == ids[query]] for query in range(n)],
        "word_start": [[min(own[query])] if own[query] and min(own[query]) < query else [] for query in range(n)],
        "previous_word_end": [before[query][-1:] for query in range(n)],
        "beginning": [[0] if query else [] for query in range(n)],
    }
    for layer, head in itertools.product(range(plain.n_layers), range(plain.n_heads)):
        pattern = seen["pattern", layer][0, head]
        for name, places in wanted.items():
            paid = [float(pattern[query, keys].sum()) for query, keys in enumerate(places) if keys]
            if paid:
                found[layer, head, name] = sum(paid) / len(paid)
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


def read_out(plain: PlainModel, resid: Tensor) -> Tensor:
    norm = plain.llama.model.norm
    logits: Tensor = plain.llama.lm_head(resid / scale(norm, resid) * norm.weight)
    return logits


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


def transcribed(plain: PlainModel, prompt: Prompt, vocabulary: Any, top: int) -> Cells:
    """By spoken word and its units: the best rank of its first text token, the first state at which that is among the
    best (-1: none), and the first state of the best rank."""
    text_ids, found = vocabulary.text_ids.tolist(), Cells()
    every = [read_out(plain, resid)[:, text_ids] for resid in states(plain, prompt)]
    for number, word in enumerate(prompt.words):
        where = [
            place for place, of in enumerate(prompt.word_index) if of == number and prompt.modalities[place] == "speech"
        ]
        if where:
            wanted = text_ids.index(vocabulary.answer_ids(word)[0])
            ranks = [min(int((logits[at] >= logits[at, wanted]).sum()) for at in where) for logits in every]
            first = next((state for state, rank in enumerate(ranks) if rank <= top), -1)
            found[word, tuple(where)] = np.array([min(ranks), first, ranks.index(min(ranks))])
    return found
