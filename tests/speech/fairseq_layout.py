"""A plain reference of the published HuBERT layouts, written out from their definition, and random files in them.

It shares no code with the package: convolutions, norms, positional convolution and attention are spelt out in float64.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

WIDTH, HEADS, LAYERS, FEED_FORWARD, POSITIONS, GROUPS = 24, 3, 4, 40, 16, 4


@dataclass(frozen=True)
class Layout:
    """One of the layouts that the format allows."""

    extractor_mode: str = "default"
    layer_norm_first: bool = False
    conv_bias: bool = False
    channels: int = 16
    normalize: bool = False

    @property
    def convolutions(self) -> list[tuple[int, int, int]]:
        return [(self.channels, 10, 5)] + [(self.channels, 3, 2)] * 4 + [(self.channels, 2, 2)] * 3

    def content(self, seed: int = 0) -> dict[str, Any]:
        """A file's content with random weights of this layout (time varies strongly in its features)."""
        config = {
            "extractor_mode": self.extractor_mode,
            "encoder_layers": LAYERS,
            "encoder_embed_dim": WIDTH,
            "encoder_ffn_embed_dim": FEED_FORWARD,
            "encoder_attention_heads": HEADS,
            "layer_norm_first": self.layer_norm_first,
            "conv_bias": self.conv_bias,
            "conv_pos": POSITIONS,
            "conv_pos_groups": GROUPS,
            "conv_feature_layers": "[(C,10,5)] + [(C,3,2)] * 4 + [(C,2,2)] * 3".replace("C", str(self.channels)),
        }
        return {
            "model_cfg": config,
            "task_cfg": {"label_rate": 25.0, "sample_rate": 16000, "normalize": self.normalize},
            "model_weight": self.weights(seed),
            "dictionaries_symbols": [[str(index) for index in range(10)]],
        }

    def weights(self, seed: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(seed)

        def draw(*shape: int, scale: float | None = None) -> Tensor:
            fan = shape[1] * shape[2] if len(shape) == 3 else shape[-1]
            return torch.randn(shape, generator=generator) * (scale or (1.6 / fan) ** 0.5)

        def norm(name: str, size: int) -> dict[str, Tensor]:
            return {f"{name}.weight": 1 + draw(size, scale=0.2), f"{name}.bias": draw(size, scale=0.2)}

        def linear(name: str, size_out: int, size_in: int) -> dict[str, Tensor]:
            return {f"{name}.weight": draw(size_out, size_in), f"{name}.bias": draw(size_out, scale=0.1)}

        weights: dict[str, Tensor] = {"mask_emb": draw(WIDTH), "final_proj.weight": draw(8, WIDTH)}
        before = 1
        for index, (channels, kernel, _) in enumerate(self.convolutions):
            place = f"feature_extractor.conv_layers.{index}"
            weights[f"{place}.0.weight"] = draw(channels, before, kernel)
            if self.conv_bias:
                weights[f"{place}.0.bias"] = draw(channels, scale=0.1)
            if self.extractor_mode == "layer_norm":
                weights |= norm(f"{place}.2.1", channels)
            elif index == 0:
                weights |= norm(f"{place}.2", channels)
            before = channels
        weights |= norm("layer_norm", self.channels)
        if self.channels != WIDTH:
            weights |= linear("post_extract_proj", WIDTH, self.channels)
        weights["encoder.pos_conv.0.weight_g"] = 1 + draw(1, 1, POSITIONS, scale=0.2).abs()
        weights["encoder.pos_conv.0.weight_v"] = draw(WIDTH, WIDTH // GROUPS, POSITIONS)
        weights["encoder.pos_conv.0.bias"] = draw(WIDTH, scale=0.1)
        weights |= norm("encoder.layer_norm", WIDTH)
        for layer in range(LAYERS):
            place = f"encoder.layers.{layer}"
            for part in ("q", "k", "v", "out"):
                weights |= linear(f"{place}.self_attn.{part}_proj", WIDTH, WIDTH)
            weights |= linear(f"{place}.fc1", FEED_FORWARD, WIDTH) | linear(f"{place}.fc2", WIDTH, FEED_FORWARD)
            weights |= norm(f"{place}.self_attn_layer_norm", WIDTH) | norm(f"{place}.final_layer_norm", WIDTH)
        return weights

    def features(self, samples: Tensor, layer: int, seed: int = 0) -> Tensor:
        """Hidden states [frame, width] after transformer layer `layer` (from 1), in float64."""
        weights = {name: tensor.double() for name, tensor in self.weights(seed).items()}
        samples = samples.double()
        if self.normalize:
            samples = (samples - samples.mean()) / (samples.var(correction=0) + 1e-5).sqrt()
        hidden = samples[None]  # [channel, time]
        for index, (_, _, stride) in enumerate(self.convolutions):
            place = f"feature_extractor.conv_layers.{index}"
            hidden = functional.conv1d(
                hidden[None], weights[f"{place}.0.weight"], weights.get(f"{place}.0.bias"), stride
            )[0]
            if self.extractor_mode == "layer_norm":
                hidden = _norm(hidden.T, weights, f"{place}.2.1").T
            elif index == 0:  # group norm with one channel per group: each channel over time
                centred = hidden - hidden.mean(1, keepdim=True)
                hidden = centred / (hidden.var(1, keepdim=True, correction=0) + 1e-5).sqrt()
                hidden = hidden * weights[f"{place}.2.weight"][:, None] + weights[f"{place}.2.bias"][:, None]
            hidden = _gelu(hidden)
        states = _norm(hidden.T, weights, "layer_norm")
        if self.channels != WIDTH:
            states = states @ weights["post_extract_proj.weight"].T + weights["post_extract_proj.bias"]
        states = states + _positions(states, weights)
        if not self.layer_norm_first:
            states = _norm(states, weights, "encoder.layer_norm")
        for index in range(layer):
            states = self._layer(states, weights, f"encoder.layers.{index}")
        return states

    def _layer(self, states: Tensor, weights: dict[str, Tensor], place: str) -> Tensor:
        first, second = f"{place}.self_attn_layer_norm", f"{place}.final_layer_norm"
        if self.layer_norm_first:
            states = states + _attention(_norm(states, weights, first), weights, place)
            return states + _feed_forward(_norm(states, weights, second), weights, place)
        states = _norm(states + _attention(states, weights, place), weights, first)
        return _norm(states + _feed_forward(states, weights, place), weights, second)


def _gelu(values: Tensor) -> Tensor:
    return values * 0.5 * (1 + torch.erf(values / 2**0.5))


def _norm(states: Tensor, weights: dict[str, Tensor], name: str) -> Tensor:
    centred = states - states.mean(-1, keepdim=True)
    scaled = centred / (states.var(-1, keepdim=True, correction=0) + 1e-5).sqrt()
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def _linear(states: Tensor, weights: dict[str, Tensor], name: str) -> Tensor:
    return states @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def _positions(states: Tensor, weights: dict[str, Tensor]) -> Tensor:
    """A grouped convolution over all frames, its weight of given norm at each kernel place; the last frame is cut."""
    direction, size = weights["encoder.pos_conv.0.weight_v"], weights["encoder.pos_conv.0.weight_g"]
    kernel = size * direction / direction.square().sum((0, 1), keepdim=True).sqrt()
    moved = functional.conv1d(
        states.T[None], kernel, weights["encoder.pos_conv.0.bias"], padding=POSITIONS // 2, groups=GROUPS
    )
    return _gelu(moved[0, :, : len(states)]).T


def _attention(states: Tensor, weights: dict[str, Tensor], place: str) -> Tensor:
    size = WIDTH // HEADS
    q, k, v = (_linear(states, weights, f"{place}.self_attn.{part}_proj") for part in "qkv")
    mixed = []
    for head in range(HEADS):
        own = slice(head * size, (head + 1) * size)
        pattern = torch.softmax(q[:, own] @ k[:, own].T / size**0.5, dim=-1)
        mixed.append(pattern @ v[:, own])
    return _linear(torch.cat(mixed, dim=-1), weights, f"{place}.self_attn.out_proj")


def _feed_forward(states: Tensor, weights: dict[str, Tensor], place: str) -> Tensor:
    return _linear(_gelu(_linear(states, weights, f"{place}.fc1")), weights, f"{place}.fc2")
