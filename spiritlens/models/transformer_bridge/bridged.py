"""`LensModel` on TransformerLens's `TransformerBridge`, which wraps the modules of Hugging Face's model.

What differs from a `HookedTransformer`, and is levelled here:

- ``hook_resid_mid`` is the input of the second norm: what a hook returns there reaches the MLP and not the residual
  stream. A hook that replaces it is placed behind the attention instead, whose output becomes ``new resid_mid −
  resid_pre`` (`_ResidMid`).
- Hugging Face's caches hold keys that are rotated already, and are written in place. A block with live hooks gets a
  cache of its own (`PrefixCache`), made from the cached run's keys before rotation.
- Hook points of queries, keys, values and z hold flat tensors and show heads by a conversion
  (`spiritlens.models.blocks.placed_hooks.as_hook_point`); names are aliases of the bridge's own. 3.9 ignores names that
  there are not; here they are refused.
- Full passes go through the bridge's modules one after the other, so that the residual after the last block is had
  without the unembedding in the model's dtype.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformer_lens.model_bridge import TransformerBridge

from spiritlens.components import hook_name
from spiritlens.models.blocks.attending import CachedKeys, rotated
from spiritlens.models.blocks.lens_model import BlockLensModel
from spiritlens.models.blocks.placed_hooks import Place, of_the_libraries
from spiritlens.models.blocks.weights import AttentionWeights, Linear, MLPWeights, Norm
from spiritlens.models.checkpoints.llama import context, head_size, window
from spiritlens.models.precision import widened
from spiritlens.models.protocol import HookFunction

TABLE_POSITIONS = 8192
KEPT_SCALE = "_spiritlens_scale"


class BridgeLensModel(BlockLensModel):
    """`LensModel` on TransformerLens's `TransformerBridge`. ``model`` stays usable, and hookable, by anybody."""

    def __init__(self, model: TransformerBridge) -> None:
        self.model = model
        self._llama: Any = model.original_model
        config = self._llama.config
        self.n_layers: int = config.num_hidden_layers
        self.n_heads: int = config.num_attention_heads
        self.n_kv_heads: int = config.num_key_value_heads
        self.d_model: int = config.hidden_size
        self.d_head: int = head_size(config)
        self.d_mlp: int = config.intermediate_size
        self.d_vocab: int = config.vocab_size
        self.n_ctx: int = context(config)
        self.eps: float = config.rms_norm_eps
        self._window = window(config)
        self._points: dict[str, nn.Module] = dict(model.hook_dict)
        self._blocks = [_Parts(block) for block in model.blocks]
        self._read_out = _hooks_of([model.ln_final, model.unembed])
        self._length = min(self.n_ctx, TABLE_POSITIONS)
        self._made_of: tuple[int, int] | None = None

    @property
    def points(self) -> Mapping[str, nn.Module]:
        return self._points

    @property
    def window(self) -> int | None:
        return self._window

    @property
    def w_e(self) -> Float[Tensor, "d_vocab d_model"]:
        weight: Tensor = self.model.embed.original_component.weight
        return weight

    # Weights

    def attention_weights(self, layer: int) -> AttentionWeights:
        parts, (cos, sin) = self._blocks[layer], self._tables()
        q, k, v, o = (Linear(linear.weight, linear.bias) for linear in parts.attention)
        return AttentionWeights(_norm(parts.ln1), q, k, v, o, self.d_head, self.d_head**0.5, cos, sin)

    def mlp_weights(self, layer: int) -> MLPWeights:
        parts = self._blocks[layer]
        gate, up, out = (Linear(linear.weight, linear.bias) for linear in parts.mlp)
        return MLPWeights(_norm(parts.ln2), gate, up, out)

    def read_out_weights(self) -> tuple[Norm | None, Linear]:
        unembed = self.model.unembed.original_component
        return _norm(self.model.ln_final.original_component), Linear(unembed.weight, unembed.bias)

    def read_out_hooked(self) -> bool:
        return _live(self._read_out)

    def is_plain(self, layer: int, length: int) -> bool:
        return length <= self._length and not self._blocks[layer].hooked()

    def reach(self, layer: int, length: int) -> None:
        if length > self._length:
            self._length, self._made_of = length, None

    def _tables(self) -> tuple[Tensor, Tensor]:
        """The rotary tables of the first positions, made anew where they have to reach further or somebody changed the
        model's frequencies."""
        rotary = self.model.rotary_emb.original_component
        frequencies = getattr(rotary, "precise_frequencies", rotary.inv_freq)  # of float64: `checkpoints.reference`
        made_of = (id(frequencies), frequencies._version)
        if made_of != self._made_of:
            self._made, self._made_of = self._made_tables(self._length), made_of
        return self._made

    def _made_tables(self, length: int) -> tuple[Tensor, Tensor]:
        """The rotary tables ``[pos d_head]`` of the first positions, by Hugging Face's own module."""
        positions = torch.arange(length, device=self.device)[None]
        probe = torch.zeros((), dtype=self.dtype, device=self.device)
        with torch.no_grad():
            cos, sin = self.model.rotary_emb.original_component(probe, positions)
        return cos[0], sin[0]

    # The bridge's own modules

    def stream(self, tokens: Tensor) -> Tensor:
        resid = self.own_embedding(tokens)
        for layer in range(self.n_layers):
            resid = self._called(layer, resid, 0, None)
        return resid

    def own_logits(self, resid: Tensor) -> Tensor:
        logits: Tensor = self.model.unembed(self.model.ln_final(resid))
        return logits

    def own_embedding(self, tokens: Tensor) -> Tensor:
        embeddings: Tensor = self.model.embed(tokens)
        return embeddings

    def own_block(self, layer: int, resid: Tensor, before: CachedKeys) -> Tensor:
        weights, start = self.attention_weights(layer), before.keys.shape[1]
        keys = rotated(weights, before.keys, slice(0, start)) if start else before.keys
        rows = before.sample_of_row
        cache = PrefixCache(keys[rows].transpose(1, 2), before.values[rows].transpose(1, 2))
        return self._called(layer, resid, start, cache)

    def own_mlp(self, layer: int, resid_mid: Tensor) -> Tensor:
        block = self.model.blocks[layer]
        mlp_out: Tensor = block.mlp(block.ln2(resid_mid))
        return mlp_out

    def own_block_bytes(self, rows: int, length: int) -> int:
        """In the attention: the normed residual, turned queries, turned keys, values, keys and values for each head
        where heads share them; scores and what their softmax reads and makes; then, beside scores and pattern, values
        by head and what is made of them. In the MLP: the pattern, resid_mid, the normed residual; gate, up and their
        product."""
        tokens, scores, itemsize = rows * length, rows * self.n_heads * length**2, self.dtype.itemsize
        heads = (self.n_heads + 2 * self.n_kv_heads) * self.d_head
        heads += 2 * self.n_heads * self.d_head * (self.n_heads != self.n_kv_heads)
        softmax = {2: 4 + 4, 4: 4, 8: 8 + 8}[
            itemsize
        ]  # bytes: widened scores and pattern; pattern; pattern, twice made
        mixing = 2 * tokens * self.n_heads * self.d_head * itemsize
        attention = tokens * (self.d_model + heads) * itemsize + scores * itemsize
        attention += max(scores * softmax, scores * itemsize + mixing)
        return max(attention, (tokens * (2 * self.d_model + 3 * self.d_mlp) + scores) * itemsize)

    def _called(self, layer: int, resid: Tensor, start: int, cache: "PrefixCache | None") -> Tensor:
        """A block of the bridge's on the positions from ``start`` on; it makes its causal mask itself."""
        positions = torch.arange(start, start + resid.shape[1], device=resid.device)[None]
        output = self.model.blocks[layer](
            resid,
            attention_mask=None,
            position_ids=positions,
            past_key_values=cache,
            use_cache=cache is not None,
            position_embeddings=self.model.rotary_emb(resid, positions),
        )
        resid_post: Tensor = output[0] if isinstance(output, tuple) else output
        return resid_post

    # Hooks

    def replacing(self, name: str, function: HookFunction) -> tuple[Place, ...]:
        """Where it is read: ``resid_mid`` behind the attention, a norm's scale behind the norm."""
        if name.endswith("hook_scale"):
            norm = self.model.get_submodule(name.removesuffix(".hook_scale"))
            scale = _Scale(_norm(norm.original_component))
            return (Place(name, norm.hook_in, scale.before), Place(name, norm, function, scale.seen))
        for layer, block in enumerate(self.model.blocks):
            if self._points[name] is self._points[hook_name("resid_mid", layer)]:
                mid = _ResidMid()
                return (
                    Place(hook_name("resid_pre", layer), self._points[hook_name("resid_pre", layer)], mid.before),
                    Place(name, block.attn, function, mid.seen),
                )
        return super().replacing(name, function)

    def differentiable(self, name: str, function: HookFunction) -> tuple[Place, ...]:
        """A norm's scale is found behind the norm: the bridge computes its own beside it, and without gradients."""
        if name.endswith("hook_normalized"):
            raise ValueError(
                f"hook point {name} has no gradient: a TransformerBridge computes it beside the norm; ask for the "
                f"norm's scale ({name.removesuffix('normalized')}scale) or for the residual that it reads"
            )
        return (self.replacing if name.endswith("hook_scale") else super().differentiable)(name, function)


