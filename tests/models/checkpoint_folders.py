"""Writes checkpoint folders in the families' formats, with random weights, on the tokenizers of tests/data/prompts."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import save_file
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor
from transformers import LlamaConfig

from spiritlens.models.random_weights import random_config, random_weights

TOKENIZERS = Path(__file__).parents[1] / "data" / "prompts" / "tokenizer_small"
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
    source = TOKENIZERS / "added_tokens"
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString((source / "tokenizer.model").read_bytes())
    score = model.pieces[-1].score
    for number in range(n_pieces - len(model.pieces)):
        model.pieces.add(piece=f"\ue000{number}", score=score - 1 - number, type=1)
    (folder / "tokenizer.model").write_bytes(model.SerializeToString())
    config = json.loads((source / "tokenizer_config.json").read_text())
    plain = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": False}
    config["added_tokens_decoder"] = {
        str(n_pieces + number): {"content": content, **plain} for number, content in enumerate(added)
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
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


def write_byte_level_tokenizer(folder: Path, added: Sequence[str]) -> int:
    """A byte-level tokenizer of the Llama-3 kind (tokenizer.json only); returns the number of its tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<|begin_of_text|>", "<|end_of_text|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["the capital of france is paris and they were in rome"] * 3, trainer)
    bos = ("<|begin_of_text|>", tokenizer.token_to_id("<|begin_of_text|>"))
    tokenizer.post_processor = processors.TemplateProcessing(single="<|begin_of_text|> $A", special_tokens=[bos])
    tokenizer.add_tokens(list(added))
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|begin_of_text|>",
        "eos_token": "<|end_of_text|>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return int(tokenizer.get_vocab_size())
