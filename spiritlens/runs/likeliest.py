"""The likeliest next tokens of a run: over all trained ids, or over text ids only; rows of padding never show."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from spiritlens.arguments import check_choice, whole
from spiritlens.prompts.vocabulary.vocabulary import Vocabulary
from spiritlens.text_tables import text_table

Over: TypeAlias = Literal["full", "text"]
"""What probabilities are taken over: all trained ids, or text ids only."""


@dataclass(frozen=True)
class Top:
    """The likeliest next tokens: label, id, probability (mean over samples) and logit of each."""

    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    probabilities: tuple[float, ...]
    logits: tuple[float, ...]
    answer_id: int | None

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        rows = [("rank", "token", "id", "probability", "logit", "")]
        for rank, row in enumerate(zip(self.tokens, self.ids, self.probabilities, self.logits, strict=True), 1):
            token, identity, probability, logit = row
            mark = "← answer" if identity == self.answer_id else ""
            rows.append((str(rank), token, str(identity), f"{probability:.4f}", f"{logit:.2f}", mark))
        return text_table(rows, right=(0, 2, 3, 4))


def likeliest(logits: Tensor, vocabulary: Vocabulary, k: int, over: Over, answer_id: int | None) -> Top:
    """The k likeliest ids of logits ``[sample d_vocab]``, by their probability's mean over samples."""
    k = whole("k", k, at_least=1)
    check_choice("over", over, Over)
    allowed = vocabulary.text_ids if over == "text" else vocabulary.trained_ids
    ids = torch.tensor(allowed.tolist(), device=logits.device)
    among = logits[:, ids]
    probabilities = (among.softmax(-1) if over == "text" else logits.softmax(-1)[:, ids]).mean(0)
    best = probabilities.topk(min(k, len(ids))).indices
    chosen = [int(token) for token in ids[best]]
    return Top(
        tuple(vocabulary.label(token) for token in chosen),
        tuple(chosen),
        tuple(probabilities[best].tolist()),
        tuple(among.mean(0)[best].tolist()),
        answer_id,
    )
