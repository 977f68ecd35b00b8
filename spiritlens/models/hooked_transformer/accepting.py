"""Which `HookedTransformer`s a lens can be put on: those whose blocks are Llama's.

Blocks of the Llama kind have RMS norms, rotary positions in half-split pairs, causal attention with or without grouped
key-value heads, and a gated MLP with silu, one after the other; biases are allowed. Everything that is computed from a
cached prefix, and every attribution through a norm, is written for them. GPT-2, Pythia and others are refused by the
setting that tells them apart.

Weights that TransformerLens processed are taken as they are. Norms that are folded (``normalization_type="RMSPre"``)
leave every logit as it was; an unembedding that is centred moves all logits of a position by one number, which no
probability, rank or difference of logits sees.
"""

from typing import Any

from transformer_lens import HookedTransformer

from spiritlens.arguments import shown

SETTINGS: dict[str, tuple[Any, ...]] = {
    "normalization_type": ("RMS", "RMSPre"),
    "positional_embedding_type": ("rotary",),
    "rotary_adjacent_pairs": (False,),
    "attention_dir": ("causal",),
    "attn_only": (False,),
    "gated_mlp": (True,),
    "act_fn": ("silu",),
    "parallel_attn_mlp": (False,),
    "use_local_attn": (False,),
    "use_qk_norm": (False,),
    "use_attention_sinks": (False,),
    "use_logn_attn": (False,),
    "use_dynamic_ntk_rope": (False,),
    "use_normalization_before_and_after": (False,),
    "ungroup_grouped_query_attention": (False,),
    "load_in_4bit": (False,),
    "clip_qkv": (None, 0),
    "num_experts": (None,),
    "original_architecture": (None, "LlamaForCausalLM", "Qwen2ForCausalLM", "MistralForCausalLM"),
}
"""Settings of TransformerLens with the values that they may have."""


def accepted(model: Any) -> HookedTransformer:
    """The model, refused where it is no `HookedTransformer` of the Llama kind."""
    if not isinstance(model, HookedTransformer):
        raise ValueError(
            f"model={shown(model, 40)} ({type(model).__name__}): expected a HookedTransformer; spiritlens.load takes a "
            "checkpoint's folder, a hub id or a loaded Llama, Qwen2 or Mistral"
        )
    config = model.cfg
    for name, allowed in SETTINGS.items():
        value = getattr(config, name, allowed[0])
        if value not in allowed:
            raise ValueError(_unlike(f"{name}={value!r}", f"{name} {' or '.join(map(repr, allowed))}"))
    for name in ("attn_scores_soft_cap", "output_logits_soft_cap"):
        if (getattr(config, name, None) or 0) > 0:
            raise ValueError(_unlike(f"{name}={getattr(config, name)}", f"no {name}"))
    if config.rotary_dim != config.d_head:
        raise ValueError(_unlike(f"rotary_dim={config.rotary_dim}", f"all {config.d_head} dimensions of a head turned"))
    return model


def _unlike(found: str, wanted: str) -> str:
    return f"the model has {found}: a lens needs blocks of the Llama kind, with {wanted}"
