"""The model's inside, seen through one small protocol.

`LensModel` (`spiritlens.models.protocol`) is all that the rooms above `models/` know of a model; `HookedLensModel`
fulfils it on TransformerLens's `HookedTransformer`. Names are TransformerLens's hook names
(``blocks.3.hook_resid_pre``, ``blocks.3.attn.hook_z`` …).

Two kinds of call. *Full passes* (`forward`, `cache`, `gradients`) run the whole model on tokens ``[batch pos]``, and
every live hook takes effect. *Suffix steps* (`block`, `attention`, `mlp`) run one part of one layer on residuals of the
positions ``start …`` only: the keys and values of earlier positions come from a cached run,

    attention of a row at position p  =  softmax over positions ≤ p of
        keys, values of ``run`` (row ``sample_of_row[row]``)   for positions < start,
        keys, values of the row itself                          for positions ≥ start,

which is exact for a causal model whenever the row equals that run before ``start``. ``run`` holds keys and values as
TransformerLens caches them: before the rotary embedding, key-value heads only (``blocks.l.attn.hook_k`` and ``hook_v``,
``[run pos kv_head d_head]``). Without live hooks in the layer a suffix step is computed by fused kernels (same numbers
to rounding, less time); with live hooks the TransformerLens block itself runs on the suffix.

A hook function takes the activation and returns a new tensor of the same shape; it never writes in place.

Source: the suffix recomputation of "Causal tracing", Meng et al. 2022 (arXiv 2202.05262), made exact by a frozen
key-value cache as in TransformerLens's ``TransformerLensKeyValueCacheEntry``.
"""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens import HookedTransformer
from transformer_lens.cache.key_value_cache_entry import TransformerLensKeyValueCacheEntry

