"""Small vocabularies in each family's format, all on the 2,000 pieces of tests/data/prompts, and a spoken sentence."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from spiritlens.prompts.vocabulary import Vocabulary
from spiritlens.speech.alignment import WordInterval
from spiritlens.speech.units import UnitStream

DATA = Path(__file__).parents[1] / "data" / "prompts" / "tokenizer_small"
SENTENCE = ("the", "capital", "of", "new", "zealand", "is")


def llama_folder(folder: Path, added: Sequence[str], legacy: bool = True, rows: int | None = None) -> Path:
    """A checkpoint folder without weights: the 2,000 pieces, and added tokens in the config."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(DATA / "added_tokens" / "tokenizer.model", folder)
    config = json.loads((DATA / "added_tokens" / "tokenizer_config.json").read_text())
    plain = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": False}
    tokens = {str(2000 + index): {"content": content, **plain} for index, content in enumerate(added)}
    config |= {"added_tokens_decoder": tokens, "legacy": legacy}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    rows = 2000 + len(added) if rows is None else rows
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": rows}))
    return folder


def spirit_strings(n_units: int = 501) -> list[str]:
    return ["[Text]", "[Speech]", *(f"[Hu{unit}]" for unit in range(n_units))]


def sims_folder(folder: Path, n_units: int = 500) -> Path:
    """A byte-level tokenizer of the Llama-3 kind (tokenizer.json only) with SIMS's tokens in their order."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<|begin_of_text|>", "<|end_of_text|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["the capital of new zealand is paris rome and they were"] * 3, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|begin_of_text|> $A",
        special_tokens=[("<|begin_of_text|>", tokenizer.token_to_id("<|begin_of_text|>"))],
    )
    tokenizer.add_tokens([*(f"<Un{unit}>" for unit in range(n_units)), "<speech>", "<text>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|begin_of_text|>",
        "eos_token": "<|end_of_text|>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": tokenizer.get_vocab_size()}))
    return folder


def spire_folder(folder: Path, n_units: int = 50) -> Path:
    """Units as ordinary single-character pieces of the private use area, after five control pieces."""
    folder.mkdir(parents=True, exist_ok=True)
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString((DATA / "added_tokens" / "tokenizer.model").read_bytes())
    score = model.pieces[-1].score
    controls = [(name, 4) for name in ("<CLS>", "<EOD>", "<MASK>", "<PAD>", "<SEP>")]
    units = [(chr(0xF0000 + unit), 1) for unit in range(n_units)]
    for order, (piece, kind) in enumerate(controls + units, 1):
        model.pieces.add(piece=piece, score=score - order, type=kind)
    (folder / "tokenizer.model").write_bytes(model.SerializeToString())
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": len(model.pieces)}))
    return folder


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("vocabularies")
    expressive = [*spirit_strings(), *(f"[Pi{n}]" for n in range(64)), *(f"[St{n}]" for n in range(100))]
    embedded = llama_folder(root / "embedded", spirit_strings(90), legacy=False, rows=2096)
    record = {
        "family": "embedded",
        "n_units": 90,
        "encoder": {"kind": "mel_units", "config": "encoder.json"},
        "untrained_ids": list(range(3, 259)),  # the byte pieces
    }
    (embedded / "spiritlens.json").write_text(json.dumps(record))
    return {
        "user_defined": DATA / "user_defined",
        "added_tokens": DATA / "added_tokens",
        "padded": llama_folder(root / "padded", spirit_strings(), rows=2512),
        "expressive": llama_folder(root / "expressive", expressive, rows=2768),
        "embedded": embedded,
        "sims": sims_folder(root / "sims"),
        "speechgpt": llama_folder(root / "speechgpt", [*(f"<{n}>" for n in range(1000)), "<sosp>", "<eosp>"]),
        "spire": spire_folder(root / "spire"),
        "text": llama_folder(root / "text", []),
    }


@pytest.fixture(scope="session")
def vocabularies(folders: dict[str, Path]) -> dict[str, Vocabulary]:
    return {name: Vocabulary.load(folder) for name, folder in folders.items()}


@pytest.fixture(scope="session")
def spirit(vocabularies: dict[str, Vocabulary]) -> Vocabulary:
    """SpiritLM with markers inside tokenizer.model and no padding."""
    return vocabularies["user_defined"]


@pytest.fixture(scope="session")
def embedded(vocabularies: dict[str, Vocabulary]) -> Vocabulary:
    return vocabularies["embedded"]


@pytest.fixture
def words() -> list[WordInterval]:
    """Six words of 0.24 s each from 0.12 s on: silence of 0.12 s before and after."""
    return [WordInterval(word, 0.12 + 0.24 * n, 0.36 + 0.24 * n) for n, word in enumerate(SENTENCE)]


@pytest.fixture
def units() -> UnitStream:
    """Forty-two frames of 40 ms; every unit lasts two frames: three silent frames, six per word, three silent ones."""
    return UnitStream.from_frames(np.repeat(np.arange(21), 2), rate=25.0)
