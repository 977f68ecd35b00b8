"""Checkpoint folders without weights in each family's format, all on the 2,000 pieces of tests/data/prompts."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from sentencepiece import sentencepiece_model_pb2
from tokenizer_folders import (
    SMALL,
    config_with_added,
    write_byte_level_tokenizer,
    write_llama3_tokenizer,
    write_qwen_tokenizer,
)


def llama_folder(folder: Path, added: Sequence[str], legacy: bool = True, rows: int | None = None) -> Path:
    """A checkpoint folder without weights: the 2,000 pieces, and added tokens in the config."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(SMALL / "added_tokens" / "tokenizer.model", folder)
    (folder / "tokenizer_config.json").write_text(json.dumps(config_with_added(added) | {"legacy": legacy}))
    rows = 2000 + len(added) if rows is None else rows
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": rows}))
    return folder


def spirit_strings(n_units: int = 501) -> list[str]:
    return ["[Text]", "[Speech]", *(f"[Hu{unit}]" for unit in range(n_units))]


def sims_folder(folder: Path, n_units: int = 500) -> Path:
    """A byte-level tokenizer of the Llama-3 kind (tokenizer.json only) with SIMS's tokens in their order."""
    folder.mkdir(parents=True, exist_ok=True)
    size = write_byte_level_tokenizer(folder, [*(f"<Un{unit}>" for unit in range(n_units)), "<speech>", "<text>"])
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": size}))
    return folder


def spire_folder(folder: Path, n_units: int = 50) -> Path:
    """Units as ordinary single-character pieces of the private use area, after five control pieces."""
    folder.mkdir(parents=True, exist_ok=True)
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString((SMALL / "added_tokens" / "tokenizer.model").read_bytes())
    score = model.pieces[-1].score
    controls = [(name, 4) for name in ("<CLS>", "<EOD>", "<MASK>", "<PAD>", "<SEP>")]
    units = [(chr(0xF0000 + unit), 1) for unit in range(n_units)]
    for order, (piece, kind) in enumerate(controls + units, 1):
        model.pieces.add(piece=piece, score=score - order, type=kind)
    (folder / "tokenizer.model").write_bytes(model.SerializeToString())
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": len(model.pieces)}))
    return folder


def anygpt_strings(n_images: int = 8192, n_music: int = 8192) -> list[str]:
    """AnyGPT's added tokens in the order in which its training adds them."""
    turns = ["[Human]", "[MMGPT]", "<eoh>", "<eos>"]
    images = [*(f"<👀{number}>" for number in range(n_images)), "<soim>", "<eoim>"]
    speech = [*(f"<🗣️{number}>" for number in range(1024)), "<sosp>", "<eosp>"]
    music = [*(f"<🎶{number}>" for number in range(n_music)), "<somu>", "<eomu>"]
    return [*turns, *images, *speech, *music]


def usdm_strings(n_units: int = 10_000) -> list[str]:
    """USTM's and USDM's added tokens, in the order of their ids from 32000 on."""
    return ["<|continue|>", "<|correspond|>", *(f"<|unit{unit}|>" for unit in range(n_units)), "<pad>"]


def qwen_sims_folder(folder: Path, n_units: int = 500) -> Path:
    """SIMS's tokens after those of Qwen 2.5."""
    folder.mkdir(parents=True, exist_ok=True)
    size = write_qwen_tokenizer(folder, [*(f"<Un{unit}>" for unit in range(n_units)), "<speech>", "<text>"])
    (folder / "config.json").write_text(json.dumps({"model_type": "qwen2", "vocab_size": size}))
    return folder


def ichigo_folder(folder: Path, n_units: int = 513) -> Path:
    """Ichigo's tokens after those of Llama 3, numbers with four digits."""
    folder.mkdir(parents=True, exist_ok=True)
    sounds = (f"<|sound_{unit:04d}|>" for unit in range(n_units))
    size = write_llama3_tokenizer(folder, ["<|sound_start|>", "<|sound_end|>", *sounds])
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": size}))
    return folder
