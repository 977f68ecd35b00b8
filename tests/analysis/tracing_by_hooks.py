"""Causal tracing by plain hooks of TransformerLens; nothing is shared with the engine."""

import functools
import hashlib

import numpy as np
import torch
from tracing_lens import TinyLens

from spiritlens.prompts.prompt import Prompt
from spiritlens.terms import ROLES

SAMPLES = 2


TOLERANCE = 1e-10


HOOKS = {name: f"blocks.{{}}.hook_{name}" for name in ("resid_pre", "resid_post", "mlp_out", "attn_out")}
HOOKS |= {name: f"blocks.{{}}.attn.hook_{name}" for name in ("q", "k", "v", "z")}


def noisy_embeddings(lens: TinyLens, prompt: Prompt, sample: int, forced: tuple[int, ...] = ()) -> torch.Tensor:
    """The design's noise, written out again: seeded by a hash, 3 standard deviations of the modality's rows."""
    key = hashlib.sha256(f"0|{prompt.id}|{sample}|noise".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(key[:8], "little", signed=True))
    w_e = lens.backend.w_e
    rows = w_e[32:46] if prompt.kind == "S2T" else w_e[3:30]
    noise = torch.randn(len(prompt.subject), w_e.shape[1], generator=generator) * np.float32(3 * float(rows.std()))
    embeddings = w_e[torch.tensor([*prompt.ids, *forced])].clone()
    embeddings[list(prompt.subject.positions)] += noise.double()
    return embeddings[None]


@functools.lru_cache(maxsize=64)
def both_runs(lens, prompt, sample, forced):
    """All activations of the clean and of the corrupted run."""
    model, tokens = lens.backend.model, torch.tensor([[*prompt.ids, *forced]])
    _, clean = model.run_with_cache(tokens)
    with model.hooks(fwd_hooks=[("hook_embed", lambda x, hook: noisy_embeddings(lens, prompt, sample, forced))]):
        _, corrupted = model.run_with_cache(tokens)
    return clean, corrupted


def naive_cells(lens, prompt, sample, cells, direction="denoising", forced=()) -> torch.Tensor:
    """Logits ``[cell pos d_vocab]``, a row for each cell, which no other row touches: its patches are (hook name,
    position, head or None), from the clean or the corrupted run."""
    tokens = torch.tensor([[*prompt.ids, *forced]])
    clean, corrupted = both_runs(lens, prompt, sample, tuple(forced))
    source = clean if direction == "denoising" else corrupted
    puts: dict[str, list[tuple[int, int, int | None]]] = {}
    for row, patches in enumerate(cells):
        for name, position, head in patches:
            puts.setdefault(name, []).append((row, position, head))

    def put(name):
        def hook(x, hook):
            x = x.clone()
            for row, position, head in puts[name]:
                where = (position,) if head is None else (position, head)
                x[row, *where] = source[name][0, *where]
            return x

        return hook

    hooks = [(name, put(name)) for name in puts]
    if direction == "denoising":
        embeddings = noisy_embeddings(lens, prompt, sample, forced)
        hooks = [("hook_embed", lambda x, hook: embeddings.repeat(len(cells), 1, 1)), *hooks]
    return lens.backend.model.run_with_hooks(tokens.repeat(len(cells), 1), fwd_hooks=hooks)


def naive_cell(lens, prompt, sample, patches, direction="denoising", forced=()) -> torch.Tensor:
    """Logits ``[pos d_vocab]`` of one run by itself."""
    return naive_cells(lens, prompt, sample, [patches], direction, forced)[0]


def window_of(layer: int, width: int, n_layers: int = 3) -> range:
    return range(max(0, layer - width // 2), min(n_layers, layer - width // 2 + width))


def sites_of(prompt: Prompt, at: str) -> list[tuple[int, ...]]:
    if at == "token":
        return [(position,) for position in range(len(prompt))]
    if at == "role":
        return [tuple(p for p, role in enumerate(prompt.roles) if role == name) for name in ROLES]
    single = [(p,) for p, family in enumerate(prompt.families) if family in ("bos", "marker")]
    words = [tuple(p for p, w in enumerate(prompt.word_index) if w == n) for n in range(len(prompt.words))]
    return sorted([*single, *words])
