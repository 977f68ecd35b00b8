"""Reading published HuBERT files (fairseq's layout) into `transformers.HubertModel`, exactly and without running code.

The file is a dictionary with ``model_cfg``, ``task_cfg`` and ``model_weight``; fields that are missing take the
published code's defaults. Weights are renamed; four layouts need more than that:

- group norm on the first convolution only (extractor mode ``default``) or layer norm on each (``layer_norm``);
- where the last convolution is as wide as the transformer, there is no projection: an identity stands in;
- pre-norm layers (``layer_norm_first``) are transformers' "stable layer norm";
- the positional convolution's weight norm, under its old (``weight_g``, ``weight_v``) or new names.

Files are opened with ``weights_only=True``: a file that holds pickled code is refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import HubertConfig, HubertModel

from spiritlens.arguments import whole
from spiritlens.files.weights import CheckpointError, check_weight, read_weights_only
from spiritlens.speech.encoders.convolutions import Convolutions, parse_convolutions

DEFAULTS: dict[str, Any] = {
    "extractor_mode": "default",
    "encoder_layers": 12,
    "encoder_embed_dim": 768,
    "encoder_ffn_embed_dim": 3072,
    "encoder_attention_heads": 12,
    "activation_fn": "gelu",
    "layer_norm_first": False,
    "conv_feature_layers": "[(512,10,5)] + [(512,3,2)] * 4 + [(512,2,2)] * 2",
    "conv_bias": False,
    "conv_pos": 128,
    "conv_pos_groups": 16,
    "conv_pos_batch_norm": False,
}
UNUSED = ("final_proj.", "label_embs_concat")
RENAMED = (
    (r"^mask_emb$", "masked_spec_embed"),
    (r"^(feature_extractor\.conv_layers\.\d+)\.0\.", r"\1.conv."),
    (r"^(feature_extractor\.conv_layers\.\d+)\.2\.(?:1\.)?", r"\1.layer_norm."),
    (r"^layer_norm\.", "feature_projection.layer_norm."),
    (r"^post_extract_proj\.", "feature_projection.projection."),
    (r"^encoder\.pos_conv\.0\.weight_g$", "encoder.pos_conv_embed.conv.parametrizations.weight.original0"),
    (r"^encoder\.pos_conv\.0\.weight_v$", "encoder.pos_conv_embed.conv.parametrizations.weight.original1"),
    (r"^encoder\.pos_conv\.0\.", "encoder.pos_conv_embed.conv."),
    (r"\.self_attn\.", ".attention."),
    (r"\.self_attn_layer_norm\.", ".layer_norm."),
    (r"\.fc1\.", ".feed_forward.intermediate_dense."),
    (r"\.fc2\.", ".feed_forward.output_dense."),
)


@dataclass(frozen=True)
class HubertCheckpoint:
    """A published HuBERT: the model in evaluation mode, its convolutions, and how its audio is prepared."""

    model: HubertModel
    convolutions: Convolutions
    sample_rate: int
    normalize: bool
    layer_norm_first: bool


def read_hubert(path: str | Path, n_layers: int | None = None, dtype: torch.dtype = torch.float32) -> HubertCheckpoint:
    """Read a published file; `n_layers` keeps the first transformer layers only."""
    content = read_weights_only(path)
    if missing := {"model_cfg", "task_cfg", "model_weight"} - set(content):
        raise CheckpointError(
            f"{path} lacks {', '.join(sorted(missing))}; expected the converted layout (model_cfg, task_cfg, "
            f"model_weight), found {', '.join(map(str, list(content)[:6]))}."
        )
    for part in ("model_cfg", "task_cfg", "model_weight"):
        if not isinstance(content[part], dict):
            raise CheckpointError(f"{path}: {part} is a {type(content[part]).__name__}; expected a dictionary.")
    fields = {**DEFAULTS, **{key: value for key, value in content["model_cfg"].items() if key in DEFAULTS}}
    if fields["conv_pos_batch_norm"]:
        raise CheckpointError(f"{path}: conv_pos_batch_norm is not supported; no published 25 Hz encoder uses it.")
    task = content["task_cfg"]
    rate = _whole(path, "sample_rate", task.get("sample_rate", 16000))
    for field in ("encoder_layers", "encoder_embed_dim", "encoder_ffn_embed_dim", "encoder_attention_heads"):
        _whole(path, field, fields[field])
    convolutions = parse_convolutions(fields["conv_feature_layers"])
    try:
        config = hubert_config(fields, convolutions, n_layers)
        with torch.device("meta"), torch.random.fork_rng(devices=()):  # transformers draws weights, also on meta
            model = HubertModel(config)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except Exception as error:  # transformers' own kinds
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{path}: model_cfg is not understood ({reason}). Use another copy.") from error
    for name, tensor in content["model_weight"].items():
        if not str(name).startswith(UNUSED):
            check_weight(str(name), tensor, path)
    weights = _renamed(content["model_weight"], config, convolutions)
    weights = {name: tensor.to(dtype) for name, tensor in weights.items()}
    _assign(model, weights, path)
    return HubertCheckpoint(
        model.eval().requires_grad_(False),
        convolutions,
        rate,
        bool(task.get("normalize", False)),
        bool(fields["layer_norm_first"]),
    )


def _whole(path: str | Path, name: str, value: object) -> int:
    try:
        return whole(name, value, at_least=1, at_most=2**20)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from None


def check_layer(layer: int, n_layers: int, source: str | Path) -> None:
    """Refuse a layer that the model does not have; layers count from 1."""
    layer = whole("layer", layer)
    if not 1 <= layer <= n_layers:
        raise CheckpointError(f"{source} has {n_layers} layers; layer {layer} was asked for, expected 1 to {n_layers}.")


def hubert_config(fields: Mapping[str, Any], convolutions: Convolutions, n_layers: int | None = None) -> HubertConfig:
    """transformers' configuration of a published one."""
    modes = {"default": "group", "layer_norm": "layer"}
    if fields["extractor_mode"] not in modes:
        raise CheckpointError(f"extractor_mode {fields['extractor_mode']!r} is unknown; expected {' or '.join(modes)}.")
    return HubertConfig(
        hidden_size=fields["encoder_embed_dim"],
        num_hidden_layers=min(n_layers or fields["encoder_layers"], fields["encoder_layers"]),
        num_attention_heads=fields["encoder_attention_heads"],
        intermediate_size=fields["encoder_ffn_embed_dim"],
        hidden_act=fields["activation_fn"],
        feat_extract_norm=modes[fields["extractor_mode"]],
        feat_proj_layer_norm=True,
        conv_dim=[channels for channels, _, _ in convolutions.layers],
        conv_kernel=[kernel for _, kernel, _ in convolutions.layers],
        conv_stride=[stride for _, _, stride in convolutions.layers],
        num_feat_extract_layers=len(convolutions.layers),
        conv_bias=fields["conv_bias"],
        num_conv_pos_embeddings=fields["conv_pos"],
        num_conv_pos_embedding_groups=fields["conv_pos_groups"],
        do_stable_layer_norm=fields["layer_norm_first"],
        layer_norm_eps=1e-5,
        attn_implementation="sdpa",
    )


