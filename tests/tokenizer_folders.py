"""Tokenizer files for small checkpoint folders of several tests: on the 2,000 pieces of tests/data, or byte-level."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

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
