"""Reading a checkpoint folder: its config and its weights, checked one against the other, in one checkpoint's memory.

A folder is Meta's SpiritLM layout as downloaded (``config.json``, ``pytorch_model.bin``, ``tokenizer.model`` …) or
any Llama folder of Hugging Face's layout. `find_checkpoint` looks, in this order, for a folder of that name, for a
name under ``$SPIRITLM_CHECKPOINTS_DIR`` (Meta's ``spiritlm_model/`` inside it included), and for a hub id.

`read_checkpoint` maps the weights, compares names, shapes and kinds with the config, looks for NaN, and brings each
tensor to the wanted dtype and device, one at a time; a tensor that is already right stays a view of the file.
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from spiritlens.arguments import shown
from spiritlens.files.atomic import write_whole
from spiritlens.files.weights import CheckpointError, read_json
from spiritlens.models.checkpoints.config_values import model_config
from spiritlens.models.checkpoints.llama import MODEL_TYPES, LlamaLike, tensor_shapes
from spiritlens.models.checkpoints.weight_files import WeightFiles, is_mapped, open_weights, release_pages
from spiritlens.models.encoder_lookup import ENCODER_FOLDERS

ROOT_VARIABLE = "SPIRITLM_CHECKPOINTS_DIR"
MODEL_FOLDER = "spiritlm_model"
"""Meta's subfolder of the language models, beside ``speech_tokenizer``."""
WEIGHT_KINDS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
IGNORED_ENDINGS = ("rotary_emb.inv_freq",)
"""Tensors of older checkpoints that the config determines."""
SHARD_BYTES = 2**31


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A checkpoint of the Llama kind: config, and weights by Hugging Face's names, all on one device in one dtype."""

    folder: Path
    config: LlamaLike
    weights: dict[str, Tensor]


def find_checkpoint(name: str | Path) -> Path:
    """The folder of a checkpoint given as a path, as a name under ``$SPIRITLM_CHECKPOINTS_DIR``, or as a hub id."""
    if not isinstance(name, (str, Path)) or not str(name).strip() or "\0" in str(name):
        raise CheckpointError(
            f"source={shown(name)} ({type(name).__name__}): expected a checkpoint's folder, its name, a hub id, or a "
            "loaded model of Hugging Face's."
        )
    path, root = Path(name).expanduser(), os.environ.get(ROOT_VARIABLE)
    places = [path]
    if root and not path.is_absolute():
        places += [Path(root) / path, Path(root) / MODEL_FOLDER / path]
    for place in places:
        if place.is_dir():
            return place
        if place.is_file():
            raise CheckpointError(f"{place} is a file. Give the folder that holds the checkpoint: {place.parent}.")
    looked = ", ".join(str(place) for place in places)
    if isinstance(name, str) and _is_hub_id(name):
        return _download(name, looked)
    if not path.is_absolute() and len(path.parts) > 1 and path.parent.is_dir():
        held = ", ".join(sorted(entry.name for entry in path.parent.iterdir())[:8]) or "nothing"
        raise CheckpointError(f"there is no folder {path}: {path.parent} is there, but holds {held}. Check the name.")
    hint = "" if root else f" Set {ROOT_VARIABLE} to the folder of your downloads to load by name."
    raise CheckpointError(f"there is no checkpoint {str(name)!r}: looked for a folder at {looked}.{hint}")


def _is_hub_id(name: str) -> bool:
    """Whether a name that is no folder may be a hub id: two parts in its letters, the first no folder here."""
    parts = name.split("/")
    plain = len(parts) == 2 and all(re.fullmatch(r"[A-Za-z0-9][\w.-]{0,95}", part) for part in parts)
    return plain and not Path(parts[0]).exists()


def _download(repository: str, looked: str) -> Path:
    """A hub repository's config, tokenizer and weights (``.bin`` only where there are no safetensors).

    The hub is asked once, within ten seconds, whether it has the name; files are fetched only then.
    """
    from huggingface_hub import HfApi, snapshot_download

    try:
        names = [file.rfilename for file in HfApi().model_info(repository, timeout=10).siblings or []]
        weights = "*.safetensors*" if any(name.endswith(".safetensors") for name in names) else "pytorch_model*.bin*"
        return Path(snapshot_download(repository, allow_patterns=["*.json", "tokenizer.model", weights]))
    except Exception as error:  # the hub client raises its own, requests' and the system's errors
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise CheckpointError(
            f"there is no folder {repository!r} (looked at {looked}), and it could not be fetched as a hub id "
            f"({reason}). Give a folder, or log in and check the network."
        ) from error


