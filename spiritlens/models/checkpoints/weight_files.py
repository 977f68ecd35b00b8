"""Weight files of a checkpoint folder, mapped into memory and never executed.

A folder holds ``model.safetensors``, or ``pytorch_model.bin``, or shards of either with an index (``….index.json``,
whose ``weight_map`` names each tensor's shard). safetensors files cannot hold code; ``.bin`` files are pickles and
are read with ``weights_only=True`` or refused. Both are memory-mapped: a tensor's bytes are read when it is first
touched, and the mapping is private, so that writing to a tensor leaves the file as it is.

Every refusal is a `CheckpointError` that names the file, the tensor, what was expected and found, and the remedy.
"""

import ctypes
import mmap
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from spiritlens.files.weights import CheckpointError, open_torch_file, read_json
from spiritlens.warn import warn

SINGLE_FILES = ("model.safetensors", "pytorch_model.bin")
INDEX_FILES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
LFS_POINTER = b"version https://git-lfs"
ZIP_MAGIC = b"PK\x03\x04"
EMBEDDING = "embed_tokens.weight"
WRAPPERS = ("_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
"""Parts of names that torch.compile, DataParallel, FSDP and activation checkpointing add."""


@dataclass(frozen=True, eq=False)
class WeightFiles:
    """Mapped tensors by name, and the file of each."""

    tensors: dict[str, Tensor]
    sources: dict[str, Path]

    def without_prefix(self) -> "WeightFiles":
        """Names as a plain Llama has them, what wrappers add taken off.

        That is the parts that compiling and sharding put anywhere (``_orig_mod.``, ``module.``), a wrapper's prefix
        before all names (``lm.model.layers…``), and the ``model.`` that the weights of a bare decoder lack.
        """
        names = {name: _unwrapped(name) for name in self.tensors}
        ends = [name for name in names.values() if name.endswith(EMBEDDING)]
        prefix = ends[0].removesuffix(EMBEDDING) if len(ends) == 1 else "model."
        decoder = prefix.removesuffix("model.")
        if all(name.startswith(decoder) for name in names.values()):
            bare = "" if prefix.endswith("model.") else "model."
            names = {name: bare + plain[len(decoder) :] for name, plain in names.items()}
        if len(set(names.values())) < len(names):
            twice = next(name for name in names if list(names.values()).count(names[name]) > 1)
            raise CheckpointError(
                f"{self.sources[twice]}: {twice} and another tensor have one name, {names[twice]}, without what "
                "wrappers add. Save the model's own state_dict."
            )
        return WeightFiles(
            {names[name]: tensor for name, tensor in self.tensors.items()},
            {names[name]: path for name, path in self.sources.items()},
        )


def _unwrapped(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def open_weights(folder: Path) -> WeightFiles:
    """All tensors of the folder's weights, mapped; safetensors are preferred where both kinds are there."""
    for single, index in zip(SINGLE_FILES, INDEX_FILES, strict=True):
        if (folder / single).is_file():
            tensors = open_file(folder / single)
            return WeightFiles(tensors, dict.fromkeys(tensors, folder / single))
        if (folder / index).is_file():
            return _open_shards(folder / index)
    found = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
    raise CheckpointError(
        f"{folder}: no weights. Expected {', '.join((*SINGLE_FILES, *INDEX_FILES))}, found {found}. "
        "Give the folder that holds the model itself, or finish the download."
    )


def open_file(path: Path) -> dict[str, Tensor]:
    """The tensors of one ``.safetensors`` or ``.bin`` file."""
    with path.open("rb") as file:
        head = file.read(len(LFS_POINTER))
    if head == LFS_POINTER:
        raise CheckpointError(f"{path} is a Git LFS pointer, not the weights. Fetch the file itself (git lfs pull).")
    return _open_safetensors(path) if path.suffix == ".safetensors" else _open_pickle(path)


def _open_shards(index: Path) -> WeightFiles:
    """The tensors that the index lists, each from its shard."""
    listed = read_json(index).get("weight_map")
    if not isinstance(listed, dict) or not listed:
        raise CheckpointError(f"{index}: expected a 'weight_map' from tensor to shard, found none. Download it again.")
    odd = next(((name, shard) for name, shard in listed.items() if not isinstance(shard, str)), None)
    if odd is not None:
        raise CheckpointError(f"{index}: weight_map places {odd[0]} in {odd[1]!r}; expected a file's name.")
    tensors: dict[str, Tensor] = {}
    sources: dict[str, Path] = {}
    for shard in sorted(set(listed.values())):
        path = index.parent / shard
        if Path(shard).name != shard or not path.is_file():
            wanted = sum(name == shard for name in listed.values())
            raise CheckpointError(f"{path} is missing: {index.name} expects {wanted} tensors in it. Download it again.")
        held = open_file(path)
        for name in (name for name, place in listed.items() if place == shard):
            if name not in held:
                raise CheckpointError(f"{path}: tensor {name} is missing, though {index.name} places it there.")
            tensors[name], sources[name] = held[name], path
    return WeightFiles(tensors, sources)


def _open_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dictionary)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged or cut short ({error}). Download it again.") from error


def is_mapped(path: Path) -> bool:
    """Whether a weight file's tensors are views of the file; PyTorch's old format is read whole instead."""
    if path.suffix == ".safetensors":
        return True
    with path.open("rb") as file:
        return file.read(len(ZIP_MAGIC)) == ZIP_MAGIC


def _open_pickle(path: Path) -> dict[str, Tensor]:
    mapped = is_mapped(path)
    if not mapped:
        warn(
            f"{path} has PyTorch's old format, which cannot be memory-mapped: it is read whole. Convert it once with "
            "spiritlens.models.checkpoints.checkpoint.save_safetensors(folder, new_folder)."
        )
    loaded = open_torch_file(path, "mapped" if mapped else "read")
    odd = (
        [key for key, value in loaded.items() if not isinstance(value, Tensor)]
        if isinstance(loaded, Mapping)
        else ["?"]
    )
    if odd:
        raise CheckpointError(f"{path}: expected a dictionary of tensors, found another value under {odd[0]!r}.")
    return {str(name): tensor for name, tensor in loaded.items()}


def release_pages(tensor: Tensor) -> None:
    """Let the system drop a mapped tensor's pages once it was copied elsewhere (Linux).

    They can be read from the file again; in memory that is no file's they would be lost (see `is_mapped`).
    """
    if sys.platform != "linux" or tensor.device.type != "cpu":
        return
    page, begin = mmap.PAGESIZE, tensor.data_ptr()
    first, last = -(-begin // page) * page, (begin + tensor.nbytes) // page * page
    if last > first:
        advise = ctypes.CDLL(None).madvise
        advise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), mmap.MADV_DONTNEED)