def _renamed(weights: Mapping[str, Tensor], config: HubertConfig, convolutions: Convolutions) -> dict[str, Tensor]:
    """The weights under transformers' names, without those of dropped layers and of the training head."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        layer = re.match(r"encoder\.layers\.(\d+)\.", name)
        if name.startswith(UNUSED) or (layer and int(layer.group(1)) >= config.num_hidden_layers):
            continue
        for pattern, replacement in RENAMED:
            name = re.sub(pattern, replacement, name)
        renamed[name] = tensor
    if "feature_projection.projection.weight" not in renamed and convolutions.layers[-1][0] == config.hidden_size:
        renamed["feature_projection.projection.weight"] = torch.eye(config.hidden_size, dtype=torch.float32)
        renamed["feature_projection.projection.bias"] = torch.zeros(config.hidden_size, dtype=torch.float32)
    return renamed


def _assign(model: HubertModel, weights: dict[str, Tensor], path: str | Path) -> None:
    """Load every weight; a missing, unknown or misshapen one is an error."""
    expected = dict(model.state_dict())
    unknown = sorted(set(weights) - set(expected))
    missing = sorted(set(expected) - set(weights) - {"masked_spec_embed"})
    if unknown or missing:
        raise CheckpointError(
            f"{path} does not fit its own configuration: missing {', '.join(missing[:4]) or 'nothing'}; "
            f"unknown {', '.join(unknown[:4]) or 'nothing'}."
        )
    for name, tensor in weights.items():
        if tensor.shape != expected[name].shape:
            wanted = tuple(expected[name].shape)
            raise CheckpointError(f"{path}: {name} has shape {tuple(tensor.shape)}; its configuration gives {wanted}.")
    if "masked_spec_embed" in expected:
        kind = next(iter(weights.values())).dtype  # the model's own dtype is that of its first parameter, this one
        weights = {"masked_spec_embed": torch.zeros(model.config.hidden_size, dtype=kind), **weights}
    model.load_state_dict(weights, assign=True)
