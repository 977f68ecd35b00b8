"""HuBERT units: audio to the discrete units that published speech-text models read.

Method (SpiritLM's speech tokenizer): 16 kHz mono audio, not normalised, is cut into chunks of 100 s that are encoded
alone; a tail of fewer than 1280 samples is dropped. The hidden states after transformer layer 11 go through a
small feed-forward quantizer, whose arg-max is the unit; its last class is a *blank*, replaced by the nearest earlier
unit of the chunk, circularly: blanks at the chunk's start take its last unit. A chunk of blanks keeps them.

Axes: ``time``, ``frame``, ``d_model``. One frame is the hop of the convolutions (640 samples: 25.0 frames per second;
the published code dates units by 24.99). Frame i of a chunk is dated [640 i, 640 (i + 1)) samples after its start.

K-means units are the same with the nearest of K centroids in the quantizer's place, as other families use.
"""

import functools
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from spiritlens.arguments import shown, told_keywords, whole
from spiritlens.environment import plain_torch
from spiritlens.shapes import checked
from spiritlens.speech.convolutions import Convolutions
from spiritlens.speech.encoders import check_encodable, weights_digest
from spiritlens.speech.hubert_checkpoint import HubertCheckpoint, check_layer, read_hubert
from spiritlens.speech.torch_files import CheckpointError, check_weight, read_weights_only
from spiritlens.speech.units import UnitStream
from spiritlens.speech.waveform import Waveform

CHUNK_SECONDS = 100
SHORTEST_TAIL = 1280
"""Samples below which the last chunk is dropped."""

OFFICIAL_FOLDER = Path("speech_tokenizer") / "hubert_25hz"
OFFICIAL_MODEL, OFFICIAL_QUANTIZER = "mhubert_base_25hz.pt", "L11_quantizer_500.pt"
OFFICIAL_LAYER = 11


class Quantizer(Protocol):
    """Turns features [frame d_model] into unit ids [frame]; ids below `n_units`."""

    @property
    def n_units(self) -> int:
        """Number of different units."""

    def units(self, features: Float[Tensor, "frame d_model"]) -> np.ndarray:
        """The unit of each frame."""

    def modules(self) -> tuple[nn.Module, ...]:
        """What holds its weights."""


class FeedForwardQuantizer:
    """The published quantizer: linear layers with leaky ReLU between them; the last class is the blank."""

    def __init__(self, network: nn.Sequential, n_clusters: int) -> None:
        self.network = network.eval().requires_grad_(False)
        self.blank = n_clusters

    @property
    def n_units(self) -> int:
        """Clusters and the blank, which a chunk of blanks alone keeps."""
        return self.blank + 1

    def modules(self) -> tuple[nn.Module, ...]:
        """The network."""
        return (self.network,)

    def units(self, features: Float[Tensor, "frame d_model"]) -> np.ndarray:
        """The likeliest class of each frame, blanks filled."""
        return fill_blanks(self.network(features).argmax(-1).numpy(), self.blank)


class KMeansQuantizer:
    """The nearest of K centroids [cluster d_model] in Euclidean distance."""

    def __init__(self, centroids: Float[Tensor, "cluster d_model"]) -> None:
        self.centroids = centroids

    def modules(self) -> tuple[nn.Module, ...]:
        """The centroids as an embedding's rows."""
        n_clusters, width = self.centroids.shape
        return (nn.Embedding(n_clusters, width, _weight=self.centroids),)

    @property
    def n_units(self) -> int:
        """Clusters."""
        return len(self.centroids)

    def units(self, features: Float[Tensor, "frame d_model"]) -> np.ndarray:
        """The nearest centroid of each frame."""
        distances = self.centroids.square().sum(-1) - 2 * features.to(self.centroids.dtype) @ self.centroids.T
        nearest: np.ndarray = distances.argmin(-1).numpy()
        return nearest


