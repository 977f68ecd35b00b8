"""Small SentencePiece models with any of SentencePiece's own settings, and the settings of a tokenizer beside them."""

import io
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import sentencepiece

SENTENCES = (
    "the capital of france is paris and the capital of italy is rome",
    "they were in new zealand and são paulo near the eiffel tower",
    "Paris is in France. Rome is in Italy. It was 2023; don't worry!",
)
MARKS = ("[Text]", "[Speech]", *(f"[Hu{unit}]" for unit in range(501)))


@cache
def _trained(settings: tuple[tuple[str, Any], ...]) -> bytes:
    made = io.BytesIO()
    options = {
        "vocab_size": 330,
        "model_type": "bpe",
        "byte_fallback": True,
        "character_coverage": 1.0,
        "hard_vocab_limit": False,
        "minloglevel": 2,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
    }
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 20), model_writer=made, **{**options, **dict(settings)}
    )
    return made.getvalue()


def piece_folder(folder: Path, **settings: Any) -> sentencepiece.SentencePieceProcessor:
    """Writes ``tokenizer.model`` into the folder; SentencePiece's own reading of it comes back."""
    folder.mkdir(parents=True, exist_ok=True)
    made = _trained(tuple(sorted(settings.items())))
    (folder / "tokenizer.model").write_bytes(made)
    return sentencepiece.SentencePieceProcessor(model_proto=made)


def write_settings(folder: Path, added: Sequence[str] = (), first: int = 0, **values: Any) -> None:
    """``tokenizer_config.json``, with added tokens as transformers' ``add_tokens`` writes them (``normalized``)."""
    flags = {"lstrip": False, "rstrip": False, "normalized": True, "single_word": False, "special": False}
    tokens = {str(first + number): {"content": token, **flags} for number, token in enumerate(added)}
    plain = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "legacy": False}
    listed = {"added_tokens_decoder": tokens} if tokens else {}
    (folder / "tokenizer_config.json").write_text(json.dumps({**plain, **listed, **values}))
