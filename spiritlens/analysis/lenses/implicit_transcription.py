"""Implicit transcription: at which layer the written form of a spoken word can be read at its units.

A spoken word counts as transcribed at a layer where the first text token of that word is among the top k text ids at
one of the word's units. Its *layer* is the first such layer (L + 1 states: 0 is the embedding, l what leaves block
l − 1). ``rank`` counts from 1. Word alignment and text-only ranks are this project's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from spiritlens.analysis.lenses.logit_lens import logit_lens, word_token_ids
from spiritlens.arguments import told_keywords
from spiritlens.effects.shards import RunFolder
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompts
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.terms import Progress


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
def implicit_transcription(
    lens: Lens,
    prompts: Sequence[Prompt],
    *,
    top: int = 5,
    folder: str | Path | RunFolder | None = None,
    progress: Progress = "bar",
) -> pd.DataFrame:
    """The layer at which the text of each spoken word is among the top k, read off the logit lens.

    `folder` keeps the logit lens of each finished prompt (a folder of `logit_lens` serves both), and the same call goes
    on where it stopped; without it, Ctrl-C returns what is finished. Prompts need no subject and no answer.

    Returns a table with one row per spoken word, whose columns are the fields of `Transcription`. Raises ValueError for
    more top tokens than there are text ids, and a folder of other settings.
    """
    chosen = given_prompts(given_lens(lens), prompts, needs=())
    states = logit_lens(lens, chosen, top=top, folder=folder, progress=progress)
    rows = [
        row
        for prompt, ranks in zip(chosen, states["rank"].values, strict=False)  # fewer after Ctrl-C
        for row in _transcriptions(lens, prompt, ranks, top)
    ]
    return pd.DataFrame(rows, columns=list(Transcription.__dataclass_fields__))


def _transcriptions(lens: Lens, prompt: Prompt, ranks: np.ndarray, top: int) -> Iterator[Transcription]:
    """One row per spoken word that can be written, from ranks ``[state pos]``."""
    targets = word_token_ids(lens, prompt)
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
        yield Transcription(
            prompt_id=prompt.id,
            modality=prompt.kind,
            word=word,
            token=lens.vocabulary.label(target),
            layer=int(reached[0]) if len(reached) else None,
            best_rank=int(best.min()),
            best_layer=int(best.argmin()),
            positions=tuple(where),
        )
