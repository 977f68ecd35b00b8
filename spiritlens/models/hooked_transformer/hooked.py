"""The model's inside, seen through one small protocol.

`LensModel` (`spiritlens.models.protocol`) is all that the modules above `models/` know of a model, and says what its
calls mean; `HookedLensModel` implements it for TransformerLens's `HookedTransformer`.

A suffix step of a layer without live hooks is computed by fused kernels (same numbers to rounding, less time); with
live hooks the TransformerLens block itself runs on the suffix, with the prefix in its key-value cache.

Source: the suffix recomputation of "Causal tracing", Meng et al. 2022 (arXiv 2202.05262), made exact by a frozen
key-value cache as in TransformerLens's ``TransformerLensKeyValueCacheEntry``.
"""

from collections.abc import Callable, Collection, Sequence
from difflib import get_close_matches

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens import HookedTransformer
from transformer_lens.cache.key_value_cache_entry import TransformerLensKeyValueCacheEntry

from spiritlens.components import hook_name
from spiritlens.environment import plain_arithmetic
from spiritlens.models.hooked_transformer import suffix
from spiritlens.models.hooked_transformer.attending import CachedKeys, attend
from spiritlens.models.hooked_transformer.placed_hooks import PlacedHooks, has_foreign_hooks, in_turn
from spiritlens.models.precision import widened
from spiritlens.models.protocol import CachedPrefix, HookFunction, NormName
from spiritlens.shapes import ShapeError, checked


