"""What the toolkit needs of a decoder-only language model, and nothing else: the protocol `LensModel`.

Names of activations are hook names (``blocks.3.hook_resid_pre``, ``blocks.3.attn.hook_z`` …), as
`spiritlens.components.hook_name` spells them. There are two kinds of call.

*Full passes* (`forward`, `cache`, `gradients`) run the whole model on tokens ``[batch pos]``, and every live hook takes
effect. *Suffix steps* (`block`, `attention`, `attend`) run one part of one layer on the positions ``start …`` only: the
keys and values of earlier positions come from a cached run (`CachedPrefix`),

    attention of a row at position p  =  softmax over positions ≤ p of
        keys, values of the row's run   for positions < start,
        keys, values of the row itself  for positions ≥ start,

which is exact for a causal model whenever the row equals that run before ``start``. `mlp`, `qkv`, `project` and
`logits` work position by position and need no prefix.

Hooks are functions of an activation that return a new tensor of the same shape; they never write in place. A suffix
step takes effect with a layer's live hooks, but for `attend`, which refuses such a layer.

A model of another library is one class that has these members: a folder beside `spiritlens.models.hooked_transformer`,
and a line in `spiritlens.models.loading`. Axes are those of `spiritlens.shapes`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import Literal, Protocol, TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor

from spiritlens.components import hook_name

HookFunction: TypeAlias = Callable[[Tensor], Tensor]
NormName: TypeAlias = Literal["ln1", "ln2", "ln_final"]

AT_HAND = ("resid_pre", "q", "k", "v", "z", "attn_out", "resid_mid", "mlp_out", "resid_post")
"""Activations of a layer that `LensModel.cache` has at hand in a full pass of a model without hooks: where all that is
asked for is among them (`names_at_hand`), no scores are made."""

PREFIX_TO_SHARE = 8
"""A prefix of at least so many times a row's own positions is not copied for every row of a suffix step."""


@cache
def names_at_hand(n_layers: int) -> frozenset[str]:
    """The hook names of `AT_HAND` in all layers."""
    return frozenset(hook_name(name, layer) for name in AT_HAND for layer in range(n_layers))


@dataclass(frozen=True, eq=False)
class CachedPrefix:
    """What the rows of a suffix step have before them: each row the first `start` positions of one cached run.

    `run` holds activations by hook name, ``[run pos …]``; read are the layer's ``k`` and ``v`` before the rotary
    embedding, ``[run pos kv_head d_head]``.
    """

    run: Mapping[str, Tensor]
    start: int
    sample_of_row: Int[Tensor, " rows"]
    """Which run each row continues."""


