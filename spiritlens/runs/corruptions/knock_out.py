"""Knock-out: zeros, the modality's mean row, or random trained rows of the modality in place of the embeddings."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from spiritlens.arguments import check_choice
from spiritlens.models.lens import Lens
from spiritlens.runs.corruptions.corruption import Corruption, CorruptionRequest
from spiritlens.runs.corruptions.noise import choice, generator

KnockOutKind = Literal["zero", "mean", "resample"]
"""zero; the mean of others; or one of the others, drawn for each sample."""


@dataclass(frozen=True)
class KnockOut(Corruption):
    """Zeros, the modality's mean row, or random trained rows of the modality in place of the span's embeddings."""

    kind: KnockOutKind = "zero"

    def __post_init__(self) -> None:
        check_choice("knock-out kind", self.kind, KnockOutKind)

    def embeddings(self, request: CorruptionRequest) -> Tensor:
        """Embeddings of the prompt with the span knocked out; ``resample`` draws other rows in each sample."""
        lens, prompt, w_e = request.lens, request.prompt, request.lens.backend.w_e
        result = request.plain.repeat(request.samples, 1, 1)
        for order, position in enumerate(request.positions):
            if self.kind == "zero":
                result[:, position] = 0
                continue
            rows = trained_rows(lens, prompt.modalities[position])
            if self.kind == "mean":
                result[:, position] = w_e[rows].mean(0, dtype=torch.float64).to(result.dtype)
                continue
            for sample in range(request.samples):
                chosen = choice(len(rows), generator(request.seed, prompt.id, sample, f"resample {order}"))
                result[sample, position] = w_e[rows[chosen]]
        return result

    def describe(self) -> str:
        """The corruption in words, for the result's attributes."""
        return f"{self.kind} knock-out of the embeddings"

    def settings(self) -> dict[str, object]:
        """The kind of knock-out."""
        return {"knock_out": self.kind}


def trained_rows(lens: Lens, modality: str) -> Tensor:
    """Ids of the trained embedding rows of a modality: units for speech, else text pieces."""
    ids = list(lens.vocabulary.unit_ids) if modality == "speech" else lens.vocabulary.text_ids.tolist()
    return torch.tensor(ids, device=lens.backend.device)