class HookedLensModel:
    """`LensModel` on TransformerLens's `HookedTransformer`. ``model`` stays usable, and hookable, by anybody."""

    def __init__(self, model: HookedTransformer) -> None:
        self.model = model
        config = model.cfg
        self.n_layers: int = config.n_layers
        self.n_heads: int = config.n_heads
        self.n_kv_heads: int = config.n_key_value_heads or config.n_heads
        self.d_model: int = config.d_model
        self.d_head: int = config.d_head
        self.d_mlp: int = config.d_mlp or 0
        self.d_vocab: int = config.d_vocab_out
        self.n_ctx: int = config.n_ctx

    @property
    def dtype(self) -> torch.dtype:
        return self.w_e.dtype

    @property
    def device(self) -> torch.device:
        return self.w_e.device

    @property
    def hook_names(self) -> Collection[str]:
        return tuple(self.model.hook_dict)

    # Full passes

    @plain_arithmetic
    @in_turn
    @checked
    def cache(self, tokens: Int[Tensor, "batch pos"], names: Sequence[str]) -> dict[str, Tensor]:
        """The named activations of a full pass (without gradients); a name that never fires is refused."""
        self._check_names(names)
        found: dict[str, Tensor] = {}
        with torch.no_grad(), self.hooked([(name, _recorder(found, name)) for name in dict.fromkeys(names)]):
            resid = self._stream(tokens)
            if any(name.startswith(("ln_final", "unembed")) for name in names):
                self._hooked_logits(resid)
        silent = [name for name in names if name not in found]
        if silent:
            raise ValueError(
                f"hook point {silent[0]} does not fire in this model's forward pass: TransformerLens computes it only "
                "with a flag set (use_split_qkv_input, use_hook_mlp_in …); head outputs are z @ w_o(layer)[head]"
            )
        return {name: activation.detach() for name, activation in found.items()}

    def hooked(self, hooks: Sequence[tuple[str, HookFunction]]) -> PlacedHooks:
        """A context in which each function replaces its activation, after hooks that were there before.

        While it is open, other threads wait for the model (`spiritlens.models.hooked_transformer.placed_hooks`).
        """
        self._check_names([name for name, _ in hooks])
        return PlacedHooks(self.model, [(name, self.model.hook_dict[name], function) for name, function in hooks])

    @plain_arithmetic
    @in_turn
    @checked
    def forward(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_vocab"]:
        """Logits of a full pass in float32 or better (also from bfloat16 weights)."""
        return self.logits(self._stream(tokens))

    @plain_arithmetic
    @in_turn
    @checked
    def gradients(
        self, tokens: Int[Tensor, "batch pos"], names: Sequence[str], metric: Callable[[Tensor], Tensor]
    ) -> dict[str, Tensor]:
        """d metric / d activation for each name, zero where the metric does not read it. Parameters stay frozen."""
        self._check_names(names)
        if self.w_e.is_inference():
            raise ValueError(
                "the model was made inside torch.inference_mode, where torch records no gradients; load it outside"
            )
        found: dict[str, Tensor] = {}

        def leaf(activation: Tensor) -> Tensor:
            plain = activation.clone() if activation.is_inference() else activation
            return plain.detach().requires_grad_(True)

        hooks = [(hook_name("embed", 0), leaf), *((name, _recorder(found, name)) for name in dict.fromkeys(names))]
        with torch.enable_grad(), self.hooked(hooks):
            value = metric(self._hooked_logits(self._stream(tokens)))
            if value.numel() != 1:
                raise ShapeError(f"metric must return one number to differentiate, found shape {tuple(value.shape)}")
            missing = [name for name in names if name not in found]
            if missing:
                raise ValueError(f"hook point {missing[0]} does not fire in this model's forward pass")
            wanted = [found[name] for name in dict.fromkeys(names)]
            values = torch.autograd.grad(value.reshape(()), wanted, allow_unused=True, materialize_grads=True)
        return dict(zip(dict.fromkeys(names), values, strict=True))

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
        _, offsets = _query_places(resid, prefix.start, queries)
        resid_mid = (resid if offsets is None else resid[:, offsets]) + attn_out
        return resid_mid + suffix.mlp(self.model.blocks[layer], resid_mid)

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
        block = self.model.blocks[layer]
        if suffix.is_plain(block, 0):
            return suffix.mlp(block, resid_mid)
        mlp_in = block.hook_mlp_in(resid_mid.clone()) if self.model.cfg.use_hook_mlp_in else resid_mid
        mlp_out: Tensor = block.apply_mlp(block.ln2(mlp_in))
        return mlp_out

    @checked
    def qkv(self, layer: int, resid: Float[Tensor, "rows pos d_model"]) -> tuple[Tensor, Tensor, Tensor]:
        """Queries ``[rows pos head d_head]``, keys and values ``[rows pos kv_head d_head]`` before rotation."""
        block = self.model.blocks[layer]
        return suffix.projections(block.attn, suffix.normed(block.ln1, resid))

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
        block = self.model.blocks[layer]
        suffix.reach(block.attn, prefix.start + q.shape[1])
        if not suffix.is_plain(block, prefix.start + q.shape[1]):
            raise ValueError(f"block {layer} is no plain Llama block, or carries hooks: patch its q, k, v by hooks")
        positions, offsets = _query_places(q, prefix.start, queries)
        chosen = q if offsets is None else q[:, offsets]
        return attend(block.attn, chosen, k, v, _cached_keys(layer, prefix), positions)

    def project(self, layer: int, z: Float[Tensor, "rows pos head d_head"]) -> Float[Tensor, "rows pos d_model"]:
        """attn_out of heads' outputs z. No hook fires here."""
        return suffix.project(self.model.blocks[layer].attn, z)

    # Reading in and out

    @plain_arithmetic
    @in_turn
    @checked
    def embed(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_model"]:
        embeddings: Tensor = self.model.hook_embed(self.model.embed(self._known_tokens(tokens)))
        return embeddings

    @plain_arithmetic
    @in_turn
    @checked
    def logits(self, resid: Float[Tensor, "*axes d_model"]) -> Float[Tensor, "*axes d_vocab"]:
        """unembed(ln_final(resid)) in float32 or better: a bfloat16 logit near 10 is 0.06 apart from the next."""
        norm = getattr(self.model, "ln_final", None)
        if suffix.hooks_live(self.model.unembed) or (norm is not None and suffix.hooks_live(norm)):
            rows = resid if resid.ndim == 3 else resid.reshape(1, -1, self.d_model)  # hooks see whole sequences
            return self._hooked_logits(rows).reshape(*resid.shape[:-1], -1)
        return suffix.read_out(norm, self.model.unembed, resid)

    # Weights

    def w_o(self, layer: int) -> Float[Tensor, "head d_head d_model"]:
        weight: Tensor = self.model.blocks[layer].attn.W_O
        return weight

    @property
    def w_u(self) -> Float[Tensor, "d_model d_vocab"]:
        weight: Tensor = self.model.unembed.W_U
        return weight

    @property
    def w_e(self) -> Float[Tensor, "d_vocab d_model"]:
        weight: Tensor = self.model.embed.W_E
        return weight

    def norm_gain(self, norm: NormName, layer: int = 0) -> Float[Tensor, " d_model"]:
        module = self.model.ln_final if norm == "ln_final" else getattr(self.model.blocks[layer], norm)
        gain: Tensor | None = getattr(module, "w", None)
        return torch.ones(self.d_model, dtype=self.dtype, device=self.device) if gain is None else gain

    @checked
    def norm_scale(self, resid: Float[Tensor, "*axes d_model"]) -> Float[Tensor, "*axes 1"]:
        precise = widened(resid)
        scale: Tensor = (precise.pow(2).mean(-1, keepdim=True) + self.model.cfg.eps).sqrt()
        return scale

    # Hooks

    @in_turn
    def has_user_hooks(self) -> bool:
        """True when any module of the model carries a forward hook that `hooked` or `cache` did not place."""
        return has_foreign_hooks(self.model)

    def _check_names(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self.model.hook_dict:
                near = get_close_matches(name, self.model.hook_dict, n=3)
                hint = f"; did you mean {', '.join(near)}?" if near else ""
                raise ValueError(f"the model has no hook point {name!r} ({self.n_layers} layers){hint}")

    def _known_tokens(self, tokens: Tensor) -> Tensor:
        """The tokens on the model's device, refused where they are too many or have no embedding."""
        limit, rows = self.n_ctx, self.w_e.shape[0]
        if tokens.shape[1] > limit:
            window = self.model.cfg.window_size
            why = ", its sliding window, beyond which it is not computed exactly" if window == limit else ""
            raise ValueError(
                f"{tokens.shape[1]} tokens are more than the model's context of {limit}{why}; give a shorter prompt"
            )
        if tokens.device.type == "cpu" and tokens.numel() and not 0 <= int(tokens.min()) <= int(tokens.max()) < rows:
            worst = int(tokens.max()) if int(tokens.min()) >= 0 else int(tokens.min())
            raise ValueError(
                f"token {worst} has no embedding: ids go from 0 to {rows - 1}; use this lens's own prompts"
            )
        return tokens.to(self.device)

    def _stream(self, tokens: Tensor) -> Tensor:
        """The residual after the last block."""
        resid: Tensor = self.model(self._known_tokens(tokens), stop_at_layer=self.n_layers)
        return resid

    def _hooked_logits(self, resid: Tensor) -> Tensor:
        """The model's own final norm and unembedding, so that their hooks fire; in the model's dtype, then widened."""
        norm = getattr(self.model, "ln_final", None)
        return widened(self.model.unembed(resid if norm is None else norm(resid)))

    def _plain_attention(
        self, layer: int, resid: Tensor, prefix: CachedPrefix, queries: Tensor | None
    ) -> Tensor | None:
        """attn_out by fused kernels; None where the block is no plain one, or carries hooks."""
        if resid.ndim != 3 or resid.shape[-1] != self.d_model or prefix.sample_of_row.shape != resid.shape[:1]:
            raise ShapeError(
                f"block {layer}: expected resid [rows suffix d_model={self.d_model}] and one sample_of_row per row, "
                f"found {tuple(resid.shape)} and {tuple(prefix.sample_of_row.shape)}"
            )
        before, (positions, offsets) = _cached_keys(layer, prefix), _query_places(resid, prefix.start, queries)
        block = self.model.blocks[layer]
        if not suffix.is_plain(block, prefix.start + resid.shape[1]):
            return None
        return suffix.attention(block, resid, before, positions, offsets)

    def _hooked_step(
        self, layer: int, resid: Tensor, prefix: CachedPrefix, queries: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """attn_out and output of the TransformerLens block itself on the suffix, so that its hooks fire."""
        before, (_, offsets) = _cached_keys(layer, prefix), _query_places(resid, prefix.start, queries)
        rows = before.sample_of_row
        entry = TransformerLensKeyValueCacheEntry(before.keys[rows], before.values[rows], frozen=True)
        found: dict[str, Tensor] = {}
        name = hook_name("attn_out", layer)
        with self.hooked([(name, _recorder(found, name))]):
            resid_post: Tensor = self.model.blocks[layer](resid, past_kv_cache_entry=entry)
        both = found[name], resid_post
        return both if offsets is None else (both[0][:, offsets], both[1][:, offsets])


def _recorder(found: dict[str, Tensor], name: str) -> HookFunction:
    """A hook that keeps what it sees."""

    def record(activation: Tensor) -> Tensor:
        found[name] = activation
        return activation

    return record


def _query_places(rows: Tensor, start: int, queries: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Positions of the queries, and their places in the suffix (None: the whole suffix)."""
    if queries is None:
        return torch.arange(start, start + rows.shape[1], device=rows.device), None
    if queries.device.type == "cpu" and len(queries):  # elsewhere the look would wait for the device
        first, last = int(queries.min()), int(queries.max())
        if first < start or last >= start + rows.shape[1]:
            raise ShapeError(
                f"queries are positions from {start} to {start + rows.shape[1] - 1} here, found {first} to {last}"
            )
    queries = queries.to(rows.device)
    return queries, queries - start


def _cached_keys(layer: int, prefix: CachedPrefix) -> CachedKeys:
    """Keys and values of the runs before ``start``."""
    keys, values = prefix.run[hook_name("k", layer)], prefix.run[hook_name("v", layer)]
    if prefix.start > keys.shape[1]:
        raise ShapeError(f"block {layer}: start {prefix.start} is past the run's {keys.shape[1]} cached positions")
    return CachedKeys(keys[:, : prefix.start], values[:, : prefix.start], prefix.sample_of_row)
