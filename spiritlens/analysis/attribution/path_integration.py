"""Where gradients are taken between two runs' embeddings, and what their average misses.

The straight path from the base's embeddings a to the source's a + d is read at `steps` nodes t with weights w that sum
to 1; one step is the base itself. The mean of the gradients then attributes a metric's change,

    metric(source) − metric(base)  ≈  Σ over nodes of w(t) · d · ∂ metric / ∂ a  at  a + t d.

An RMS norm divides by r(t) = sqrt(mean((a + t d)²) + ε), whose zeros t₀ ± iτ are singular: a knocked-out embedding lies
at τ = 0.01 … 0.2, where the metric turns within a hundredth of the path, and evenly spread midpoints find hardly
anything of it. The nodes are therefore those of Gauss and Legendre in v, with t = t₀ + τ sinh v, for the token whose
zero lies nearest to the path. Turns that later layers make sharp may remain: what is missed is always stored, and told
where it is more than `TOLERATED` of the total effect.

Source: Johnston & Elliott 2005 (the sinh transformation for nearly singular integrals).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spiritlens.models.protocol import LensModel
from spiritlens.prompts.prompt import Prompt
from spiritlens.warn import warn

TOLERATED = 0.01
"""Share of the total effect that the embeddings' attributions may miss without a word."""

FAR = 2.0
"""Singularities so many path lengths away need no transformation."""

SINGULAR_START = 0.1
"""A base whose norm is below this share of the source's has no gradient worth taking alone."""


@dataclass(frozen=True, eq=False)
class PathNodes:
    """Embeddings ``[step pos d_model]`` at the nodes, with their weights ``[step]`` in float32 or better."""

    embeddings: Tensor
    weights: Tensor

    def only(self, rows: slice) -> "PathNodes":
        """Some of the nodes, whose sums add up to the mean over all."""
        return PathNodes(self.embeddings[rows], self.weights[rows])

    def mean(self, values: Tensor) -> Tensor:
        """The weighted mean over the first axis, ``[step …]`` → ``[…]``."""
        averaged: Tensor = torch.tensordot(self.weights, values.to(self.weights.dtype), dims=1)
        return averaged


def path_nodes(model: LensModel, base: Tensor, source: Tensor, steps: int) -> PathNodes:
    """Nodes between the embeddings of two runs, each ``[1 pos d_model]``; in base's dtype, placed in float64."""
    if steps == 1:
        return at_one(base)
    kind = torch.promote_types(base.dtype, torch.float32)
    places, weights = nodes(steps, nearest_singularity(model, base, source))
    wide = base.to(kind)
    where = torch.tensor(places, dtype=kind, device=base.device)[:, None, None]
    between = wide + where * (source.to(kind) - wide)
    return PathNodes(between.to(base.dtype), torch.tensor(weights, dtype=kind, device=base.device))


def at_one(embeddings: Tensor) -> PathNodes:
    """A single node: the run of these embeddings ``[1 pos d_model]``."""
    kind = torch.promote_types(embeddings.dtype, torch.float32)
    return PathNodes(embeddings, torch.ones(1, dtype=kind, device=embeddings.device))


def nodes(steps: int, singularity: complex | None) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Places in 0 … 1 and weights that sum to 1: Gauss–Legendre, graded towards a singularity t₀ + iτ."""
    points, weights = np.polynomial.legendre.leggauss(steps)
    places, weights = (points + 1) / 2, weights / 2
    if singularity is not None:
        centre, width = singularity.real, max(singularity.imag, 1e-6)
        low, high = np.arcsinh(-centre / width), np.arcsinh((1 - centre) / width)
        turned = low + places * (high - low)
        places, weights = centre + width * np.sinh(turned), weights * np.cosh(turned)
    return places, weights / weights.sum()


def nearest_singularity(model: LensModel, base: Tensor, source: Tensor) -> complex | None:
    """The zero of a token's squared norm along the path that lies nearest to it; None where none is near."""
    start, change = base[0].double(), source[0].double() - base[0].double()
    moved = change.pow(2).mean(-1)
    where = moved > 0
    if not bool(where.any()):
        return None
    centre = -(start * change).mean(-1)[where] / moved[where]
    squares = model.norm_scale(start)[..., 0].pow(2)[where] / moved[where]
    width = (squares - centre.pow(2)).clamp(min=0).sqrt()
    beside = (centre - centre.clamp(0, 1)).abs()
    distance = (beside.pow(2) + width.pow(2)).sqrt()
    nearest = int(distance.argmin())
    return None if float(distance[nearest]) > FAR else complex(float(centre[nearest]), float(width[nearest]))


def starts_singular(model: LensModel, base: Tensor, source: Tensor) -> bool:
    """Whether a token's norm at the base is next to nothing against the source's, as after a knock-out by zeros."""
    start, end = (model.norm_scale(found[0].double())[..., 0] for found in (base, source))
    return bool((start < SINGULAR_START * end).any())


@dataclass(frozen=True, eq=False)
class Completeness:
    """Of one prompt, by metric: the embeddings' attribution minus the total effect, the total effect (source − base),
    the size of the scores, and whether the base's norm is singular."""

    residual: np.ndarray[Any, Any]
    total: np.ndarray[Any, Any]
    size: np.ndarray[Any, Any]
    singular: bool


def tell_missed(
    found: Sequence[Completeness], prompts: Sequence[Prompt], metrics: Sequence[str], steps: int, dtype: torch.dtype
) -> None:
    """Warn where the residual is more than `TOLERATED` of the total effect, and not rounding, with the worst one.

    One step promises no completeness: it is spoken of only where its gradient is taken at a singular norm.
    """
    rounding = 10 * torch.finfo(dtype).eps
    off = [
        (abs(part.residual[metric]) / max(abs(part.total[metric]), 1e-300), prompt.id, part, metric)
        for prompt, part in zip(prompts, found, strict=True)
        for metric in range(len(metrics))
        if (steps > 1 or part.singular)
        and not abs(part.residual[metric]) <= max(TOLERATED * abs(part.total[metric]), rounding * part.size[metric])
    ]
    if not off:
        return
    share, prompt, part, metric = max(off, key=lambda one: one[0])
    reason = (
        "one step takes its gradient where a knocked-out embedding makes the norm singular"
        if steps == 1
        else f"the metric turns sharply on the path, and {steps} steps miss it"
    )
    warn(
        f"the embeddings' attributions are off the total effect of {part.total[metric]:.4g} by "
        f"{part.residual[metric]:+.4g} ({share:.1%}) in the prompt {prompt}, metric {metrics[metric]}: {reason}; take "
        f"more steps, or noise instead of a knock-out. {len(off)} of {len(found) * len(metrics)} are off "
        f"by more than {TOLERATED:.0%}; see completeness_residual"
    )
