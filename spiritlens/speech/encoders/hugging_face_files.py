"""A HuBERT in Hugging Face's folder layout, read whole or refused, with the centroids beside it."""

from pathlib import Path

import torch
from transformers import HubertModel

from spiritlens.arguments import whole
from spiritlens.files.weights import CheckpointError, check_weight, read_json
from spiritlens.speech.encoders.convolutions import Convolutions
from spiritlens.speech.encoders.fairseq_files import HubertCheckpoint, check_layer

CENTROID_ENDINGS = (".npy", ".npz", ".bin", ".km", ".joblib", ".pkl", ".pt")
WEIGHT_FILES = ("pytorch_model.bin",)


def read_hubert_folder(folder: str | Path, layer: int) -> HubertCheckpoint:
    """A HuBERT as transformers saves it, float32, with the layers that `layer` needs."""
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"{folder} has no config.json; give a Hugging Face HuBERT folder.")
    config = read_json(folder / "config.json")
    if config.get("model_type") != "hubert":
        raise CheckpointError(
            f"{folder} holds a model of type {config.get('model_type')!r}, not 'hubert'; give a HuBERT's folder."
        )
    n_layers = _whole(folder / "config.json", "num_hidden_layers", config.get("num_hidden_layers"))
    check_layer(layer, n_layers, folder)
    stable = bool(config.get("do_stable_layer_norm", False))
    kept = min(layer + 1, n_layers) if stable else layer
    model = _read_whole(folder, kept)
    preprocessor = folder / "preprocessor_config.json"
    prepared = read_json(preprocessor) if preprocessor.is_file() else {}
    rate = _whole(preprocessor, "sampling_rate", prepared.get("sampling_rate", 16000))
    sizes = zip(model.config.conv_dim, model.config.conv_kernel, model.config.conv_stride, strict=True)
    return HubertCheckpoint(
        model.eval().requires_grad_(False),
        Convolutions(tuple(sizes)),
        rate,
        bool(prepared.get("do_normalize", False)),
        stable,
    )


def _read_whole(folder: Path, n_layers: int) -> HubertModel:
    """The first layers of a folder's model; transformers itself fills what is missing with random weights."""
    try:
        with torch.random.fork_rng(devices=()):  # transformers draws weights before it reads them
            model, report = HubertModel.from_pretrained(
                folder,
                num_hidden_layers=n_layers,
                dtype=torch.float32,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # reported, and refused here
            )
    except Exception as error:  # transformers, safetensors and torch each raise their own
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(
            f"{folder}: its HuBERT cannot be read ({type(error).__name__}: {reason}). Copy config.json and the weights "
            "of one model again."
        ) from error
    missing = set(report["missing_keys"])
    misshapen = {name for name, *_ in report["mismatched_keys"]}
    if "masked_spec_embed" in missing:  # of no effect on units; a random one would change the encoder's digest
        torch.nn.init.zeros_(model.masked_spec_embed)
    at_fault = sorted((missing | misshapen) - {"masked_spec_embed"})
    if at_fault:
        raise CheckpointError(
            f"{folder}: tensors are missing or of another shape than config.json says, {len(at_fault)} in all: "
            f"{', '.join(at_fault[:4])}. Weights and config.json must be of one HuBERT, and whole."
        )
    for name, tensor in model.state_dict().items():
        if name != "masked_spec_embed":
            check_weight(name, tensor, folder)
    return model


def _whole(path: Path, name: str, value: object) -> int:
    try:
        return whole(name, value, at_least=1)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}. Copy it from the encoder again.") from None


def only_centroids(folder: Path) -> Path:
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
