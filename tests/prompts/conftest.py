"""Small vocabularies in each family's format, all on the 2,000 pieces of tests/data/prompts, and a spoken sentence."""

import json
from pathlib import Path

import numpy as np
import pytest
from family_folders import (
    anygpt_strings,
    ichigo_folder,
    llama_folder,
    qwen_sims_folder,
    sims_folder,
    spire_folder,
    spirit_strings,
    usdm_strings,
)
from tokenizer_folders import SMALL

from spiritlens.prompts.vocabulary.vocabulary import Vocabulary
from spiritlens.speech.units import UnitStream
from spiritlens.speech.words import WordInterval

SENTENCE = ("the", "capital", "of", "new", "zealand", "is")


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("vocabularies")
    expressive = [*spirit_strings(), *(f"[Pi{n}]" for n in range(64)), *(f"[St{n}]" for n in range(100))]
    embedded = llama_folder(root / "embedded", spirit_strings(90), legacy=False, rows=2096)
    record = {
        "family": "embedded",
        "n_units": 90,
        "encoder": {"kind": "hubert", "layer": 3},
        "untrained_ids": list(range(3, 259)),  # the byte pieces
    }
    (embedded / "spiritlens.json").write_text(json.dumps(record))
    usdm = llama_folder(root / "usdm", usdm_strings(600))
    (usdm / "spiritlens.json").write_text(json.dumps({"family": "usdm", "n_units": 600}))
    com = llama_folder(root / "speechgpt-com", [*(f"<{n}>" for n in range(1000)), "<sosp>", "<eosp>"])
    (com / "spiritlens.json").write_text(json.dumps({"family": "speechgpt-com"}))
    return {
        "user_defined": SMALL / "user_defined",
        "added_tokens": SMALL / "added_tokens",
        "padded": llama_folder(root / "padded", spirit_strings(), rows=2512),
        "expressive": llama_folder(root / "expressive", expressive, rows=2768),
        "embedded": embedded,
        "sims": sims_folder(root / "sims"),
        "speechgpt": llama_folder(root / "speechgpt", [*(f"<{n}>" for n in range(1000)), "<sosp>", "<eosp>"]),
        "spire": spire_folder(root / "spire"),
        "sims-qwen": qwen_sims_folder(root / "sims-qwen"),
        "ustm": llama_folder(root / "ustm", usdm_strings(600)),
        "usdm": usdm,
        "ichigo": ichigo_folder(root / "ichigo"),
        "anygpt": llama_folder(root / "anygpt", anygpt_strings(20, 30)),
        "speechgpt-com": com,
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