class PrefixCache:
    """Rotated keys and values ``[rows kv_head start d_head]`` in front of those of one block's rows; never written."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        self.keys = keys
        self.values = values

    def update(self, keys: Tensor, values: Tensor, *place: Any, **more: Any) -> tuple[Tensor, Tensor]:
        return torch.cat([self.keys, keys], dim=2), torch.cat([self.values, values], dim=2)


class _ResidMid:
    """The residual after one attention, seen in the attention's output and written back to it."""

    def __init__(self) -> None:
        self.resid_pre: Tensor | None = None

    def before(self, resid_pre: Tensor) -> Tensor:
        self.resid_pre = resid_pre
        return resid_pre

    def seen(self, module: nn.Module, output: Any) -> tuple[Tensor, Callable[[Tensor], Any]]:
        resid_pre, (attn_out, *rest) = self.resid_pre, output
        if resid_pre is None:
            raise RuntimeError("a hook on resid_mid fires in whole blocks only: call the block, not its attention")
        resid_mid = resid_pre + attn_out

        def back(value: Tensor) -> Any:
            return output if value is resid_mid else (value - resid_pre, *rest)

        return resid_mid, back


class _Scale:
    """The scale of one norm, seen at its output, which is computed anew from it where that decides a number or a
    gradient. An output that was made so keeps its scale, for the hooks that come after."""

    def __init__(self, norm: Norm) -> None:
        self.norm = norm
        self.resid: Tensor | None = None

    def before(self, resid: Tensor) -> Tensor:
        self.resid = resid
        return resid

    def seen(self, module: nn.Module, output: Tensor) -> tuple[Tensor, Callable[[Tensor], Any]]:
        if self.resid is None:
            raise RuntimeError("a hook on a norm's scale fires with its norm only")
        wide = widened(self.resid)
        kept: Tensor | None = getattr(output, KEPT_SCALE, None)
        scale = (wide.pow(2).mean(-1, keepdim=True) + self.norm.eps).sqrt() if kept is None else kept

        def back(value: Tensor) -> Tensor:
            if value is scale and (kept is not None or not torch.is_grad_enabled()):
                return output
            normed = (wide / value).to(output.dtype)
            normed = normed if self.norm.w is None else normed * self.norm.w
            setattr(normed, KEPT_SCALE, value)
            return normed

        return scale, back


