"""Speech encoders by plain values, as family records name them.

``{"kind": "hubert", "layer": 11, "n_clusters": 500}`` is a HuBERT with its quantizer in the layout of the published
files, or a Hugging Face HuBERT folder with a file of centroids.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import HubertModel

from spiritlens.speech.centroids import read_centroids
from spiritlens.speech.convolutions import Convolutions
from spiritlens.speech.encoders import SpeechEncoder
from spiritlens.speech.hubert import HubertUnits, KMeansQuantizer, load_hubert_units
from spiritlens.speech.hubert_checkpoint import CheckpointError, HubertCheckpoint

CENTROID_ENDINGS = (".npy", ".bin", ".km", ".joblib", ".pt")
WEIGHT_FILES = ("pytorch_model.bin",)


def load_encoder(
    record: Mapping[str, Any], folder: str | Path | None = None, centroids: str | Path | None = None
) -> SpeechEncoder:
    """The encoder that a family's record names, from the files of `folder` (None: the published files' usual place)."""
    kind = record.get("kind")
    if kind == "hubert" and folder is not None and (Path(folder) / "config.json").is_file():
        encoder = load_kmeans_units(folder, int(record.get("layer", 11)), centroids)
        if encoder.n_units != record.get("n_clusters", encoder.n_units):
            raise CheckpointError(
                f"{folder}: {encoder.n_units} centroids; the family has {record['n_clusters']} clusters."
            )
        return encoder
    if kind == "hubert":
        return load_hubert_units(folder, int(record.get("layer", 11)))
    raise ValueError(f"encoder {dict(record)!r} is unknown here; expected kind 'hubert'.")


def load_kmeans_units(folder: str | Path, layer: int, centroids: str | Path | None = None) -> HubertUnits:
    """K-means units of a Hugging Face HuBERT folder; the centroids are a file in it unless given."""
    folder = Path(folder)
    checkpoint = read_hubert_folder(folder, layer)
    path = Path(centroids) if centroids is not None else _only_centroids(folder)
    matrix = read_centroids(path)
    width = checkpoint.model.config.hidden_size
    if matrix.shape[1] != width:
        raise CheckpointError(
            f"{path} has centroids of {matrix.shape[1]} values; the encoder in {folder} gives {width}."
        )
    return HubertUnits(checkpoint, KMeansQuantizer(matrix), layer, f"hubert {folder.name} layer {layer} k-means")


def read_hubert_folder(folder: str | Path, layer: int) -> HubertCheckpoint:
    """A HuBERT as transformers saves it, float32, with the layers that `layer` needs."""
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"{folder} has no config.json; give a Hugging Face HuBERT folder.")
    config = json.loads((folder / "config.json").read_text())
    if layer > config["num_hidden_layers"]:
        raise CheckpointError(f"{folder} has {config['num_hidden_layers']} layers; layer {layer} was asked for.")
    stable = bool(config.get("do_stable_layer_norm", False))
    kept = min(layer + 1, config["num_hidden_layers"]) if stable else layer
    model = HubertModel.from_pretrained(folder, num_hidden_layers=kept, dtype=torch.float32, local_files_only=True)
    preprocessor = folder / "preprocessor_config.json"
    prepared = json.loads(preprocessor.read_text()) if preprocessor.is_file() else {}
    sizes = zip(model.config.conv_dim, model.config.conv_kernel, model.config.conv_stride, strict=True)
    return HubertCheckpoint(
        model.eval().requires_grad_(False),
        Convolutions(tuple(sizes)),
        int(prepared.get("sampling_rate", 16000)),
        bool(prepared.get("do_normalize", False)),
        stable,
    )


def _only_centroids(folder: Path) -> Path:
    found = [
        path
        for path in sorted(folder.iterdir())
        if path.suffix in CENTROID_ENDINGS and path.name not in WEIGHT_FILES and path.is_file()
    ]
    if len(found) != 1:
        named = ", ".join(path.name for path in found) or "none"
        raise CheckpointError(
            f"{folder} should hold one file of centroids ({', '.join(CENTROID_ENDINGS)}); found {named}."
        )
    return found[0]