def read_config(folder: Path) -> LlamaLike:
    """The folder's ``config.json`` as a configuration; a wrapper's ``base_config`` is what counts inside it."""
    path = folder / "config.json"
    if not path.is_file():
        nested = sorted(str(found.parent.relative_to(folder)) for found in folder.glob("*/config.json"))
        nested += sorted(
            str(found.parent.relative_to(folder)) for found in folder.glob(f"{MODEL_FOLDER}/*/config.json")
        )
        hint = f"It holds checkpoints in {', '.join(nested)}: name one." if nested else "Finish the download."
        raise CheckpointError(f"{folder}: config.json is missing. {hint}")
    values = read_json(path)
    if isinstance(values.get("base_config"), dict):
        values = values["base_config"] | {
            "vocab_size": values.get("vocab_size", values["base_config"].get("vocab_size"))
        }
    kind = values.get("model_type")
    if kind not in MODEL_TYPES:
        listed = values.get("architectures")
        named = ", ".join(map(str, listed)) if isinstance(listed, list) and listed else "none named"
        raise CheckpointError(
            f"{path}: expected model_type {' or '.join(map(repr, MODEL_TYPES))}, found {kind!r} ({named}). "
            "Other architectures are not converted."
        )
    return model_config(values, path)


def read_checkpoint(
    folder: str | Path, dtype: torch.dtype | None = None, device: torch.device | str = "cpu"
) -> Checkpoint:
    """Config and weights of a folder, checked. ``dtype=None`` keeps the checkpoint's."""
    folder = check_folder(folder)
    config = read_config(folder)
    if (folder / "adapter_config.json").is_file():
        raise CheckpointError(
            f"{folder} holds an adapter (adapter_config.json) beside its weights, which would be left out. Merge it "
            "into the weights and save them (peft's merge_and_unload), or take its files out of the folder."
        )
    files = open_weights(folder).without_prefix()
    names = check_tensors(files, config)
    if dtype is not None and dtype not in WEIGHT_KINDS:
        raise CheckpointError(f"dtype={dtype}: expected float32, bfloat16, float16 or float64.")
    kept = dtype or files.tensors["model.embed_tokens.weight"].dtype
    weights = {name: _bring(name, files, kept, torch.device(device)) for name in names}
    embedding, head = weights["model.embed_tokens.weight"], weights.get("lm_head.weight")
    if head is not None and head.data_ptr() == embedding.data_ptr():
        weights["lm_head.weight"] = head.clone()  # a pickle may give both one memory; folding scales the head alone
    return Checkpoint(folder, config, weights)


def check_folder(folder: str | Path) -> Path:
    """The folder as a path, refused where it is none or holds nothing."""
    if not isinstance(folder, (str, Path)):
        raise CheckpointError(f"folder={shown(folder)} ({type(folder).__name__}): expected the checkpoint's folder.")
    path = Path(folder).expanduser()
    if path.is_file():
        raise CheckpointError(f"{path} is a file. Give the folder that holds the checkpoint: {path.parent}.")
    if not path.is_dir():
        raise CheckpointError(f"there is no folder {path}. Give the checkpoint's folder.")
    if not any(path.iterdir()):
        raise CheckpointError(
            f"{path} is empty. Put the checkpoint's files there (config.json, weights, tokenizer.model)."
        )
    return path


def check_tensors(files: WeightFiles, config: LlamaLike) -> tuple[str, ...]:
    """Names of the tensors to take, after names, shapes and kinds agreed with the config."""
    shapes, found = tensor_shapes(config), files.tensors
    missing = [name for name in shapes if name not in found]
    if missing:
        place = sorted({path.name for path in files.sources.values()})
        near = " (tie_word_embeddings is false in config.json)" if missing == ["lm_head.weight"] else ""
        raise CheckpointError(
            f"{', '.join(place)}: tensor {missing[0]} is missing{near}, and {len(missing) - 1} more. "
            f"{_unmerged(found)}"
            f"Expected {len(shapes)} tensors for {config.num_hidden_layers} layers; weights and config.json must be of "
            "one checkpoint."
        )
    for name, shape in shapes.items():
        _check_tensor(name, found[name], shape, files.sources[name])
    for name in found:
        if name not in shapes and not name.endswith(IGNORED_ENDINGS) and not _is_tied_copy(name, found, config):
            raise CheckpointError(
                f"{files.sources[name]}: tensor {name} {tuple(found[name].shape)} has no place in a "
                f"{config.model_type} model of {config.num_hidden_layers} layers. Weights and config.json must be of "
                "one checkpoint."
            )
    return tuple(shapes)


def _unmerged(found: Mapping[str, Tensor]) -> str:
    """What to say where the weights are an adapter's."""
    adapter = any("lora_" in name or ".base_layer." in name for name in found)
    return "The file holds an adapter (LoRA): merge it into its model first (merge_and_unload). " if adapter else ""


