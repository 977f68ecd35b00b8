"""Tokenizer files for small checkpoint folders of several tests: on the 2,000 pieces of tests/data, or byte-level."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SMALL = Path(__file__).parent / "data" / "prompts" / "tokenizer_small"


def config_with_added(added: Sequence[str], first_id: int = 2000) -> dict[str, Any]:
    """The values of a `tokenizer_config.json` with these added tokens."""
    config: dict[str, Any] = json.loads((SMALL / "added_tokens" / "tokenizer_config.json").read_text())
    plain = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": False}
    tokens = {str(first_id + number): {"content": content, **plain} for number, content in enumerate(added)}
    return config | {"added_tokens_decoder": tokens}


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
    tokenizer.train_from_iterator(["the capital of new zealand is paris rome and they were in france"] * 3, trainer)
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


CORPUS = [
    "the capital of new zealand is paris rome Paris Wellington and they were in france The Capital Of user assistant"
]
QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3 = QWEN.replace(r"|\p{N}| ?", r"|\p{N}{1,3}| ?")
QWEN_SPECIAL = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>"),
    *("<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"),
    *("<|image_pad|>", "<|video_pad|>"),
)
"""Qwen 2.5's special tokens, in the order of their ids; those that follow are added and not special."""
QWEN_ADDED = (
    *("<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>"),
    *("<|repo_name|>", "<|file_sep|>"),
)


def _byte_level(split: str) -> Tokenizer:
    """A byte-level BPE of 320 pieces that splits texts by a pattern, as Qwen's and Llama 3's do."""
    tokenizer = Tokenizer(models.BPE())
    cut = pre_tokenizers.Split(Regex(split), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [cut, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=320, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(CORPUS * 3, trainer)
    return tokenizer


def _add(tokenizer: Tokenizer, tokens: Sequence[str], special: bool) -> None:
    tokenizer.add_tokens([AddedToken(token, special=special, normalized=False) for token in tokens])


def _save(folder: Path, tokenizer: Tokenizer, settings: dict[str, Any]) -> int:
    """The files that transformers 4 saves of a fast tokenizer, but for its older vocab.json and merges.txt."""
    tokenizer.save(str(folder / "tokenizer.json"))
    flags = ("lstrip", "rstrip", "normalized", "single_word", "special")
    added = {
        str(index): {"content": token.content, **{flag: getattr(token, flag) for flag in flags}}
        for index, token in sorted(tokenizer.get_added_tokens_decoder().items())
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"added_tokens_decoder": added}))
    listed = {token["content"]: int(index) for index, token in added.items()}
    (folder / "added_tokens.json").write_text(json.dumps(listed))
    named = {name: settings[name] for name in ("bos_token", "eos_token", "pad_token") if settings.get(name)}
    (folder / "special_tokens_map.json").write_text(json.dumps(named))
    return int(tokenizer.get_vocab_size())


def write_qwen_tokenizer(folder: Path, added: Sequence[str]) -> int:
    """Qwen 2.5's layout: texts in NFC, no beginning-of-sequence token, its own added tokens before the units."""
    tokenizer = _byte_level(QWEN)
    tokenizer.normalizer = normalizers.NFC()
    _add(tokenizer, QWEN_SPECIAL, special=True)
    _add(tokenizer, [*QWEN_ADDED, *added], special=False)
    settings = {
        "tokenizer_class": "Qwen2Tokenizer",
        "add_bos_token": False,
        "add_prefix_space": False,
        "errors": "replace",
    }
    named = {"bos_token": None, "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "unk_token": None}
    further = {"additional_special_tokens": list(QWEN_SPECIAL[1:]), "split_special_tokens": False}
    return _save(folder, tokenizer, {**settings, **named, **further, "model_max_length": 131072})


def write_llama3_tokenizer(folder: Path, added: Sequence[str]) -> int:
    """Llama 3's layout: 256 special tokens after the pieces, most of them reserved, then what was added later."""
    tokenizer = _byte_level(LLAMA3)
    named = {
        0: "<|begin_of_text|>",
        1: "<|end_of_text|>",
        6: "<|start_header_id|>",
        7: "<|end_header_id|>",
        9: "<|eot_id|>",
    }
    special = [named.get(place, f"<|reserved_special_token_{place}|>") for place in range(256)]
    _add(tokenizer, special, special=True)
    _add(tokenizer, added, special=False)
    bos = (special[0], tokenizer.token_to_id(special[0]))
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{special[0]} $A", special_tokens=[bos])
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": True}
    return _save(folder, tokenizer, settings | {"bos_token": special[0], "eos_token": "<|eot_id|>"})
