"""Knock-out: zeros, the modality's mean row, or random trained rows of the modality in place of the embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from spiritlens.arguments import check_choice
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions.noise import _choice, generator

Knock = Literal["zero", "mean", "resample"]


@dataclass(frozen=True)
class KnockOut:
    """Zeros, the modality's mean row, or random trained rows of the modality in place of the span's embeddings."""

    kind: Knock = "zero"

    def __post_init__(self) -> None:
        check_choice("knock-out kind", self.kind, Knock)

    def embeddings(
        self, lens: Lens, prompt: Prompt, positions: Sequence[int], plain: Tensor, samples: int, seed: int
    ) -> Tensor:
        """Embeddings of the prompt with the span knocked out; ``resample`` draws other rows in each sample."""
        result = plain.repeat(samples, 1, 1)
        for order, position in enumerate(positions):
            if self.kind == "zero":
                result[:, position] = 0
                continue
            rows = trained_rows(lens, prompt.modalities[position])
            if self.kind == "mean":
                result[:, position] = lens.backend.w_e[rows].mean(0, dtype=torch.float64).to(plain.dtype)
                continue
            for sample in range(samples):
                chosen = _choice(len(rows), generator(seed, prompt.id, sample, f"resample {order}"))
                result[sample, position] = lens.backend.w_e[rows[chosen]]
        return result

    def describe(self) -> str:
        """The corruption in words, for the result's attributes."""
        return f"{self.kind} knock-out of the embeddings"


def trained_rows(lens: Lens, modality: str) -> Tensor:
    """Ids of the trained embedding rows of a modality: units for speech, else text pieces."""
    ids = list(lens.vocabulary.unit_ids) if modality == "speech" else lens.vocabulary.text_ids.tolist()
    return torch.tensor(ids, device=lens.backend.device)
