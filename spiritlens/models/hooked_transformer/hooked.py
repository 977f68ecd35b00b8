"""`LensModel` on TransformerLens's `HookedTransformer`.

A block with live hooks runs on the suffix with the prefix in a frozen key-value cache
(``TransformerLensKeyValueCacheEntry``), whose keys are not rotated yet.
"""

from collections.abc import Mapping
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from transformer_lens import HookedTransformer
from transformer_lens.cache.key_value_cache_entry import TransformerLensKeyValueCacheEntry
from transformer_lens.components import RMSNorm, RMSNormPre
from transformer_lens.components.attention import Attention
from transformer_lens.components.grouped_query_attention import GroupedQueryAttention
from transformer_lens.components.mlps.gated_mlp import GatedMLP

from spiritlens.models.blocks.attending import CachedKeys
from spiritlens.models.blocks.lens_model import BlockLensModel
from spiritlens.models.blocks.suffix import hooks_live
from spiritlens.models.blocks.weights import AttentionWeights, Linear, MLPWeights, Norm


class HookedLensModel(BlockLensModel):
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
        self.eps: float = config.eps

    @property
    def points(self) -> Mapping[str, nn.Module]:
        found: Mapping[str, nn.Module] = self.model.hook_dict
        return found

    @property
    def window(self) -> int | None:
        length: int | None = self.model.cfg.window_size
        return length

    @property
    def w_e(self) -> Float[Tensor, "d_vocab d_model"]:
        weight: Tensor = self.model.embed.W_E
        return weight

    def attention_weights(self, layer: int) -> AttentionWeights:
        block = self.model.blocks[layer]
        attn = block.attn
        own = "_" if isinstance(attn, GroupedQueryAttention) else ""
        return AttentionWeights(
            norm=_norm(block.ln1),
            q=_flat(attn.W_Q, attn.b_Q),
            k=_flat(getattr(attn, f"{own}W_K"), getattr(attn, f"{own}b_K")),
            v=_flat(getattr(attn, f"{own}W_V"), getattr(attn, f"{own}b_V")),
            o=Linear(attn.W_O.flatten(0, 1).T, attn.b_O),
            d_head=self.d_head,
            attn_scale=attn.attn_scale,
            rotary_cos=attn.rotary_cos,
            rotary_sin=attn.rotary_sin,
        )

    def w_o(self, layer: int) -> Float[Tensor, "head d_head d_model"]:
        weight: Tensor = self.model.blocks[layer].attn.W_O
        return weight

    def mlp_weights(self, layer: int) -> MLPWeights:
        block = self.model.blocks[layer]
        mlp = block.mlp
        gate, up, out = (Linear(weight.T, None) for weight in (mlp.W_gate, mlp.W_in, mlp.W_out))
        return MLPWeights(_norm(block.ln2), gate, up, out._replace(bias=mlp.b_out), mlp.b_in)

    def read_out_weights(self) -> tuple[Norm | None, Linear]:
        norm, unembed = getattr(self.model, "ln_final", None), self.model.unembed
        return None if norm is None else _norm(norm), Linear(unembed.W_U.T, unembed.b_U)

    def read_out_hooked(self) -> bool:
        norm = getattr(self.model, "ln_final", None)
        usual = norm is None or (isinstance(norm, RMSNorm | RMSNormPre) and not hooks_live(norm))
        return not usual or hooks_live(self.model.unembed)

    def is_plain(self, layer: int, length: int) -> bool:
        return is_plain(self.model.blocks[layer], length)

    def reach(self, layer: int, length: int) -> None:
        reach(self.model.blocks[layer].attn, length)

    def stream(self, tokens: Tensor) -> Tensor:
        resid: Tensor = self.model(tokens, stop_at_layer=self.n_layers)
        return resid

    def own_logits(self, resid: Tensor) -> Tensor:
        norm = getattr(self.model, "ln_final", None)
        logits: Tensor = self.model.unembed(resid if norm is None else norm(resid))
        return logits

    def own_embedding(self, tokens: Tensor) -> Tensor:
        embeddings: Tensor = self.model.hook_embed(self.model.embed(tokens))
        return embeddings

    def own_block(self, layer: int, resid: Tensor, before: CachedKeys) -> Tensor:
        rows = before.sample_of_row
        entry = TransformerLensKeyValueCacheEntry(before.keys[rows], before.values[rows], frozen=True)
        resid_post: Tensor = self.model.blocks[layer](resid, past_kv_cache_entry=entry)
        return resid_post

    def own_mlp(self, layer: int, resid_mid: Tensor) -> Tensor:
        block = self.model.blocks[layer]
        mlp_in = block.hook_mlp_in(resid_mid.clone()) if self.model.cfg.use_hook_mlp_in else resid_mid
        mlp_out: Tensor = block.apply_mlp(block.ln2(mlp_in))
        return mlp_out

    def own_block_bytes(self, rows: int, length: int) -> int:
        """In the attention: two copies of what enters, the normed residual, turned queries, turned keys, values; masked
        scores, pattern, zeros in place of its NaN, where these are, and the two joined. In the MLP: attn_out,
        resid_mid, the normed residual; gate, its activation, up and their product."""
        tokens, scores, itemsize = rows * length, rows * self.n_heads * length**2, self.dtype.itemsize
        heads = (self.n_heads + 2 * self.n_kv_heads) * self.d_head
        attention = tokens * (3 * self.d_model + heads) * itemsize + scores * (4 * itemsize + 1)
        return max(attention, tokens * (3 * self.d_model + 4 * self.d_mlp) * itemsize)


def is_plain(block: Any, length: int) -> bool:
    """Whether the block is an ordinary Llama block without live hooks, its rotary tables long enough for ``length``."""
    config, attn = block.cfg, block.attn
    unusual = (
        config.use_qk_norm or config.clip_qkv or config.use_logn_attn or config.use_attention_sinks
        or config.use_local_attn or config.use_dynamic_ntk_rope or config.use_normalization_before_and_after
        or config.parallel_attn_mlp or config.load_in_4bit or config.ungroup_grouped_query_attention
        or config.attn_scores_soft_cap > 0
    )  # fmt: skip
    return (
        not unusual
        and config.original_architecture in (None, "LlamaForCausalLM")
        and config.attention_dir == "causal"
        and config.positional_embedding_type == "rotary"
        and config.rotary_dim == config.d_head
        and not config.rotary_adjacent_pairs
        and config.act_fn == "silu"
        and type(attn) in (Attention, GroupedQueryAttention)
        and type(getattr(block, "mlp", None)) is GatedMLP
        and type(block.ln1) in (RMSNorm, RMSNormPre)
        and type(block.ln2) in (RMSNorm, RMSNormPre)
        and length <= attn.rotary_cos.shape[0]
        and not hooks_live(block)
    )


def reach(attn: Any, length: int) -> None:
    """Let the rotary tables cover ``length`` positions: TransformerLens makes 2,048 and extends them when needed."""
    if length > attn.rotary_cos.shape[0]:
        probe = attn.rotary_cos.new_zeros(1, 1, 1, attn.cfg.d_head)
        attn.apply_rotary(probe, past_kv_pos_offset=length - 1)


def _norm(norm: Any) -> Norm:
    return Norm(getattr(norm, "w", None), norm.eps)


def _flat(weight: Tensor, bias: Tensor) -> Linear:
    """``[head d_model d_head]`` as ``[(head d_head) d_model]``, a view of memory that is laid out so."""
    heads, d_model, d_head = weight.shape
    return Linear(weight.transpose(1, 2).reshape(heads * d_head, d_model), bias.reshape(-1))
