"""A bridge that is truly float64: TransformerLens's own attention takes its softmax in float32, whatever the dtype.

The scores go through the hook point before the softmax and the pattern through the one after it. In a float64 model the
two points are of a kind of their own: the first keeps what it lets through, after all its hooks, and the second takes
the softmax of that in float64 before its hooks see it. (Norms and rotary tables:
`spiritlens.models.checkpoints.reference.hold_float64`.)
"""

from typing import Any

from torch import Tensor
from transformer_lens.hook_points import HookPoint


class ScoresPoint(HookPoint):  # type: ignore[misc]
    """Keeps the scores as its hooks left them, until the pattern is made."""

    kept: Tensor | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        scores = super().__call__(*args, **kwargs)
        object.__setattr__(self, "kept", scores)
        return scores


class PatternPoint(HookPoint):  # type: ignore[misc]
    """The softmax of the scores, in their own precision."""

    scores: ScoresPoint

    def forward(self, x: Tensor) -> Tensor:
        scores = self.scores.kept
        object.__setattr__(self.scores, "kept", None)
        return x if scores is None else scores.softmax(dim=-1)


def precise_softmax(model: Any) -> None:
    """Let every attention of the bridge take its softmax in float64, in place."""
    for block in model.blocks:
        scores, pattern = block.attn.hook_attn_scores, block.attn.hook_pattern
        scores.__class__, pattern.__class__ = ScoresPoint, PatternPoint
        object.__setattr__(pattern, "scores", scores)


def is_precise(model: Any) -> bool:
    """Whether the bridge's attention takes its softmax in the model's own precision."""
    return all(isinstance(block.attn.hook_pattern, PatternPoint) for block in model.blocks)
