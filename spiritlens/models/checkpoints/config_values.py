"""What ``config.json`` may say of a model: each value is checked by its own rule before it is used.

Hugging Face's configuration takes most numbers as they are (an epsilon of −1, a rotary base of 0) and raises errors
of its own for wrong types. Here one error names the file, the key, the value and the rule. The upper bounds are far
beyond any model; they let an absurd number be answered at once.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spiritlens.arguments import number, shown, whole
from spiritlens.files.weights import CheckpointError
from spiritlens.models.checkpoints.llama import LlamaLike, UnsupportedModel, read_settings

SIZES = {
    "vocab_size": 2**24,
    "hidden_size": 2**20,
    "intermediate_size": 2**22,
    "num_hidden_layers": 10_000,
    "num_attention_heads": 2**14,
    "num_key_value_heads": 2**14,
    "head_dim": 2**14,
    "max_position_embeddings": 2**28,
    "sliding_window": 2**28,
}
"""Whole numbers from 1, and the most that is taken for one."""
SWITCHES = ("tie_word_embeddings", "attention_bias", "mlp_bias", "use_sliding_window")
LEFT_OUT = ("num_key_value_heads", "head_dim", "sliding_window")
"""Values that may be null."""


def model_config(values: Mapping[str, Any], path: Path) -> LlamaLike:
    """The values of a ``config.json`` as a configuration that converts exactly."""
    try:
        _check_values(values)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}. Copy config.json from the checkpoint again.") from None
    try:
        return read_settings(dict(values))
    except UnsupportedModel as error:
        raise UnsupportedModel(f"{path}: {error}") from error
    except Exception as error:  # transformers and huggingface_hub raise kinds of their own
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{path}: a setting is not understood ({reason}).") from error


def _check_values(values: Mapping[str, Any]) -> None:
    for key in (key for key in SIZES if key in values and not (values[key] is None and key in LEFT_OUT)):
        whole(key, values[key], at_least=1, at_most=SIZES[key])
    if "rms_norm_eps" in values:
        number("rms_norm_eps", values["rms_norm_eps"], above=0, below=1)
    for key in SWITCHES:
        if not isinstance(values.get(key, False), bool):
            raise ValueError(f"{key}={shown(values[key])}: expected true or false")
    if not isinstance(values.get("hidden_act", "silu"), str):
        raise ValueError(f"hidden_act={shown(values['hidden_act'])}: expected the name of a function, 'silu'")
    _check_shape(values)
    _check_rotation(values)
    if isinstance(values.get("auto_map"), dict) and any("Model" in key for key in values["auto_map"]):
        raise ValueError(
            f"auto_map={shown(values['auto_map'])}: the folder asks for model code of its own, which is never run "
            "here; take auto_map out if the model is a plain one"
        )


def _check_shape(values: Mapping[str, Any]) -> None:
    """The sizes with one another, as far as they are there."""
    width, heads = values.get("hidden_size", 4096), values.get("num_attention_heads", 32)
    if width % heads:
        raise ValueError(f"hidden_size={width} is no multiple of num_attention_heads={heads}")
    size = values.get("head_dim") or width // heads
    if size % 2:
        raise ValueError(f"a head's size of {size} (head_dim, or hidden_size / num_attention_heads): expected even")
    kv_heads = values.get("num_key_value_heads") or heads
    if heads % kv_heads:
        raise ValueError(f"num_attention_heads={heads} is no multiple of num_key_value_heads={kv_heads}")


def _check_rotation(values: Mapping[str, Any]) -> None:
    """The rotary numbers, wherever they stand."""
    for place in ("rope_parameters", "rope_scaling"):
        nested = values.get(place)
        if nested is not None and not isinstance(nested, dict):
            raise ValueError(f"{place}={shown(nested)}: expected an object with rope_type, or null")
        for key, value in (nested or {}).items():
            if key in ("rope_theta", "factor", "low_freq_factor", "high_freq_factor") and value is not None:
                number(f"{place}.{key}", value, above=0, below=float("inf"))
            if key == "original_max_position_embeddings":
                whole(f"{place}.{key}", value, at_least=1, at_most=SIZES["max_position_embeddings"])
    if values.get("rope_theta") is not None:
        number("rope_theta", values["rope_theta"], above=0, below=float("inf"))
    if values.get("original_max_position_embeddings") is not None:
        whole("original_max_position_embeddings", values["original_max_position_embeddings"], at_least=1)
