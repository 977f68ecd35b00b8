"""The weights of one block of the Llama kind as its kernels read them: views of whatever a backend's model holds.

A projection is flat, as Hugging Face stores it: ``weight [out in]``, the heads of queries, keys and values one after
the other in ``out``. A backend that stores them otherwise gives views under other strides; nothing is copied.
"""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor


class Linear(NamedTuple):
    """A projection: ``weight [out in]`` and ``bias [out]``, None where there is none."""

    weight: Tensor
    bias: Tensor | None


class Norm(NamedTuple):
    """An RMS norm: its gain ``[d_model]``, None where it is folded into what follows."""

    w: Tensor | None
    eps: float


@dataclass(frozen=True, eq=False, slots=True)
class AttentionWeights:
    """An attention with its norm; ``rotary_cos`` and ``rotary_sin [pos d_head]``, scores divided by ``attn_scale``."""

    norm: Norm
    q: Linear
    k: Linear
    v: Linear
    o: Linear
    d_head: int
    attn_scale: float
    rotary_cos: Tensor
    rotary_sin: Tensor


@dataclass(frozen=True, eq=False, slots=True)
class MLPWeights:
    """A gated MLP with its norm: ``out(silu(gate(x)) · up(x) + hidden_bias)``."""

    norm: Norm
    gate: Linear
    up: Linear
    out: Linear
    hidden_bias: Tensor | None = None
