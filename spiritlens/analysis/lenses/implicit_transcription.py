"""Implicit transcription: at which layer the written form of a spoken word can be read at its units.

A spoken word counts as transcribed at a layer where the first text token of that word is among the top k text ids at
one of the word's units. Its *layer* is the first such layer (L + 1 states: 0 is the embedding, l what leaves block
l − 1). ``rank`` counts from 1. Word alignment and text-only ranks are this project's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from spiritlens.analysis.lenses.logit_lens import _ranks, residual_states, word_token_ids
from spiritlens.arguments import told_keywords, whole
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompts
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt


@dataclass(frozen=True)
class Transcription:
    """When a word becomes readable: `layer` is the first state with `rank` ≤ k at one of its tokens (None: never)."""

    prompt_id: str
    modality: str
    word: str
    token: str
    layer: int | None
    best_rank: int
    best_layer: int
    positions: tuple[int, ...]


@told_keywords
@plain_torch
def implicit_transcription(lens: Lens, prompts: Sequence[Prompt], *, top: int = 5) -> pd.DataFrame:
    """A table with one row per spoken word (fields of `Transcription`): the layer at which its text is among the top
    k."""
    chosen = given_prompts(given_lens(lens), prompts, needs=())
    ids = lens.vocabulary.text_ids.tolist()
    top = whole("top", top, at_least=1, at_most=len(ids))
    text_ids, column = torch.tensor(ids, device=lens.backend.device), {token: place for place, token in enumerate(ids)}
    rows: list[Transcription] = []
    for prompt in chosen:
        targets = word_token_ids(lens, prompt)
        states = residual_states(lens.backend, prompt.tokens)
        ranks = np.stack([_ranks(lens.backend.logits(resid)[:, text_ids], column, targets) for resid in states])
        for index, word in enumerate(prompt.words):
            where = [
                position
                for position, (of, modality) in enumerate(zip(prompt.word_index, prompt.modalities, strict=True))
                if of == index and modality == "speech"
            ]
            target = targets[where[0]] if where else None
            if target is None:
                continue
            best = ranks[:, where].min(axis=1)
            reached = np.flatnonzero(best <= top)
            layer = int(reached[0]) if len(reached) else None
            label = lens.vocabulary.label(target)
            lowest = int(best.argmin())
            rows.append(
                Transcription(prompt.id, prompt.kind, word, label, layer, int(best.min()), lowest, tuple(where))
            )
    return pd.DataFrame(rows, columns=list(Transcription.__dataclass_fields__))