class HubertUnits:
    """A `SpeechEncoder` made of a HuBERT and a quantizer."""

    def __init__(self, checkpoint: HubertCheckpoint, quantizer: Quantizer, layer: int, name: str) -> None:
        self.checkpoint, self.quantizer, self.layer, self.name = checkpoint, quantizer, layer, name

    @property
    def convolutions(self) -> Convolutions:
        """The feature extractor's layers."""
        return self.checkpoint.convolutions

    @property
    def rate(self) -> float:
        """Frames per second."""
        return self.checkpoint.sample_rate / self.convolutions.hop

    @property
    def n_units(self) -> int:
        """Number of different units."""
        return self.quantizer.n_units

    @functools.cached_property
    def digest(self) -> str:
        """Hash of all that decides the units: the weights, and the settings that they do not tell."""
        checkpoint, config = self.checkpoint, self.checkpoint.model.config
        settings = (
            f"layer {self.layer}",
            f"{checkpoint.sample_rate} Hz",
            f"normalize {checkpoint.normalize}",
            f"convolutions {checkpoint.convolutions.layers}",
            f"{config.feat_extract_activation}, {config.feat_extract_norm} norm",
            f"layer norm first {checkpoint.layer_norm_first}, epsilon {config.layer_norm_eps}",
            f"{config.num_attention_heads} heads, {config.hidden_act}",
        )
        weights = weights_digest(checkpoint.model, *self.quantizer.modules())
        return hashlib.sha256("; ".join((weights, *settings)).encode()).hexdigest()

    @plain_torch
    def encode(self, waveform: Waveform) -> UnitStream:
        """One unit per frame, not deduplicated."""
        shortest = max(SHORTEST_TAIL, self.convolutions.receptive_field)
        check_encodable(waveform, self.checkpoint.sample_rate, shortest)
        ids, starts = [], []
        for start, chunk in self._chunks(waveform.samples, shortest):
            units = self.quantizer.units(self.features(torch.from_numpy(np.array(chunk))))
            ids.append(units)
            starts.append((start + np.arange(len(units)) * self.convolutions.hop) / waveform.rate)
        begins = np.round(np.concatenate(starts), 9)
        return UnitStream(
            np.concatenate(ids), begins, np.round(begins + 1 / self.rate, 9), np.ones(len(begins), np.int64), self.rate
        )

    def _chunks(self, samples: np.ndarray, shortest: int) -> Iterator[tuple[int, np.ndarray]]:
        size = CHUNK_SECONDS * self.checkpoint.sample_rate
        for start in range(0, len(samples), size):
            chunk = samples[start : start + size]
            if len(chunk) >= shortest:
                yield start, chunk

    @torch.inference_mode()
    @checked
    def features(self, samples: Float[Tensor, " time"]) -> Float[Tensor, "frame d_model"]:
        """Hidden states after the encoder's layer (counted from 1) of one chunk of audio."""
        model = self.checkpoint.model
        samples = samples.to(model.dtype)
        if self.checkpoint.normalize:
            samples = functional.layer_norm(samples, samples.shape)
        if self.checkpoint.layer_norm_first or self.layer < model.config.num_hidden_layers:
            hidden = model(samples[None], output_hidden_states=True).hidden_states[self.layer]
        else:
            hidden = model(samples[None]).last_hidden_state
        first: Tensor = hidden[0]
        return first


def fill_blanks(units: np.ndarray, blank: int) -> np.ndarray:
    """Each blank takes the nearest unit on its left, circularly; blanks alone stay."""
    kept = np.flatnonzero(units != blank)
    if len(kept) == 0:
        return units
    last = np.searchsorted(kept, np.arange(len(units)), side="right") - 1  # -1, before the first: the last one
    filled: np.ndarray = units[kept[last]]
    return filled


def read_quantizer(path: str | Path, d_model: int, dtype: torch.dtype = torch.float32) -> FeedForwardQuantizer:
    """Read a published quantizer for features of `d_model` values."""
    content = read_weights_only(path)
    if missing := {"model_cfg", "model_weight"} - set(content):
        raise CheckpointError(f"{path} lacks {', '.join(sorted(missing))}; expected a quantizer file.")
    weights, settings = content["model_weight"], content["model_cfg"]
    if not isinstance(weights, dict) or not isinstance(settings, dict):
        raise CheckpointError(f"{path}: model_weight and model_cfg should be dictionaries; expected a quantizer file.")
    n_clusters = settings.get("vocab_size")
    if not isinstance(n_clusters, int) or isinstance(n_clusters, bool) or n_clusters < 1:
        raise CheckpointError(f"{path}: vocab_size is {n_clusters!r} in model_cfg; expected the number of clusters.")
    layers: list[nn.Module] = []
    numbers = _layer_numbers(weights, path)
    for name, tensor in weights.items():
        check_weight(name, tensor, path)
    _check_chain(numbers, weights, path)
    for index in numbers:
        weight, bias = weights[f"{index}.weight"].to(dtype), weights[f"{index}.bias"].to(dtype)
        linear = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
        linear.load_state_dict({"weight": weight, "bias": bias}, assign=True)
        layers += [nn.LeakyReLU(0.01), linear] if layers else [linear]
    size_in, size_out = weights[f"{numbers[0]}.weight"].shape[1], weights[f"{numbers[-1]}.weight"].shape[0]
    if size_in != d_model:
        raise CheckpointError(f"{path} takes features of {size_in} values; the encoder gives {d_model}.")
    if size_out != n_clusters + 1:
        raise CheckpointError(f"{path} has {size_out} classes; vocab_size {n_clusters} and a blank are expected.")
    return FeedForwardQuantizer(nn.Sequential(*layers), n_clusters)


