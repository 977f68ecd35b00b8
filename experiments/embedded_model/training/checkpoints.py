"""Checkpoints of a training run: weights, optimiser states, random states and the curve, replaced in one move."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

Curve = list[dict[str, Any]]


def save_checkpoint(
    path: Path,
    step: int,
    curve: Curve,
    model: torch.nn.Module,
    optimisers: Sequence[torch.optim.Optimizer],
    rng: random.Random,
) -> None:
    """Write everything that a resumed run needs to go on as if it had not stopped."""
    version, state, gauss = rng.getstate()
    temporary = path.with_suffix(".partial")
    torch.save(
        {
            "step": step,
            "curve": curve,
            "model": model.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in optimisers],
            "documents_rng": [version, list(state), gauss],
            "torch_rng": torch.get_rng_state(),
        },
        temporary,
    )
    temporary.replace(path)


def load_checkpoint(
    path: Path, model: torch.nn.Module, optimisers: Sequence[torch.optim.Optimizer], rng: random.Random
) -> tuple[int, Curve]:
    """Restore a checkpoint if there is one; returns the number of steps done and the curve so far."""
    if not path.exists():
        return 0, []
    saved = torch.load(path, weights_only=True)
    model.load_state_dict(saved["model"])
    for optimiser, state in zip(optimisers, saved["optimisers"], strict=True):
        optimiser.load_state_dict(state)
    version, state, gauss = saved["documents_rng"]
    rng.setstate((version, tuple(state), gauss))
    torch.set_rng_state(saved["torch_rng"])
    return saved["step"], saved["curve"]
