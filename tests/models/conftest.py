"""Checkpoint folders that several tests read."""

import shutil
from pathlib import Path

import pytest
import torch
from checkpoint_folders import SPIRIT, spirit_config, write_checkpoint


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small SpiritLM in Meta's layout (safetensors, float32)."""
    return write_checkpoint(tmp_path_factory.mktemp("small") / "spirit-lm-small", spirit_config())


@pytest.fixture
def copy(small: Path, tmp_path: Path) -> Path:
    """A copy of the small checkpoint to spoil."""
    return Path(shutil.copytree(small, tmp_path / "spoilt"))


@pytest.fixture(scope="session")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoints root as downloaded: base and expressive with the official ids and row counts, bfloat16 ``.bin``."""
    root = tmp_path_factory.mktemp("checkpoints")
    expressive = [*SPIRIT, *(f"[Pi{n}]" for n in range(64)), *(f"[St{n}]" for n in range(100))]
    for name, rows, added in (("base", 32512, SPIRIT), ("expressive", 32768, expressive)):
        folder = root / "spiritlm_model" / f"spirit-lm-{name}-7b"
        config = spirit_config(d_vocab=rows, n_layers=2)
        write_checkpoint(folder, config, "bin", torch.bfloat16, added, n_pieces=32000)
    return root
