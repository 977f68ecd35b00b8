"""Which checkpoints convert, and what their settings mean: shapes of tensors, rotations, what is refused and why.

`ARCHITECTURES` has one row for each architecture whose block is Llama's: RMS norms before attention and MLP, rotary
positions on whole heads, a gated MLP, embedding and unembedding tied or not. Rows differ in the settings that convert
and in which projections have a bias (Qwen 2: queries, keys and values). A further one of that block is a further row.

A sliding window makes no other model of prompts that fit into it: position q sees the keys q − window + 1 … q, which
are all of them up to a length of one window. Its length is therefore the model's context here (`context`), and longer
prompts are refused.
"""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PretrainedConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

LlamaLike: TypeAlias = LlamaConfig | MistralConfig | Qwen2Config
"""The configurations of `ARCHITECTURES`, which name the sizes of a block alike."""


@dataclass(frozen=True)
class Architecture:
    """An architecture of Llama's block: Hugging Face's name, configuration and model, and the settings that convert.

    `settings` are pairs of a setting and the only value under which the model computes what a `HookedTransformer` does;
    a setting that is absent counts as having it. `biased` are the projections of the attention that have a bias.
    """

    model_type: str
    config: type[PretrainedConfig]
    model: type[PreTrainedModel]
    settings: tuple[tuple[str, Any], ...]
    biased: tuple[str, ...] = ()


ARCHITECTURES: tuple[Architecture, ...] = (
    Architecture(
        "llama",
        LlamaConfig,
        LlamaForCausalLM,
        (("hidden_act", "silu"), ("attention_bias", False), ("mlp_bias", False), ("pretraining_tp", 1)),
    ),
    Architecture("mistral", MistralConfig, MistralForCausalLM, (("hidden_act", "silu"),)),
    Architecture("qwen2", Qwen2Config, Qwen2ForCausalLM, (("hidden_act", "silu"),), biased=("q", "k", "v")),
)
MODEL_TYPES = tuple(row.model_type for row in ARCHITECTURES)
MODELS = tuple(row.model for row in ARCHITECTURES)
"""Hugging Face's models that convert as they are."""

LAYER_TENSORS = {
    "self_attn.q_proj.weight": "attn.W_Q",
    "self_attn.k_proj.weight": "attn.W_K",
    "self_attn.v_proj.weight": "attn.W_V",
    "self_attn.o_proj.weight": "attn.W_O",
    "mlp.gate_proj.weight": "mlp.W_gate",
    "mlp.up_proj.weight": "mlp.W_in",
    "mlp.down_proj.weight": "mlp.W_out",
    "input_layernorm.weight": "ln1.w",
    "post_attention_layernorm.weight": "ln2.w",
}
"""Hugging Face's tensors of one layer and TransformerLens's names for them."""

ROPE_KINDS = ("default", "linear", "llama3")
ROPE_REASONS = {
    "dynamic": "changes its frequencies with the length of the text",
    "yarn": "also scales the attention",
    "longrope": "changes its frequencies with the length of the text",
}
"""Why other rotations have no place in a `HookedTransformer`, whose frequencies are fixed."""


class UnsupportedModel(ValueError):
    """A model that cannot be represented exactly as a `HookedTransformer`; the message says which setting and why."""


def rope_settings(config: LlamaLike) -> dict[str, Any]:
    """The rotary settings, as transformers 5 or 4 names them: ``rope_type``, ``rope_theta``, the scaling's numbers."""
    settings = dict(getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {})
    settings["rope_type"] = settings.get("rope_type") or settings.get("type") or "default"
    settings["rope_theta"] = float(settings.get("rope_theta") or getattr(config, "rope_theta", None) or 10000.0)
    if (
        settings["rope_type"] == "llama3"
    ):  # the length stands inside or beside the settings, as in Hugging Face's reading
        beside = getattr(config, "original_max_position_embeddings", None)
        inside = settings.get("original_max_position_embeddings")
        settings["original_max_position_embeddings"] = beside or inside or config.max_position_embeddings
    return settings


def read_settings(values: dict[str, Any]) -> LlamaLike:
    """The values of a ``config.json`` of one of the architectures as its configuration, which converts exactly."""
    config: LlamaLike = architecture(values.get("model_type")).config.from_dict(values)
    check_supported(config)
    return config


def architecture(model_type: object) -> Architecture:
    """The row of a model type.

    Raises UnsupportedModel where there is none.
    """
    row = next((row for row in ARCHITECTURES if row.model_type == model_type), None)
    if row is None:
        raise UnsupportedModel(f"model_type is {model_type!r}; models of the type {' or '.join(MODEL_TYPES)} convert")
    return row


def window(config: LlamaLike) -> int | None:
    """The length of the sliding window of the layers that have one; None where none does."""
    if isinstance(config, LlamaConfig) or config.sliding_window is None:
        return None
    slides = not isinstance(config, Qwen2Config) or "sliding_attention" in config.layer_types
    return int(config.sliding_window) if slides else None


