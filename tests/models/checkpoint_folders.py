"""Writes checkpoint folders in the families' formats, with random weights, on the tokenizers of tests/data/prompts."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import save_file
from sentencepiece import sentencepiece_model_pb2
from tokenizer_folders import SMALL, config_with_added
from torch import Tensor
from transformers import LlamaConfig

from spiritlens.models.random_weights import random_config, random_weights

Layout = Literal["safetensors", "safetensors shards", "bin", "bin shards", "old bin"]
LAYOUTS: tuple[Layout, ...] = ("safetensors", "safetensors shards", "bin", "bin shards", "old bin")
SPIRIT = ("[Text]", "[Speech]", *(f"[Hu{unit}]" for unit in range(501)))


def write_weights(folder: Path, weights: Mapping[str, Tensor], layout: Layout) -> None:
    """The weights as one file, or as two shards with an index."""
    if layout == "old bin":
        torch.save(dict(weights), folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)
        return
    pickled = layout.startswith("bin")
    suffix, stem = ("bin", "pytorch_model") if pickled else ("safetensors", "model")

    def write(part: dict[str, Tensor], path: Path) -> None:
        if pickled:
            torch.save(part, path)
        else:
            save_file(part, path, metadata={"format": "pt"})

    if not layout.endswith("shards"):
        write(dict(weights), folder / f"{stem}.{suffix}")
        return
    names = list(weights)
    halves = (names[: len(names) // 2], names[len(names) // 2 :])
    placed = {}
    for number, half in enumerate(halves, start=1):
        path = folder / f"{stem}-{number:05d}-of-00002.{suffix}"
        write({name: weights[name] for name in half}, path)
        placed |= dict.fromkeys(half, path.name)
    (folder / f"{stem}.{suffix}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": placed}))


def write_config(folder: Path, config: LlamaConfig, dtype: torch.dtype = torch.float32) -> None:
    values = config.to_dict() | {"architectures": ["LlamaForCausalLM"], "dtype": str(dtype).removeprefix("torch.")}
    (folder / "config.json").write_text(json.dumps(values))
    (folder / "generation_config.json").write_text(json.dumps({"bos_token_id": 1, "eos_token_id": 2}))


def write_tokenizer(folder: Path, n_pieces: int, added: Sequence[str]) -> None:
    """The 2,000 pieces filled up to ``n_pieces`` with pieces that never occur, and added tokens in the config."""
    source = SMALL / "added_tokens"
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString((source / "tokenizer.model").read_bytes())
    score = model.pieces[-1].score
    for number in range(n_pieces - len(model.pieces)):
        model.pieces.add(piece=f"\ue000{number}", score=score - 1 - number, type=1)
    (folder / "tokenizer.model").write_bytes(model.SerializeToString())
    (folder / "tokenizer_config.json").write_text(json.dumps(config_with_added(added, n_pieces)))
    shutil.copy(source / "special_tokens_map.json", folder)


def write_checkpoint(
    folder: Path,
    config: LlamaConfig,
    layout: Layout = "safetensors",
    dtype: torch.dtype = torch.float32,
    added: Sequence[str] = SPIRIT,
    n_pieces: int = 2000,
    seed: int = 0,
) -> Path:
    """A whole checkpoint folder in Meta's layout."""
    folder.mkdir(parents=True, exist_ok=True)
    write_config(folder, config, dtype)
    write_weights(folder, random_weights(config, seed, dtype), layout)
    write_tokenizer(folder, n_pieces, added)
    return folder


def spirit_config(n_kv_heads: int | None = None, d_vocab: int = 2512, n_layers: int = 3) -> LlamaConfig:
    """7B's shape ratios at width 64; 2,000 text pieces, 503 markers and units, nine padding rows."""
    return random_config(
        n_layers=n_layers, d_model=64, n_heads=4, n_kv_heads=n_kv_heads, d_mlp=172, d_vocab=d_vocab, n_ctx=512
    )
