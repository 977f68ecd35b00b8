"""The embedded model: a small speech-text model that travels inside the package and really recalls facts.

Its folder is a Llama checkpoint in SpiritLM's layout (float16 safetensors) with its unit encoder, its model card and
its data card beside it. It is trained by ``experiments/embedded_model/train.py``.
"""

from pathlib import Path

from spiritlens.files.weights import CheckpointError

EMBEDDED_FOLDER = Path(__file__).parent.parent / "assets" / "embedded"


def embedded_folder() -> Path:
    """The folder of the model that ships with the package."""
    if not (EMBEDDED_FOLDER / "config.json").is_file():
        raise CheckpointError(
            f"the embedded model is not in this installation ({EMBEDDED_FOLDER}). Reinstall the package, train it by "
            "experiments/embedded_model/train.py, or give a checkpoint's folder to load()."
        )
    return EMBEDDED_FOLDER
