"""The text pieces, documents of tiny facts, and the result of the smoke recipe."""

from pathlib import Path

import pytest
import tyro
from spoken_lines import FACTS, N_UNITS, ROOT, spoken_lines

from experiments.embedded_model import train
from experiments.embedded_model.language_model.documents import Documents, TokenIds
from experiments.embedded_model.language_model.pieces import train_pieces
from experiments.embedded_model.settings import SMOKE
from spiritlens.speech.audio.waveform import Waveform, read_waveform


@pytest.fixture(scope="session")
def recording() -> Waveform:
    return read_waveform(ROOT / "tests" / "data" / "speech" / "librispeech_7143-88743-0029.flac")


@pytest.fixture(scope="session")
def pieces() -> bytes:
    return train_pieces(FACTS)


@pytest.fixture(scope="session")
def ids(pieces: bytes) -> TokenIds:
    return TokenIds(pieces, N_UNITS)


@pytest.fixture
def documents(ids: TokenIds) -> Documents:
    return Documents(FACTS, spoken_lines(FACTS), ids, SMOKE.documents, unit_noise=0.0, seed=0)


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a whole smoke recipe: one command line, all stages."""
    out = tmp_path_factory.mktemp("recipe")
    options = ["--out", str(out), "--preset", "smoke", "--workers", "1", "--threads", "1"]
    train.main(tyro.cli(train.Arguments, args=options))
    return out