class _Parts:
    """The modules of Hugging Face's that hold one block's weights, and the hooks that its modules carry."""

    def __init__(self, block: Any) -> None:
        attn, mlp = block.attn, block.mlp
        self.attention = [part.original_component for part in (attn.q, attn.k, attn.v, attn.o)]
        self.mlp = [part.original_component for part in (mlp.gate, getattr(mlp, "in"), mlp.out)]
        self.ln1, self.ln2 = block.ln1.original_component, block.ln2.original_component
        self._hooks = _hooks_of([block])

    def hooked(self) -> bool:
        """Whether a part of the block carries a hook that is not a library's own."""
        return _live(self._hooks)


def _hooks_of(modules: Iterable[nn.Module]) -> list[dict[int, Any]]:
    """The registers of forward hooks of modules and their parts, each once; torch never replaces them."""
    parts = {id(part): part for module in modules for part in module.modules()}
    return [hooks for part in parts.values() for hooks in (part._forward_hooks, part._forward_pre_hooks)]


def _live(registers: Iterable[Mapping[int, Any]]) -> bool:
    return any(not of_the_libraries(hook) for hooks in registers if hooks for hook in hooks.values())


def _norm(norm: Any) -> Norm:
    return Norm(norm.weight, norm.variance_epsilon)
