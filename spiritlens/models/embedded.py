"""The embedded model's folder, and the speech encoder that a checkpoint folder names.

The package ships a small speech-text model that really recalls facts in both modalities: a Llama checkpoint in
SpiritLM's layout with its unit encoder beside it (``encoder.safetensors``, ``encoder.json``). `encoder_of` opens such
an encoder; families whose encoder is a HuBERT get theirs from the files that their package ships.
"""

from pathlib import Path

from spiritlens.models.weight_files import CheckpointError
from spiritlens.prompts.families import Family
from spiritlens.speech.encoders import SpeechEncoder

EMBEDDED_FOLDER = Path(__file__).parent.parent / "assets" / "embedded"
MEL_ENCODER_FILE = "encoder.safetensors"


def embedded_folder() -> Path:
    """The folder of the model that ships with the package."""
    if not (EMBEDDED_FOLDER / "config.json").is_file():
        raise CheckpointError(
            f"the embedded model is not in this installation ({EMBEDDED_FOLDER}). Reinstall the package, train it by "
            "experiments/train_embedded_model.py, or give a checkpoint's folder to load()."
        )
    return EMBEDDED_FOLDER


def encoder_of(folder: Path, family: Family) -> SpeechEncoder | None:
    """The speech encoder in a checkpoint's folder; None where the folder has none."""
    if not family.has_speech or not (folder / MEL_ENCODER_FILE).is_file():
        return None
    from spiritlens.speech.embedded_units import load_mel_units

    encoder = load_mel_units(folder)
    if encoder.n_units != family.n_units:
        raise CheckpointError(
            f"{folder}: the encoder makes {encoder.n_units} different units, the model's vocabulary has "
            f"{family.n_units}. Encoder and model must be of one checkpoint."
        )
    return encoder
