"""A tiny lens for tracing tests: a random float64 Llama, a made-up vocabulary, and prompts of text and of units.

Ids: 1 BOS, 3–29 text, 30 ``[Text]``, 31 ``[Speech]``, 32–45 units, the rest padding.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from random_llamas import of_architecture

from spiritlens.models.blocks.lens_model import BlockLensModel
from spiritlens.models.lens import Lens
from spiritlens.models.random_weights import random_config, random_lens_model
from spiritlens.prompts.prompt import Prompt, Span
from spiritlens.prompts.roles import token_parts, token_roles

N_VOCAB = 50


class TinyTokenizer:
    """Token 29 is token 28 without its blank."""

    def get_vocab(self) -> dict[str, int]:
        return {"▁eleven": 28, "eleven": 29}


@dataclass(frozen=True, eq=False)
class TinyVocabulary:
    tokenizer: TinyTokenizer = field(default_factory=TinyTokenizer)
    text_ids: np.ndarray = field(default_factory=lambda: np.arange(3, 30))
    trained_ids: np.ndarray = field(default_factory=lambda: np.arange(46))
    unit_ids: range = range(32, 46)
    size: int = N_VOCAB
    hash: str = "tiny"

    def label(self, token: int) -> str:
        words = {28: "▁eleven", 29: "eleven"}
        return f"[Hu{token - 32}]" if token in self.unit_ids else words.get(token, f"t{token}")


class TinyLens(Lens):
    """A lens to every door, without a tokenizer."""

    id = name = "tiny"

    def __init__(
        self, inside: BlockLensModel, vocabulary: TinyVocabulary | None = None, memory_budget: int | None = None
    ) -> None:
        object.__setattr__(self, "model", inside.model)
        object.__setattr__(self, "vocabulary", vocabulary or TinyVocabulary())
        object.__setattr__(self, "_inside", inside)
        object.__setattr__(self, "memory_budget", memory_budget)

    @property
    def inside(self) -> BlockLensModel:
        return self._inside


def tiny_lens(
    n_kv_heads: int = 4, n_layers: int = 3, dtype: torch.dtype = torch.float64, biased: bool = False
) -> TinyLens:
    """The lens; ``biased``: with biases on queries, keys and values (Qwen 2's block)."""
    shape = {"n_layers": n_layers, "d_model": 24, "n_heads": 4, "n_kv_heads": n_kv_heads, "d_mlp": 40}
    config = of_architecture(random_config(**shape, d_vocab=N_VOCAB), "qwen2" if biased else "llama")
    return TinyLens(random_lens_model(config, seed=5, dtype=dtype))


def one_head_lens() -> TinyLens:
    return TinyLens(
        random_lens_model(random_config(n_layers=3, d_model=24, n_heads=1, d_mlp=40, d_vocab=N_VOCAB), seed=6)
    )


def make_prompt(
    ids: Sequence[int],
    word_index: Sequence[int],
    subject: Sequence[int],
    answer_ids: Sequence[int] = (11,),
    foil_ids: Sequence[int] = (4,),
    **about: str,
) -> Prompt:
    families = ["bos" if i == 1 else "marker" if i in (30, 31) else "unit" if i >= 32 else "text" for i in ids]
    modalities = [{"bos": "none", "marker": "none", "unit": "speech"}.get(family, "text") for family in families]
    n_words = max(word_index) + 1
    spoken = "unit" in families
    times = [0.04 * place if family == "unit" else math.nan for place, family in enumerate(families)]
    return Prompt(
        ids=tuple(ids),
        text=" ".join(map(str, ids)),
        labels=tuple(f"t{i}" for i in ids),
        families=tuple(families),
        modalities=tuple(modalities),
        words=tuple(f"word{n}" for n in range(n_words)),
        word_index=tuple(word_index),
        roles=token_roles(families, word_index, subject),
        parts=token_parts(len(ids), subject),
        starts=tuple(times),
        ends=tuple(time + 0.04 for time in times),
        subject=Span(" ".join(f"t{ids[at]}" for at in subject), tuple(subject)),
        answer="answer",
        answer_ids=tuple(answer_ids),
        foil="foil" if foil_ids else "",
        foil_ids=tuple(foil_ids),
        kind="S2T" if spoken else "T2T",
        **about,
    )


def text_prompt(answer_ids: Sequence[int] = (11,), foil_ids: Sequence[int] = (4,), **about: str) -> Prompt:
    """BOS [Text] w0 w1 S S w3 w4: the subject is word 2, tokens 4 and 5."""
    ids, words = (1, 30, 7, 21, 9, 16, 24, 13), (-1, -1, 0, 1, 2, 2, 3, 4)
    return make_prompt(ids, words, (4, 5), answer_ids, foil_ids, **about)


def spoken_prompt(answer_ids: Sequence[int] = (11,), foil_ids: Sequence[int] = (4,), **about: str) -> Prompt:
    """BOS [Speech] u u S S S S silence u u u u [Text]: the subject is word 1, tokens 4 to 7."""
    ids = (1, 31, 33, 38, 35, 40, 35, 41, 32, 36, 44, 39, 33, 30)
    words = (-1, -1, 0, 0, 1, 1, 1, 1, -1, 2, 2, 2, 2, -1)
    return make_prompt(ids, words, (4, 5, 6, 7), answer_ids, foil_ids, **about)
