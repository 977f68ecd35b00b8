"""The shipped unit encoder: a small HuBERT and a linear quantizer, in the layout of the published files.

The first convolution is not trained. Its filters are windowed sines and cosines of both signs at 128 frequencies,
spaced as on the mel scale, every 10 ms; group norm divides each by its own strength over the utterance, and GELU leaves
their positive half, so that four of them sum to the strength of one frequency. The second convolution starts as 40
bands in front of six thresholds each, a factor of three apart: how far a band lies *under* a threshold, which is
bounded and together stands for the logarithm that a HuBERT cannot take. Two convolutions of stride 2 give 25 frames a
second; the transformer is post-norm, as in the published encoder.

Because the first filters are fixed, frequencies are warped in training as the teacher's.

Axes: ``batch``, ``time`` (samples at 16 kHz), ``filter``, ``hop`` (10 ms), ``frame`` (40 ms).
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional
from transformers import HubertModel

from experiments.embedded_model.unit_encoder.mel_teacher import HOP, NEUTRAL_WARP, WARPS, WINDOW
from spiritlens.shapes import checked
from spiritlens.speech.audio.waveform import RATE
from spiritlens.speech.encoders.convolutions import Convolutions, parse_convolutions
from spiritlens.speech.encoders.fairseq_files import DEFAULTS, hubert_config
from spiritlens.speech.encoders.loading import OFFICIAL_FOLDER, OFFICIAL_MODEL, OFFICIAL_QUANTIZER, load_encoder
from spiritlens.speech.encoders.protocol import SpeechEncoder
from spiritlens.speech.engines.phones import PHONES

N_FREQUENCIES, N_PHASES = 128, 4
N_BANDS = 40
THRESHOLDS = 0.02 * 3.0 ** np.arange(6)
"""Strengths relative to the band's own over the utterance."""
SOFTNESS = 2.0
NORM_GAIN = 3.0
WIDTH, N_LAYERS = 128, 3
CONFIG = {
    **DEFAULTS,
    "encoder_layers": N_LAYERS,
    "encoder_embed_dim": WIDTH,
    "encoder_ffn_embed_dim": 4 * WIDTH,
    "encoder_attention_heads": 4,
    "conv_feature_layers": f"[({N_PHASES * N_FREQUENCIES},{WINDOW},{HOP})] + [({N_BANDS * len(THRESHOLDS)},1,1)] "
    "+ [(192,3,2)] + [(192,2,2)]",
    "conv_bias": True,
    "conv_pos": 17,
    "conv_pos_groups": 4,
}
"""The published files' ``model_cfg``."""
UNIT_NAMES = (*PHONES, "blank")


def filters() -> Float[Tensor, "warp filter sample"]:
    """Unit-norm windowed cosines, sines and their negatives between 70 and 7300 Hz, one set per warp.

    Windows are Hann, as long as the first convolution for low frequencies, half as long for high ones, whose neighbours
    are farther away.
    """
    lowest, highest = (2595 * np.log10(1 + hertz / 700) for hertz in (70, 7300))
    middle = 700 * (10 ** (np.linspace(lowest, highest, N_FREQUENCIES) / 2595) - 1)
    times = np.arange(WINDOW) - (WINDOW - 1) / 2
    sets = []
    for factor in WARPS:
        hertz = np.clip(middle * factor, 50, RATE / 2 - 100)[:, None]
        spacing = np.gradient(middle)[:, None] * factor
        length = np.clip(2 * RATE / np.maximum(spacing * 1.2, 1), WINDOW / 2, WINDOW)
        window = np.where(np.abs(times) < length / 2, 0.5 + 0.5 * np.cos(2 * np.pi * times / length), 0)
        cosine = window * np.cos(2 * np.pi * hertz * times / RATE)
        sine = window * np.sin(2 * np.pi * hertz * times / RATE)
        cosine -= window * (cosine.sum(1, keepdims=True) / window.sum(1, keepdims=True))  # no answer to an offset
        cosine, sine = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (cosine, sine))
        sets.append(np.concatenate([cosine, sine, -cosine, -sine]))
    return torch.from_numpy(np.stack(sets).astype(np.float32))


