"""Checkpoint folders without weights in each family's format, all on the 2,000 pieces of tests/data/prompts."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from sentencepiece import sentencepiece_model_pb2
from tokenizer_folders import SMALL, config_with_added, write_byte_level_tokenizer


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
