"""One step of a training, for one optimiser or several that share the parameters of a model."""

from collections.abc import Sequence

import torch
from torch import Tensor

LARGEST_GRADIENT = 1.0


def set_rates(optimisers: Sequence[torch.optim.Optimizer], rates: Sequence[float]) -> None:
    """Give each optimiser its learning rate."""
    for optimiser, rate in zip(optimisers, rates, strict=True):
        for group in optimiser.param_groups:
            group["lr"] = rate


def descend(loss: Tensor, model: torch.nn.Module, optimisers: Sequence[torch.optim.Optimizer]) -> None:
    """Step down the gradient of the loss, its norm over all parameters clipped."""
    for optimiser in optimisers:
        optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), LARGEST_GRADIENT)
    for optimiser in optimisers:
        optimiser.step()