def context(config: LlamaLike) -> int:
    """The most tokens of a prompt that the converted model computes as Hugging Face's does."""
    return min(int(config.max_position_embeddings), window(config) or int(config.max_position_embeddings))


def _check_settings(config: PretrainedConfig) -> None:
    for setting, expected in architecture(config.model_type).settings:
        found = getattr(config, setting, None)
        if found is not None and found != expected:
            raise UnsupportedModel(
                f"config setting {setting}: expected {expected!r}, found {found!r}; only plain {config.model_type} "
                "models convert"
            )


def check_supported(config: LlamaLike) -> None:
    """Refuse what `HookedTransformer` cannot compute exactly as Hugging Face does."""
    _check_settings(config)
    if getattr(config, "quantization_config", None) is not None:
        raise UnsupportedModel(
            "the checkpoint is quantized; convert the unquantized weights (float32, float16 or bfloat16)"
        )
    _check_rotation(config)
    if config.num_attention_heads % config.num_key_value_heads:
        raise UnsupportedModel(
            f"num_attention_heads {config.num_attention_heads} is no multiple of num_key_value_heads "
            f"{config.num_key_value_heads}"
        )


def _check_rotation(config: LlamaLike) -> None:
    """Refuse a rotation that `HookedTransformer` does not have, or that Hugging Face reads otherwise than this."""
    rope = rope_settings(config)
    kind = rope["rope_type"]
    if kind not in ROPE_KINDS:
        why = ROPE_REASONS.get(str(kind), "is unknown")
        raise UnsupportedModel(
            f"rope_type: expected one of {', '.join(ROPE_KINDS)}, found {kind!r}, which {why}; it would be computed "
            "wrongly"
        )
    theirs, own = LlamaRotaryEmbedding(copy.deepcopy(config)), rotary_frequencies(config, torch.float32)
    same = theirs.inv_freq.shape == own.shape and torch.allclose(theirs.inv_freq, own, rtol=1e-5, atol=0)
    if not same or theirs.attention_scaling != 1:
        raise UnsupportedModel(
            f"the rotary settings {rope} give other frequencies in Hugging Face's model than here: they are not "
            "converted exactly; use a checkpoint whose rope_parameters are of type default, linear or llama3"
        )


def head_size(config: LlamaLike) -> int:
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def tensor_shapes(config: LlamaLike) -> dict[str, tuple[int, ...]]:
    """Every tensor that a checkpoint of this config holds, by Hugging Face's name (no unembedding where it is tied)."""
    width, hidden, size = config.hidden_size, config.intermediate_size, head_size(config)
    heads, kv_heads = config.num_attention_heads * size, config.num_key_value_heads * size
    layer: dict[str, tuple[int, ...]] = {
        "self_attn.q_proj.weight": (heads, width),
        "self_attn.k_proj.weight": (kv_heads, width),
        "self_attn.v_proj.weight": (kv_heads, width),
        "self_attn.o_proj.weight": (width, heads),
        "mlp.gate_proj.weight": (hidden, width),
        "mlp.up_proj.weight": (hidden, width),
        "mlp.down_proj.weight": (width, hidden),
        "input_layernorm.weight": (width,),
        "post_attention_layernorm.weight": (width,),
    }
    for letter in architecture(config.model_type).biased:
        layer[f"self_attn.{letter}_proj.bias"] = layer[f"self_attn.{letter}_proj.weight"][:1]
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (config.vocab_size, width)}
    for index in range(config.num_hidden_layers):
        shapes |= {f"model.layers.{index}.{name}": shape for name, shape in layer.items()}
    shapes["model.norm.weight"] = (width,)
    if not config.tie_word_embeddings:
        shapes["lm_head.weight"] = (config.vocab_size, width)
    return shapes


def rotary_frequencies(config: LlamaLike, precision: torch.dtype) -> Tensor:
    """Angle per position of each rotary pair ``[d_head/2]``, in radians; llama3 stretches the long wavelengths."""
    rope, size = rope_settings(config), head_size(config)
    frequencies: Tensor = rope["rope_theta"] ** (-torch.arange(0, size, 2, dtype=precision) / size)
    if rope["rope_type"] == "linear":
        return frequencies / float(rope["factor"])
    if rope["rope_type"] != "llama3":
        return frequencies
    low, high, factor = (float(rope[key]) for key in ("low_freq_factor", "high_freq_factor", "factor"))
    turns = int(rope["original_max_position_embeddings"]) * frequencies / (2 * math.pi)
    weight = ((turns - low) / (high - low)).clamp(0, 1)
    return frequencies * (weight + (1 - weight) / factor)


def owned(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of all weights, strides kept; a tied unembedding becomes a tensor of its own."""
    return {name: weight.detach().clone() for name, weight in weights.items()}