def _check_tensor(name: str, tensor: Tensor, shape: tuple[int, ...], path: Path) -> None:
    if tuple(tensor.shape) != shape:
        rows = name in ("model.embed_tokens.weight", "lm_head.weight") and tensor.shape[1:] == shape[1:]
        rule = f"vocab_size {shape[0]} in config.json" if rows else "config.json"
        raise CheckpointError(
            f"{path}: tensor {name}: expected shape {shape} by {rule}, found {tuple(tensor.shape)}. "
            "Weights and config.json must be of one checkpoint."
        )
    if tensor.layout != torch.strided or tensor.is_meta:
        kind = "without values (meta)" if tensor.is_meta else f"of layout {tensor.layout}"
        raise CheckpointError(
            f"{path}: tensor {name} is {kind}; expected an ordinary one. Save it by tensor.to_dense()."
        )
    if tensor.dtype not in WEIGHT_KINDS:
        raise CheckpointError(
            f"{path}: tensor {name}: expected float32, float16, bfloat16 or float64, found {tensor.dtype}. "
            "Quantized weights are not converted; use the original ones."
        )


def _is_tied_copy(name: str, found: Mapping[str, Tensor], config: LlamaLike) -> bool:
    """Whether the tensor is the unembedding of a tied model, written out although it equals the embedding."""
    embedding = found["model.embed_tokens.weight"]
    tied = bool(config.tie_word_embeddings) and name == "lm_head.weight" and found[name].shape == embedding.shape
    return tied and bool(torch.equal(found[name], embedding))


def _bring(name: str, files: WeightFiles, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The tensor in the wanted dtype on the wanted device, after a look for NaN and infinity."""
    mapped = files.tensors[name]
    low, high = (float(bound) for bound in torch.aminmax(mapped))
    if not (abs(low) < float("inf") and abs(high) < float("inf")):  # a NaN anywhere makes both NaN
        bad = int((~torch.isfinite(mapped)).sum())
        raise CheckpointError(
            f"{files.sources[name]}: tensor {name} holds NaN or infinity in {bad} of {mapped.numel()} values. "
            "The file is damaged, or training diverged; use another copy."
        )
    brought = mapped.to(device=device, dtype=dtype).contiguous()
    if brought is not mapped:
        if max(-low, high) > torch.finfo(dtype).max:
            raise CheckpointError(
                f"{files.sources[name]}: tensor {name} reaches {max(-low, high):.3g}, beyond {dtype}. Choose float32."
            )
        if is_mapped(files.sources[name]):  # otherwise another tensor may share its memory
            release_pages(mapped)
    return brought


def save_safetensors(folder: str | Path, target: str | Path) -> Path:
    """Copy a checkpoint into a new folder with its weights as safetensors shards of at most 2 GiB, in its own dtype.

    For ``.bin`` files in PyTorch's old format, which cannot be memory-mapped: convert once, load the copy ever after.
    Settings, tokenizer and speech encoder go with it. The folder is there whole or not at all.
    """
    if not isinstance(target, (str, Path)):
        raise CheckpointError(f"target={shown(target)} ({type(target).__name__}): expected the path of a new folder.")
    source, target = check_folder(folder), Path(target)
    if target.exists() and (target.is_file() or any(target.iterdir())):
        raise CheckpointError(f"{target} is not empty. Give a new folder.")
    weights = read_checkpoint(source).weights
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".part-", dir=target.parent) as part:
        made = Path(part) / "checkpoint"
        made.mkdir()
        write_shards(weights, made)
        for path in source.iterdir():
            if path.suffix in (".json", ".model") and not path.name.endswith(".index.json"):
                write_whole(made / path.name, path.read_bytes())
            elif path.is_dir() and path.name in ENCODER_FOLDERS:
                shutil.copytree(path, made / path.name)
        if target.exists():
            target.rmdir()  # an empty one
        made.rename(target)
    return target


def write_shards(weights: Mapping[str, Tensor], folder: Path, shard_bytes: int = SHARD_BYTES) -> None:
    """Write weights as ``model.safetensors``, or as shards with an index where they are more than ``shard_bytes``."""
    groups: list[dict[str, Tensor]] = [{}]
    for name, tensor in weights.items():
        if groups[-1] and sum(held.nbytes for held in groups[-1].values()) + tensor.nbytes > shard_bytes:
            groups.append({})
        groups[-1][name] = tensor.contiguous()
    if len(groups) == 1:
        save_file(groups[0], folder / "model.safetensors", metadata={"format": "pt"})
        return
    placed: dict[str, str] = {}
    for number, group in enumerate(groups, start=1):
        name = f"model-{number:05d}-of-{len(groups):05d}.safetensors"
        save_file(group, folder / name, metadata={"format": "pt"})
        placed |= dict.fromkeys(group, name)
    total = sum(tensor.nbytes for tensor in weights.values())
    index = {"metadata": {"total_size": total}, "weight_map": placed}
    write_whole(folder / "model.safetensors.index.json", json.dumps(index, indent=1).encode())
