"""`LensModel` on a TransformerLens model of Llama's blocks, as far as both of its kinds of model are alike.

`spiritlens.models.protocol` says what the calls mean. A suffix step of a layer without live hooks is computed by fused
kernels (same numbers to rounding, less time); with live hooks the model's own block runs on the suffix, after the
prefix. A backend says where its weights and hook points are and how its own blocks are called (the methods below
*What a backend tells*).

Source: the suffix recomputation of "Causal tracing", Meng et al. 2022 (arXiv 2202.05262), made exact by the keys and
values of a cached run.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from spiritlens.components import hook_name
from spiritlens.environment import plain_arithmetic
from spiritlens.models.blocks import plain_pass, suffix
from spiritlens.models.blocks.attending import CachedKeys, attend
from spiritlens.models.blocks.placed_hooks import Place, PlacedHooks, has_foreign_hooks, in_turn, lister, recorder
from spiritlens.models.blocks.places import cached_keys, check_hook_name, check_tokens, query_places
from spiritlens.models.blocks.weights import AttentionWeights, Linear, MLPWeights, Norm
from spiritlens.models.precision import widened
from spiritlens.models.protocol import CachedPrefix, HookFunction, NormName
from spiritlens.shapes import ShapeError, checked


class BlockLensModel(ABC):
    """What both backends share. ``model`` stays usable, and hookable, by anybody."""

    model: Any
    n_layers: int
    n_heads: int
    n_kv_heads: int
    d_model: int
    d_head: int
    d_mlp: int
    d_vocab: int
    n_ctx: int
    eps: float

    # What a backend tells

    @property
    @abstractmethod
    def points(self) -> Mapping[str, nn.Module]:
        """The hook points by name."""

    @property
    @abstractmethod
    def w_e(self) -> Float[Tensor, "d_vocab d_model"]: ...

    @abstractmethod
    def attention_weights(self, layer: int) -> AttentionWeights:
        """The layer's attention, its rotary tables as long as they are now."""

    @abstractmethod
    def mlp_weights(self, layer: int) -> MLPWeights: ...

    @abstractmethod
    def read_out_weights(self) -> tuple[Norm | None, Linear]:
        """The final norm and the unembedding."""

    @abstractmethod
    def read_out_hooked(self) -> bool:
        """Whether the final norm or the unembedding carries hooks."""

    @abstractmethod
    def is_plain(self, layer: int, length: int) -> bool:
        """Whether the kernels compute the layer: nothing unusual in it, no live hooks, tables of ``length``."""

    @abstractmethod
    def reach(self, layer: int, length: int) -> None:
        """Let the layer's rotary tables cover ``length`` positions."""

    @abstractmethod
    def stream(self, tokens: Tensor) -> Tensor:
        """The residual after the last block, every hook in effect."""

    @abstractmethod
    def own_logits(self, resid: Tensor) -> Tensor:
        """The model's own final norm and unembedding, so that their hooks fire, in the model's dtype."""

    @abstractmethod
    def own_embedding(self, tokens: Tensor) -> Tensor: ...

    @abstractmethod
    def own_block(self, layer: int, resid: Tensor, before: CachedKeys) -> Tensor:
        """The model's own block on a suffix, so that its hooks fire."""

    @abstractmethod
    def own_mlp(self, layer: int, resid_mid: Tensor) -> Tensor: ...

    @abstractmethod
    def own_block_bytes(self, rows: int, length: int) -> int:
        """What the model's own block holds at its fullest beside the residual that enters."""

    def replacing(self, name: str, function: HookFunction) -> tuple[Place, ...]:
        """Where a hook has to sit so that what it returns replaces the activation wherever it is read."""
        return (Place(name, self.points[name], function),)

    def differentiable(self, name: str, function: HookFunction) -> tuple[Place, ...]:
        """Where the activation lies on the way to the logits, so that a gradient reaches it."""
        return (Place(name, self.points[name], function),)

    @property
    def hook_names(self) -> Collection[str]:
        return tuple(self.points)

    # Full passes

    @property
    def dtype(self) -> torch.dtype:
        return self.w_e.dtype

    @property
    def device(self) -> torch.device:
        return self.w_e.device

    @plain_arithmetic
    @in_turn
    @checked
    def cache(
        self, tokens: Int[Tensor, "batch pos"], names: Sequence[str], prefix: CachedPrefix | None = None
    ) -> dict[str, Tensor]:
        """The named activations of a full pass (without gradients); a name that never fires is refused."""
        found: dict[str, Tensor] = {}
        if plain_pass.serves(self, tokens.shape[1], names):
            with torch.no_grad():
                plain_pass.run(self, self._known(tokens), names, found, prefix)
            return found
        with torch.no_grad(), PlacedHooks(self.model, self._recorders(names, found)):
            resid = self.stream(self._known(tokens))
            if any(name.startswith(("ln_final", "unembed")) for name in names):
                self._hooked_logits(resid)
        silent = [name for name in names if name not in found]
        if silent:
            raise ValueError(
                f"hook point {silent[0]} does not fire in this model's forward pass: TransformerLens computes it only "
                "with a flag set (use_split_qkv_input, use_hook_mlp_in …); head outputs are z @ w_o(layer)[head]"
            )
        start = 0 if prefix is None else prefix.start
        return {name: activation.detach()[:, start:] for name, activation in found.items()}

    def hooked(self, hooks: Sequence[tuple[str, HookFunction]]) -> PlacedHooks:
        """A context in which each function replaces its activation, after hooks that were there before.

        While it is open, other threads wait for the model (`spiritlens.models.blocks.placed_hooks`).
        """
        self._check_names([name for name, _ in hooks])
        return PlacedHooks(self.model, [place for name, function in hooks for place in self.replacing(name, function)])

    @plain_arithmetic
    @in_turn
    @checked
    def forward(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_vocab"]:
        """Logits of a full pass in float32 or better (also from bfloat16 weights)."""
        known = self._known(tokens)
        plain = plain_pass.serves(self, known.shape[1])
        return self.logits(plain_pass.run(self, known) if plain else self.stream(known))

    @plain_arithmetic
    @in_turn
    @checked
    def gradients(
        self, tokens: Int[Tensor, "batch pos"], names: Sequence[str], metric: Callable[[Tensor], Tensor]
    ) -> dict[str, Tensor]:
        """d metric / d activation for each name, zero where the metric does not read it. Parameters stay frozen.

        Of a point that fires several times in a pass (a norm, once for q, k and v each) the sum.
        """
        self._check_names(names)
        if self.w_e.is_inference():
            raise ValueError(
                "the model was made inside torch.inference_mode, where torch records no gradients; load it outside"
            )
        found: list[tuple[str, Tensor]] = []

        def leaf(activation: Tensor) -> Tensor:
            plain = activation.clone() if activation.is_inference() else activation
            return plain.detach().requires_grad_(True)

        embedding = hook_name("embed", 0)
        places = [Place(embedding, self.points[embedding], leaf)]
        for name in dict.fromkeys(names):
            places += self.differentiable(name, lister(found, name))
        with torch.enable_grad(), PlacedHooks(self.model, places):
            value = metric(self._hooked_logits(self.stream(self._known(tokens))))
            if value.numel() != 1:
                raise ShapeError(f"metric must return one number to differentiate, found shape {tuple(value.shape)}")
            missing = set(names) - {name for name, _ in found}
            if missing:
                raise ValueError(f"hook point {min(missing)} does not fire in this model's forward pass")
            wanted = [activation for _, activation in found]
            values = torch.autograd.grad(value.reshape(()), wanted, allow_unused=True, materialize_grads=True)
        result: dict[str, Tensor] = {}
        for (name, _), each in zip(found, values, strict=True):
            result[name] = result[name] + each if name in result else each
        return {name: result[name] for name in names}

    # Suffix steps

    @in_turn
    def block(
        self,
        layer: int,
        resid: Float[Tensor, "rows suffix d_model"],
        prefix: CachedPrefix,
        queries: Int[Tensor, " query"] | None = None,
    ) -> Float[Tensor, "rows query d_model"]:
        attn_out = self._plain_attention(layer, resid, prefix, queries)
        if attn_out is None:
            return self._hooked_step(layer, resid, prefix, queries)[1]
        _, offsets = query_places(resid, prefix.start, queries)
        resid_mid = (resid if offsets is None else resid[:, offsets]) + attn_out
        return resid_mid + suffix.mlp(self.mlp_weights(layer), resid_mid)

    @in_turn
    def attention(
        self,
        layer: int,
        resid: Float[Tensor, "rows suffix d_model"],
        prefix: CachedPrefix,
        queries: Int[Tensor, " query"] | None = None,
    ) -> Float[Tensor, "rows query d_model"]:
        attn_out = self._plain_attention(layer, resid, prefix, queries)
        return self._hooked_step(layer, resid, prefix, queries)[0] if attn_out is None else attn_out

    @in_turn
    def mlp(self, layer: int, resid_mid: Float[Tensor, "rows pos d_model"]) -> Float[Tensor, "rows pos d_model"]:
        """mlp_out of one block for given resid_mid, norm included; any positions."""
        if self.is_plain(layer, 0):
            return suffix.mlp(self.mlp_weights(layer), resid_mid)
        return self.own_mlp(layer, resid_mid)

    @checked
    def qkv(self, layer: int, resid: Float[Tensor, "rows pos d_model"]) -> tuple[Tensor, Tensor, Tensor]:
        """Queries ``[rows pos head d_head]``, keys and values ``[rows pos kv_head d_head]`` before rotation."""
        weights = self.attention_weights(layer)
        states = suffix.normed(weights.norm, resid)
        return suffix.query(weights, states), *suffix.key_value(weights, states)

    @in_turn
    def attend(
        self,
        layer: int,
        q: Float[Tensor, "rows suffix head d_head"],
        k: Float[Tensor, "rows suffix kv_head d_head"],
        v: Float[Tensor, "rows suffix kv_head d_head"],
        prefix: CachedPrefix,
        queries: Int[Tensor, " query"] | None = None,
    ) -> Float[Tensor, "rows query head d_head"]:
        length = prefix.start + q.shape[1]
        self.reach(layer, length)
        if not self.is_plain(layer, length):
            raise ValueError(f"block {layer} is no plain Llama block, or carries hooks: patch its q, k, v by hooks")
        positions, offsets = query_places(q, prefix.start, queries)
        chosen = q if offsets is None else q[:, offsets]
        return attend(self.attention_weights(layer), chosen, k, v, cached_keys(layer, prefix), positions)

    def project(self, layer: int, z: Float[Tensor, "rows pos head d_head"]) -> Float[Tensor, "rows pos d_model"]:
        """attn_out of heads' outputs z. No hook fires here."""
        return suffix.project(self.attention_weights(layer), z)

    # Reading in and out

    @plain_arithmetic
    @in_turn
    @checked
    def embed(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_model"]:
        return self.own_embedding(self._known(tokens))

    @plain_arithmetic
    @in_turn
    @checked
    def logits(self, resid: Float[Tensor, "*axes d_model"]) -> Float[Tensor, "*axes d_vocab"]:
        """unembed(ln_final(resid)) in float32 or better: a bfloat16 logit near 10 is 0.06 apart from the next."""
        if self.read_out_hooked():
            rows = resid if resid.ndim == 3 else resid.reshape(1, -1, self.d_model)  # hooks see whole sequences
            return self._hooked_logits(rows).reshape(*resid.shape[:-1], -1)
        return suffix.read_out(*self.read_out_weights(), resid)

    # Weights

    def w_o(self, layer: int) -> Float[Tensor, "head d_head d_model"]:
        weight = self.attention_weights(layer).o.weight
        return weight.view(self.d_model, -1, self.d_head).permute(1, 2, 0)

    @property
    def w_u(self) -> Float[Tensor, "d_model d_vocab"]:
        return self.read_out_weights()[1].weight.T

    def norm_gain(self, norm: NormName, layer: int = 0) -> Float[Tensor, " d_model"]:
        if norm == "ln_final":
            found = self.read_out_weights()[0]
        else:
            found = (self.attention_weights(layer) if norm == "ln1" else self.mlp_weights(layer)).norm
        gain = None if found is None else found.w
        return torch.ones(self.d_model, dtype=self.dtype, device=self.device) if gain is None else gain

    @checked
    def norm_scale(self, resid: Float[Tensor, "*axes d_model"]) -> Float[Tensor, "*axes 1"]:
        precise = widened(resid)
        scale: Tensor = (precise.pow(2).mean(-1, keepdim=True) + self.eps).sqrt()
        return scale

    # Hooks

    @in_turn
    def has_user_hooks(self) -> bool:
        """True when any module of the model carries a forward hook that neither the toolkit nor the library placed."""
        return has_foreign_hooks(self.model)

    def _check_names(self, names: Sequence[str]) -> None:
        for name in names:
            check_hook_name(name, self.points, self.n_layers)

    def _recorders(self, names: Sequence[str], found: dict[str, Tensor]) -> list[Place]:
        self._check_names(names)
        return [Place(name, self.points[name], recorder(found, name)) for name in dict.fromkeys(names)]

    def _known(self, tokens: Tensor) -> Tensor:
        """The tokens on the model's device, refused where they are too many or have no embedding."""
        check_tokens(tokens, self.n_ctx, self.w_e.shape[0], self.window)
        return tokens.to(self.device)

    @property
    @abstractmethod
    def window(self) -> int | None:
        """The length of the sliding window, where there is one."""

    def _hooked_logits(self, resid: Tensor) -> Tensor:
        return widened(self.own_logits(resid))

    def _plain_attention(
        self, layer: int, resid: Tensor, prefix: CachedPrefix, queries: Tensor | None
    ) -> Tensor | None:
        """attn_out by fused kernels; None where the block is no plain one, or carries hooks."""
        if resid.ndim != 3 or resid.shape[-1] != self.d_model or prefix.sample_of_row.shape != resid.shape[:1]:
            raise ShapeError(
                f"block {layer}: expected resid [rows suffix d_model={self.d_model}] and one sample_of_row per row, "
                f"found {tuple(resid.shape)} and {tuple(prefix.sample_of_row.shape)}"
            )
        before, (positions, offsets) = cached_keys(layer, prefix), query_places(resid, prefix.start, queries)
        if not self.is_plain(layer, prefix.start + resid.shape[1]):
            return None
        return suffix.attention(self.attention_weights(layer), resid, before, positions, offsets)

    def _hooked_step(
        self, layer: int, resid: Tensor, prefix: CachedPrefix, queries: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """attn_out and output of the model's own block on the suffix, so that its hooks fire."""
        before, (_, offsets) = cached_keys(layer, prefix), query_places(resid, prefix.start, queries)
        found: dict[str, Tensor] = {}
        name = hook_name("attn_out", layer)
        with PlacedHooks(self.model, self._recorders([name], found)):
            resid_post = self.own_block(layer, resid, before)
        both = found[name], resid_post
        return both if offsets is None else (both[0][:, offsets], both[1][:, offsets])