class HubertStudent(nn.Module):
    """The network in training: `hubert` and the quantizer's one layer `head` (the blank, which has none, left out)."""

    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = parse_convolutions(str(CONFIG["conv_feature_layers"]))
        self.hubert = HubertModel(_training_config(self.convolutions))
        self.head = nn.Linear(WIDTH, len(PHONES))
        self.register_buffer("filters", filters(), persistent=False)
        first, second = self.hubert.feature_extractor.conv_layers[:2]
        with torch.no_grad():
            first.conv.weight.copy_(self.filters[NEUTRAL_WARP][:, None])
            first.conv.bias.zero_()
            first.layer_norm.weight.fill_(NORM_GAIN)
            second.conv.weight.copy_(_threshold_weights()[:, :, None])
            second.conv.bias.fill_(SOFTNESS)
        first.conv.requires_grad_(False)

    @checked
    def forward(
        self,
        samples: Float[Tensor, "batch time"],
        lengths: Int[Tensor, " batch"],
        warp: Int[Tensor, " batch"] | None = None,
        mask: Callable[[Tensor], Tensor] | None = None,
    ) -> tuple[Float[Tensor, "batch frame n_units"], Bool[Tensor, "batch frame"]]:
        """Logits of padded utterances and which frames are of them; `lengths` in samples, `warp` a set of filters each.

        `mask` changes the strengths [batch filter hop] (SpecAugment). Each utterance gets what `hubert` gives alone.
        """
        hidden = self._strengths(samples, lengths, warp)
        if mask is not None:
            hidden = mask(hidden)
        _, second, *others = self.hubert.feature_extractor.conv_layers
        hidden = second(hidden)  # of a wide range: float32 in training too
        with torch.autocast("cpu", torch.bfloat16, enabled=self.training):
            for layer in others:
                hidden = layer(hidden)
            counts = torch.tensor([self.convolutions.n_frames(length) for length in lengths.tolist()])
            inside = torch.arange(hidden.shape[2]) < counts[:, None]
            hidden = self.hubert.feature_projection(hidden.transpose(1, 2))
            hidden = self.hubert.encoder(hidden, attention_mask=inside)[0]
            return self.head(hidden).float(), inside

    def _strengths(self, samples: Tensor, lengths: Tensor, warp: Tensor | None) -> Tensor:
        """The first convolution, its group norm over the hops inside, and GELU."""
        first = self.hubert.feature_extractor.conv_layers[0]
        chosen = self.filters[warp] if warp is not None else first.conv.weight[:, 0].expand(len(samples), -1, -1)
        answers = torch.bmm(chosen, samples.unfold(1, WINDOW, HOP).transpose(1, 2))
        counts = (lengths - WINDOW) // HOP + 1
        inside = (torch.arange(answers.shape[2]) < counts[:, None])[:, None].float()
        mean = (answers * inside).sum(-1, keepdim=True) / counts[:, None, None]
        variance = ((answers - mean).square() * inside).sum(-1, keepdim=True) / counts[:, None, None]
        norm = first.layer_norm
        scaled = (answers - mean) * torch.rsqrt(variance + norm.eps) * norm.weight[:, None] + norm.bias[:, None]
        return functional.gelu(scaled) * inside


def _training_config(convolutions: Convolutions):  # type: ignore[no-untyped-def]
    config = hubert_config(CONFIG, convolutions)
    config.update(
        {
            "hidden_dropout": 0.05,
            "activation_dropout": 0.05,
            "attention_dropout": 0.0,
            "feat_proj_dropout": 0.0,
            "layerdrop": 0.0,
            "apply_spec_augment": False,
        }
    )
    return config


def _threshold_weights() -> Float[Tensor, "feature filter"]:
    """Mean over a band's triangle of frequencies, all phases summed, divided by each threshold and negated."""
    centres = np.linspace(0, N_FREQUENCIES - 1, N_BANDS)[:, None]
    triangles = np.maximum(0, 1 - np.abs(np.arange(N_FREQUENCIES) - centres) / 3.3)
    triangles /= triangles.sum(1, keepdims=True)
    per_strength = NORM_GAIN * 1.27 / 1.13  # four rectified phases of a filter of strength 1 sum to about this
    rows = np.concatenate([-SOFTNESS / threshold * triangles / per_strength for threshold in THRESHOLDS])
    return torch.from_numpy(np.concatenate([rows] * N_PHASES, 1).astype(np.float32))


OFFICIAL_NAMES = (
    ("masked_spec_embed", "mask_emb"),
    (".conv.weight", ".0.weight"),
    (".conv.bias", ".0.bias"),
    ("conv_layers.0.layer_norm.", "conv_layers.0.2."),
    ("feature_projection.layer_norm.", "layer_norm."),
    ("feature_projection.projection.", "post_extract_proj."),
    ("pos_conv_embed.0.", "pos_conv.0."),
    ("pos_conv_embed.conv.parametrizations.weight.original0", "pos_conv.0.weight_g"),
    ("pos_conv_embed.conv.parametrizations.weight.original1", "pos_conv.0.weight_v"),
    (".attention.", ".self_attn."),
    (".feed_forward.intermediate_dense.", ".fc1."),
    (".feed_forward.output_dense.", ".fc2."),
)


def save_official(student: HubertStudent, folder: Path) -> None:
    """Write the two files that a SpiritLM checkpoint has below `folder`, in float16 where its range suffices."""
    weights = {}
    for name, tensor in student.hubert.state_dict().items():
        if ".layers." in name:
            name = name.replace(".layer_norm.", ".self_attn_layer_norm.")
        for own, official in OFFICIAL_NAMES:
            name = name.replace(own, official)
        weights[name] = tensor.detach().half().contiguous()
    place = folder / OFFICIAL_FOLDER
    place.mkdir(parents=True, exist_ok=True)
    task = {"sample_rate": RATE, "normalize": False}
    content = {"model_cfg": CONFIG, "task_cfg": task, "model_weight": weights, "dictionaries_symbols": []}
    torch.save(content, place / OFFICIAL_MODEL)
    head = student.head
    blank = torch.full((1,), -1e4)
    layer = {
        "0.weight": torch.cat([head.weight.detach(), torch.zeros(1, WIDTH)]).half(),
        "0.bias": torch.cat([head.bias.detach(), blank]).half(),
    }
    config = {"vocab_size": len(PHONES), "dim": WIDTH, "upstream_dim": WIDTH}
    torch.save({"model_cfg": config, "model_weight": layer}, place / OFFICIAL_QUANTIZER)


def load_student(folder: Path) -> SpeechEncoder:
    """The encoder of those files, read by the package's own code."""
    return load_encoder({"kind": "hubert", "layer": N_LAYERS}, folder)
