"""Torch files (``.pt``, ``.bin``) opened without running code: tensors and plain values come out of them, or a refusal.

Such a file is a pickle, which could hold any program. It is opened with ``weights_only=True``, and what is more than
tensors, numbers, strings and their lists and dictionaries is refused unrun.
"""

import json
import pickle
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

Memory: TypeAlias = Literal["read", "mapped"]
"""``read``: the file is read whole. ``mapped``: its zip format is mapped, and bytes are read when they are touched."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be used as it is: which file or tensor, expected, found, remedy."""


def open_torch_file(path: Path, memory: Memory = "read") -> Any:
    """What a torch file holds; one that holds pickled code, is damaged or is none is refused."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=memory == "mapped")
    except pickle.UnpicklingError as error:
        reason = str(error).partition("WeightsUnpickler error: ")[2].partition("\n")[0] or "it is no weight file"
        raise CheckpointError(
            f"{path} is refused: it holds pickled code, or is no weight file ({reason}); such code is never run here. "
            "Use a safetensors copy, or convert it where you trust it: torch.save of a dictionary of tensors, numbers "
            "and strings."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0].partition(". ")[0]
        raise CheckpointError(f"{path} is damaged or cut short ({reason}). Download it again.") from error
    except Exception as error:  # a text, read as a pickle, makes the reader raise nearly anything
        raise CheckpointError(
            f"{path} is no torch file: its bytes mean nothing to the reader ({type(error).__name__}: {error}). "
            "Download it again."
        ) from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of a checkpoint's folder."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON ({error}). Download it again.") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: expected a JSON object, found {type(value).__name__}. Download it again.")
    return value


def check_weight(name: str, tensor: Any, path: str | Path) -> None:
    """Refuse what is no ordinary tensor of floating-point numbers, all finite."""
    if not isinstance(tensor, Tensor):
        raise CheckpointError(f"{path}: {name} is a {type(tensor).__name__}; expected a tensor.")
    if not tensor.is_floating_point() or tensor.layout != torch.strided or tensor.is_meta:
        raise CheckpointError(
            f"{path}: {name} is {tensor.dtype} of layout {tensor.layout}; expected ordinary floating-point numbers."
        )
    bad = int((~torch.isfinite(tensor)).sum())
    if bad:
        raise CheckpointError(
            f"{path}: {name} holds NaN or infinity in {bad} of {tensor.numel()} values. The file is damaged, or "
            "training diverged; use another copy."
        )


def read_weights_only(path: str | Path) -> dict[str, Any]:
    """The dictionary in a torch file (a lone tensor as "tensor")."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint file.")
    content = open_torch_file(path)
    if isinstance(content, Tensor):
        content = {"tensor": content}
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}; expected a dictionary.")
    return content
