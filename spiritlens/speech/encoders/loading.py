"""Speech encoders by plain values, as family records name them.

``{"kind": "hubert", "layer": 11, "n_clusters": 500}`` is a HuBERT with its quantizer in the layout of the published
files, or a Hugging Face HuBERT folder with a file of centroids.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from spiritlens.arguments import shown, told_keywords, whole
from spiritlens.files.weights import CheckpointError
from spiritlens.speech.centroids import read_centroids
from spiritlens.speech.encoders.fairseq_files import check_layer, read_hubert
from spiritlens.speech.encoders.hubert import HubertUnits
from spiritlens.speech.encoders.hugging_face_files import _only_centroids, read_hubert_folder
from spiritlens.speech.encoders.protocol import SpeechEncoder
from spiritlens.speech.encoders.quantizers import KMeansQuantizer, read_quantizer


@told_keywords
def load_encoder(
    record: Mapping[str, Any], folder: str | Path | None = None, centroids: str | Path | None = None
) -> SpeechEncoder:
    """The encoder that a family's record names, from the files of `folder` (None: the published files' usual place).

    `centroids` is the file of centroids of a Hugging Face HuBERT where that is not in its folder.
    """
    if not isinstance(record, Mapping) or record.get("kind") != "hubert":
        raise ValueError(
            f"encoder {shown(record)} is unknown here; expected a record of kind 'hubert', as "
            "{'kind': 'hubert', 'layer': 11, 'n_clusters': 500}."
        )
    layer = whole("layer", record.get("layer", 11))
    counted = record.get("n_clusters")
    if counted is not None:
        counted = whole("n_clusters", counted, at_least=1)
    _check_path("folder", folder)
    _check_path("centroids", centroids)
    if folder is not None and (Path(folder) / "config.json").is_file():
        encoder = load_kmeans_units(folder, layer, centroids)
        n_clusters = encoder.n_units
    elif centroids is not None:
        raise ValueError(
            f"centroids={str(centroids)!r} go with a Hugging Face HuBERT, but {folder or 'the published encoder'} "
            "has no config.json and brings a quantizer of its own; give a Hugging Face folder, or leave centroids out."
        )
    else:
        encoder = load_hubert_units(folder, layer)
        n_clusters = encoder.n_units - 1  # all but the blank
    if counted not in (None, n_clusters):
        raise CheckpointError(
            f"{folder or 'the published encoder'} has {n_clusters} clusters; the family has {counted}. "
            "Encoder and model must be of one checkpoint."
        )
    return encoder


def _check_path(name: str, value: object) -> None:
    if value is not None and not isinstance(value, (str, Path)):
        raise ValueError(f"{name}={shown(value)} ({type(value).__name__}): expected a path, or None")


def load_kmeans_units(folder: str | Path, layer: int, centroids: str | Path | None = None) -> HubertUnits:
    """K-means units of a Hugging Face HuBERT folder; the centroids are a file in it unless given."""
    _check_path("folder", folder)
    _check_path("centroids", centroids)
    folder, layer = Path(folder), whole("layer", layer)
    checkpoint = read_hubert_folder(folder, layer)
    path = Path(centroids) if centroids is not None else _only_centroids(folder)
    matrix = read_centroids(path)
    width = checkpoint.model.config.hidden_size
    if matrix.shape[1] != width:
        raise CheckpointError(
            f"{path} has centroids of {matrix.shape[1]} values; the encoder in {folder} gives {width}."
        )
    return HubertUnits(checkpoint, KMeansQuantizer(matrix), layer, f"hubert {folder.name} layer {layer} k-means")


OFFICIAL_FOLDER = Path("speech_tokenizer") / "hubert_25hz"


OFFICIAL_MODEL, OFFICIAL_QUANTIZER = "mhubert_base_25hz.pt", "L11_quantizer_500.pt"


OFFICIAL_LAYER = 11


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