def _check_chain(numbers: list[int], weights: dict[str, Tensor], path: str | Path) -> None:
    """Each layer's matrix reads what the one before it gives."""
    given = None
    for index in numbers:
        weight, bias = weights[f"{index}.weight"], weights[f"{index}.bias"]
        if weight.ndim != 2 or bias.shape != weight.shape[:1] or given not in (None, weight.shape[1]):
            raise CheckpointError(
                f"{path}: layer {index} has a weight {tuple(weight.shape)} and a bias {tuple(bias.shape)}, after a "
                f"layer of {given} values; expected [out, in] and [out], each layer reading the one before."
            )
        given = weight.shape[0]


def _layer_numbers(weights: dict[str, Tensor], path: str | Path) -> list[int]:
    """The numbers of the linear layers, in order."""
    numbers = {str(name).partition(".")[0] for name in weights}
    expected = {f"{number}.{part}" for number in numbers if number.isdecimal() for part in ("weight", "bias")}
    if not expected or expected != set(weights):
        odd = ", ".join(sorted(map(str, expected ^ set(weights)))[:4]) or "nothing"
        raise CheckpointError(f"{path}: expected layers 0.weight, 0.bias, 2.weight …, each with both; at fault: {odd}.")
    return sorted(map(int, numbers))


def official_files(folder: str | Path | None = None) -> tuple[Path, Path]:
    """Paths of the published encoder and quantizer: in `folder`, or below ``$SPIRITLM_CHECKPOINTS_DIR``."""
    if folder is not None and not isinstance(folder, (str, Path)):
        raise ValueError(f"folder={shown(folder)} ({type(folder).__name__}): expected the path of the encoder's folder")
    if folder is not None:
        places = [Path(folder), Path(folder) / OFFICIAL_FOLDER]
    elif "SPIRITLM_CHECKPOINTS_DIR" in os.environ:
        places = [Path(os.environ["SPIRITLM_CHECKPOINTS_DIR"]) / OFFICIAL_FOLDER]
    else:
        raise FileNotFoundError(
            "the published unit encoder is not found; set SPIRITLM_CHECKPOINTS_DIR to SpiritLM's checkpoints, or give "
            f"the folder that holds {OFFICIAL_MODEL} and {OFFICIAL_QUANTIZER}."
        )
    for place in places:
        if (place / OFFICIAL_MODEL).is_file() and (place / OFFICIAL_QUANTIZER).is_file():
            return place / OFFICIAL_MODEL, place / OFFICIAL_QUANTIZER
    raise FileNotFoundError(f"{OFFICIAL_MODEL} and {OFFICIAL_QUANTIZER} are not in {' or '.join(map(str, places))}.")


@told_keywords
def load_hubert_units(
    folder: str | Path | None = None, layer: int = OFFICIAL_LAYER, dtype: torch.dtype = torch.float32
) -> HubertUnits:
    """The published unit encoder from its files (see `official_files`)."""
    layer = whole("layer", layer)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point or dtype.itemsize < 2:
        raise ValueError(
            f"dtype={shown(dtype)}: expected torch.float32, torch.bfloat16, torch.float16 or torch.float64"
        )
    model_path, quantizer_path = official_files(folder)
    checkpoint = read_hubert(model_path, dtype=dtype)
    check_layer(layer, checkpoint.model.config.num_hidden_layers, model_path)
    if not checkpoint.layer_norm_first:  # after the last layer kept, post-norm states are those of the whole model
        checkpoint = read_hubert(model_path, n_layers=layer, dtype=dtype)
    quantizer = read_quantizer(quantizer_path, checkpoint.model.config.hidden_size, dtype)
    return HubertUnits(checkpoint, quantizer, layer, f"hubert {model_path.stem} layer {layer}")