class LensModel(Protocol):
    """What the toolkit needs of a decoder-only language model; see the module's docstring for the terms."""

    @property
    def n_layers(self) -> int: ...
    @property
    def n_heads(self) -> int: ...
    @property
    def n_kv_heads(self) -> int: ...
    @property
    def d_model(self) -> int: ...
    @property
    def d_head(self) -> int: ...
    @property
    def d_mlp(self) -> int: ...
    @property
    def d_vocab(self) -> int: ...
    @property
    def n_ctx(self) -> int:
        """The most tokens that one sequence may have."""

    @property
    def dtype(self) -> torch.dtype: ...
    @property
    def device(self) -> torch.device: ...

    @property
    def hook_names(self) -> Collection[str]:
        """Names of the hook points that the model has."""

    def cache(
        self, tokens: Int[Tensor, "batch pos"], names: Sequence[str], prefix: CachedPrefix | None = None
    ) -> dict[str, Tensor]:
        """The named activations of a full pass without gradients, under the names asked for.

        With a `prefix`, of the positions ``start …`` alone, each row being its cached run before: names of `AT_HAND`.
        A name that the model lacks, or that never fires, is refused.
        """

    def hooked(self, hooks: Sequence[tuple[str, HookFunction]]) -> AbstractContextManager[None]:
        """A context where each function replaces its hook point's activation, after hooks that were there before.

        All leave with it, also on errors. While it is open, other threads wait for the model.
        """

    def forward(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_vocab"]:
        """Logits of a full pass, in float32 or better."""

    def embed(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_model"]:
        """Token embeddings as they enter block 0."""

    def block(
        self,
        layer: int,
        resid: Float[Tensor, "rows suffix d_model"],
        prefix: CachedPrefix,
        queries: Int[Tensor, " query"] | None = None,
    ) -> Float[Tensor, "rows query d_model"]:
        """The block's output for the positions ``start …``; with ``queries`` (positions ≥ start) for those only."""

    def attention(
        self,
        layer: int,
        resid: Float[Tensor, "rows suffix d_model"],
        prefix: CachedPrefix,
        queries: Int[Tensor, " query"] | None = None,
    ) -> Float[Tensor, "rows query d_model"]:
        """What the attention adds to the residual ``resid`` (its norm included), positions as in `block`."""

    def mlp(self, layer: int, resid_mid: Float[Tensor, "rows pos d_model"]) -> Float[Tensor, "rows pos d_model"]:
        """What the MLP adds to the residual (its norm included), at any positions."""

    def qkv(self, layer: int, resid: Float[Tensor, "rows pos d_model"]) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys, values ``[rows pos head d_head]`` before rotation (keys and values: key-value heads)."""

    def attend(
        self,
        layer: int,
        q: Float[Tensor, "rows suffix head d_head"],
        k: Float[Tensor, "rows suffix kv_head d_head"],
        v: Float[Tensor, "rows suffix kv_head d_head"],
        prefix: CachedPrefix,
        queries: Int[Tensor, " query"] | None = None,
    ) -> Float[Tensor, "rows query head d_head"]:
        """The heads' outputs z for given (patched) queries, keys and values of the suffix, as `qkv` returns them.

        No hook of the layer fires, and a layer that carries hooks is refused.
        """

    def project(self, layer: int, z: Float[Tensor, "rows pos head d_head"]) -> Float[Tensor, "rows pos d_model"]:
        """attn_out of the heads' outputs: ``attention`` is ``project(attend(qkv(resid)))``. No hook fires here."""

    def logits(self, resid: Float[Tensor, "*axes d_model"]) -> Float[Tensor, "*axes d_vocab"]:
        """Final norm and unembedding of residuals after the last block, in float32 or better."""

    def gradients(
        self, tokens: Int[Tensor, "batch pos"], names: Sequence[str], metric: Callable[[Tensor], Tensor]
    ) -> dict[str, Tensor]:
        """d metric(logits) / d activation for each name; ``metric`` maps logits ``[batch pos d_vocab]`` to a scalar.

        Zero where the metric does not read the activation. Parameters stay frozen.
        """

    def w_o(self, layer: int) -> Float[Tensor, "head d_head d_model"]:
        """Output weights by head: a head's share of attn_out is ``z[head] @ w_o(layer)[head]``."""

    @property
    def w_u(self) -> Float[Tensor, "d_model d_vocab"]: ...
    @property
    def w_e(self) -> Float[Tensor, "d_vocab d_model"]: ...

    def norm_gain(self, norm: NormName, layer: int = 0) -> Float[Tensor, " d_model"]:
        """The gain of a norm (ones where it is folded); ``layer`` is ignored for ``ln_final``."""

    def norm_scale(self, resid: Float[Tensor, "*axes d_model"]) -> Float[Tensor, "*axes 1"]:
        """The divisor of the norms, sqrt(mean(x²) + eps), in float32 or better."""

    def has_user_hooks(self) -> bool:
        """Whether the model carries hooks that this protocol did not place: such hooks see whole sequences only."""

    def own_block_bytes(self, rows: int, length: int) -> int:
        """Bytes of tensors that the model's own block, hook points and all, holds at its fullest beside the residual
        that enters, for so many whole sequences; told from shapes."""