from spiritlens.components import hook_name
from spiritlens.environment import plain_arithmetic
from spiritlens.models.hooked_transformer import suffix
from spiritlens.models.hooked_transformer.attending import attend
from spiritlens.models.hooked_transformer.placed_hooks import PlacedHooks, has_foreign_hooks, in_turn
from spiritlens.models.protocol import HookFunction, NormName
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

    @property
    def dtype(self) -> torch.dtype:
        return self.w_e.dtype

    @property
    def device(self) -> torch.device:
        return self.w_e.device

    # Full passes

    @plain_arithmetic
    @in_turn
    @checked
    def cache(self, tokens: Int[Tensor, "batch pos"], names: Sequence[str]) -> dict[str, Tensor]:
        """The named activations of a full pass (without gradients); a name that never fires is refused."""
        self._check_names(names)
        found: dict[str, Tensor] = {}

        def recorder(name: str) -> HookFunction:
            def record(activation: Tensor) -> Tensor:
                found[name] = activation.detach()
                return activation

            return record

        with torch.no_grad(), self.hooked([(name, recorder(name)) for name in dict.fromkeys(names)]):
            resid = self._stream(tokens)
            if any(name.startswith(("ln_final", "unembed")) for name in names):
                self._hooked_logits(resid)
        silent = [name for name in names if name not in found]
        if silent:
            raise ValueError(
                f"hook point {silent[0]} does not fire in this model's forward pass: TransformerLens computes it only "
                "with a flag set (use_split_qkv_input, use_hook_mlp_in …); head outputs are z @ w_o(layer)[head]"
            )
        return found

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

        def recorder(name: str) -> HookFunction:
            def record(activation: Tensor) -> Tensor:
                found[name] = activation
                return activation

            return record

        def leaf(activation: Tensor) -> Tensor:
            plain = activation.clone() if activation.is_inference() else activation
            return plain.detach().requires_grad_(True)

        hooks = [(hook_name("embed", 0), leaf), *((name, recorder(name)) for name in dict.fromkeys(names))]
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
        run: Mapping[str, Tensor],
        start: int,
        sample_of_row: Int[Tensor, " rows"],
        queries: Int[Tensor, " query"] | None = None,
    ) -> Float[Tensor, "rows query d_model"]:
        """One block on the positions ``start …`` (module docstring). ``queries`` are positions, not offsets."""
        keys, values = self._prefix(layer, resid, run, start, sample_of_row)
        block = self.model.blocks[layer]
        positions, offsets = self._query_places(resid, start, queries)
        if suffix.is_plain(block, start + resid.shape[1]):
            attn_out = suffix.attention(block, resid, keys, values, sample_of_row, positions, offsets)
            resid_mid = (resid if offsets is None else resid[:, offsets]) + attn_out
            return resid_mid + suffix.mlp(block, resid_mid)
        entry = TransformerLensKeyValueCacheEntry(keys[sample_of_row], values[sample_of_row], frozen=True)
        resid_post: Tensor = block(resid, past_kv_cache_entry=entry)
        return resid_post if offsets is None else resid_post[:, offsets]

    @in_turn
    def attention(
        self,
        layer: int,
        resid: Float[Tensor, "rows suffix d_model"],
        run: Mapping[str, Tensor],
        start: int,
        sample_of_row: Int[Tensor, " rows"],
        queries: Int[Tensor, " query"] | None = None,
    ) -> Float[Tensor, "rows query d_model"]:
        """attn_out of one block on the positions ``start …``, as `block`."""
        keys, values = self._prefix(layer, resid, run, start, sample_of_row)
        block = self.model.blocks[layer]
        positions, offsets = self._query_places(resid, start, queries)
        if suffix.is_plain(block, start + resid.shape[1]):
            return suffix.attention(block, resid, keys, values, sample_of_row, positions, offsets)
        outputs: list[Tensor] = []

        def record(activation: Tensor) -> Tensor:
            outputs.append(activation)
            return activation

        entry = TransformerLensKeyValueCacheEntry(keys[sample_of_row], values[sample_of_row], frozen=True)
        with self.hooked([(hook_name("attn_out", layer), record)]):
            block(resid, past_kv_cache_entry=entry)
        return outputs[0] if offsets is None else outputs[0][:, offsets]

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
        run: Mapping[str, Tensor],
        start: int,
        sample_of_row: Int[Tensor, " rows"],
        queries: Int[Tensor, " query"] | None = None,
    ) -> Float[Tensor, "rows query head d_head"]:
        """z of the queries, from what `qkv` returned and the run before ``start``; no hook of the layer fires."""
        block = self.model.blocks[layer]
        suffix.reach(block.attn, start + q.shape[1])
        if not suffix.is_plain(block, start + q.shape[1]):
            raise ValueError(f"block {layer} is no plain Llama block, or carries hooks: patch its q, k, v by hooks")
        keys, values = run[hook_name("k", layer)][:, :start], run[hook_name("v", layer)][:, :start]
        positions, offsets = self._query_places(q, start, queries)
        chosen = q if offsets is None else q[:, offsets]
        return attend(block.attn, chosen, k, v, keys, values, sample_of_row, positions)

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
        precise = suffix.widened(resid)
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
        limit, rows = self.model.cfg.n_ctx, self.w_e.shape[0]
        if tokens.shape[1] > limit:
            raise ValueError(
                f"{tokens.shape[1]} tokens are more than the model's context of {limit}; give a shorter prompt"
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
        return suffix.widened(self.model.unembed(resid if norm is None else norm(resid)))

    def _query_places(self, rows: Tensor, start: int, queries: Tensor | None) -> tuple[Tensor, Tensor | None]:
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

    def _prefix(
        self, layer: int, resid: Tensor, run: Mapping[str, Tensor], start: int, sample_of_row: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Keys and values of the run before ``start``, ``[run start kv_head d_head]``, after cheap checks."""
        if resid.ndim != 3 or resid.shape[-1] != self.d_model or sample_of_row.shape != resid.shape[:1]:
            raise ShapeError(
                f"block {layer}: expected resid [rows suffix d_model={self.d_model}] and one sample_of_row per row, "
                f"found {tuple(resid.shape)} and {tuple(sample_of_row.shape)}"
            )
        keys, values = run[hook_name("k", layer)], run[hook_name("v", layer)]
        if start > keys.shape[1]:
            raise ShapeError(f"block {layer}: start {start} is past the run's {keys.shape[1]} cached positions")
        return keys[:, :start], values[:, :start]
