"""Sums are made in float32 at least: a bfloat16 sum loses small effects."""

import torch
from torch import Tensor

VOCAB_CHUNK = 8192
"""Columns of an unembedding that are widened to float32 at a time, so that no second copy of it is ever held."""


def widened(values: Tensor) -> Tensor:
    """The values in float32 at least."""
    return values if values.dtype in (torch.float32, torch.float64) else values.float()
