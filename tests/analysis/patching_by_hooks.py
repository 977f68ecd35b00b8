"""Activation patching by plain hooks of TransformerLens: the slow twin of the engine."""

import itertools
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
from either_kind import run_hooked

from tests.analysis.tracing_lens import make_prompt

TOLERANCE = 1e-10


L = 3


HOOKS = {
    "resid_pre": "blocks.{}.hook_resid_pre",
    "resid_mid": "blocks.{}.hook_resid_mid",
    "resid_post": "blocks.{}.hook_resid_post",
    "attn_out": "blocks.{}.hook_attn_out",
    "mlp_out": "blocks.{}.hook_mlp_out",
    **{name: "blocks.{}.attn.hook_" + name for name in ("q", "k", "v", "z", "pattern")},
}


QUIET = {"progress": "none", "metrics": ("probability", "logit_difference")}


def other_prompt():
    """The text prompt with another subject."""
    return make_prompt((1, 30, 7, 21, 19, 5, 24, 13), (-1, -1, 0, 1, 2, 2, 3, 4), (4, 5), (12,), (6,))


def measured(lens, prompt, logits):
    """[probability, logit difference] of the prompt's answer at the last position."""
    last = logits[0, -1]
    answer, foil = prompt.answer_ids[0], prompt.foil_ids[0]
    return np.array([float(last.softmax(-1)[answer]), float(last[answer] - last[foil])])


Cell: TypeAlias = tuple[str, Sequence[int], Sequence[int], int | None]
"""A component, the layers and positions that are patched, and the head (None: all of them)."""


def naive_cells(lens, prompt, base, source, cells: Sequence[Cell]):
    """``[cell metric]`` of a plain hooked pass of `base` with a component's values of `source` at the same positions: a
    row for each cell, which no other row touches."""
    model = lens.backend.model
    puts: dict[str, list[tuple[object, ...]]] = {}
    for row, (component, layers, positions, head) in enumerate(cells):
        for layer, position in itertools.product(layers, positions):
            at = slice(None) if head is None else head
            where = (at, position) if component == "pattern" else (position,) if head is None else (position, head)
            puts.setdefault(HOOKS[component].format(layer), []).append((row, *where))
    with torch.no_grad():
        _, taken = model.run_with_cache(source.tokens)

        def put(x, hook):
            x = x.clone()
            for row, *where in puts[hook.name]:
                x[row, *where] = taken[hook.name][0, *where]
            return x

        logits = run_hooked(model, base.tokens.repeat(len(cells), 1), [(name, put) for name in puts])
    return np.stack([measured(lens, prompt, row[None]) for row in logits])


def naive(lens, prompt, base, source, component, layers, positions, head=None):
    """One cell in a pass of its own."""
    return naive_cells(lens, prompt, base, source, [(component, layers, positions, head)])[0]


def spoken_like_text():
    """The written prompt's five words, each spoken as two units (the subject as four), read at a final marker."""
    words = (-1, -1, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, -1)
    ids = (1, 31, 33, 38, 35, 40, 35, 41, 32, 36, 44, 45, 33, 37, 30)
    return make_prompt(ids, words, (6, 7, 8, 9))
