"""Quantizers: features ``[frame d_model]`` become unit ids, by the nearest centroid or by the published network."""

from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from spiritlens.files.weights import CheckpointError, check_weight, read_weights_only


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
