"""The speech encoder that belongs to a checkpoint: its model hears with the units that it was trained on, or not at
all.

Where it is looked for, by the family's record: ``mel`` in the checkpoint's own folder (``encoder.safetensors``);
``hubert`` in its subfolder ``speech_encoder/`` (a Hugging Face HuBERT with centroids), SpiritLM's also among the
published files below ``$SPIRITLM_CHECKPOINTS_DIR``; families with further streams (expressive) through the official
package, where it is installed. A large encoder is opened when it first hears something.
"""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from spiritlens.models.weight_files import CheckpointError
from spiritlens.prompts.families import Family
from spiritlens.speech.encoders import SpeechEncoder
from spiritlens.speech.units import UnitStream
from spiritlens.speech.waveform import Waveform

MEL_FILE = "encoder.safetensors"
HUBERT_FOLDER = "speech_encoder"
PUBLISHED = "mhubert_base_25hz"
"""The encoder whose files Meta publishes beside SpiritLM."""


class DeferredEncoder:
    """A speech encoder that is opened at its first use."""

    def __init__(self, name: str, rate: float, n_units: int, opening: Callable[[], SpeechEncoder]) -> None:
        self.name, self.rate, self.n_units = name, rate, n_units
        self._opening = opening

    @cached_property
    def opened(self) -> SpeechEncoder:
        """The encoder itself."""
        return self._opening()

    def encode(self, waveform: Waveform) -> UnitStream:
        """One unit per frame."""
        return self.opened.encode(waveform)


def encoder_of(folder: Path, family: Family) -> SpeechEncoder | None:
    """The speech encoder of a checkpoint folder, by its family's record; None where there is none."""
    kind = family.encoder.get("kind")
    if not family.has_speech:
        return None
    if family.extra_streams:
        return _official(family)
    if kind == "hubert":
        return _hubert(folder, family)
    return _mel(folder, family) if (folder / MEL_FILE).is_file() else None


def hear_streams(encoder: SpeechEncoder, family: Family, waveform: Waveform) -> dict[str, UnitStream]:
    """All unit streams of a waveform that the family writes, by name, per frame."""
    opened = encoder.opened if isinstance(encoder, DeferredEncoder) else encoder
    if not family.extra_streams:
        return {"unit": opened.encode(waveform)}
    streams = getattr(opened, "streams", None)
    if streams is None:
        named = ", ".join(stream.name for stream in family.extra_streams)
        raise ValueError(
            f"family '{family.name}' also writes {named} units, which encoder '{opened.name}' does not make; use the "
            "official package's (spiritlens.speech.official.load_official_units('expressive')) as encoder="
        )
    heard: dict[str, UnitStream] = streams(waveform)
    return heard


def _mel(folder: Path, family: Family) -> SpeechEncoder:
    from spiritlens.speech.embedded_units import load_mel_units

    encoder = load_mel_units(folder)
    if encoder.n_units != family.n_units:
        raise CheckpointError(
            f"{folder}: the encoder makes {encoder.n_units} different units, the model's vocabulary has "
            f"{family.n_units}. Encoder and model must be of one checkpoint."
        )
    return encoder


def _hubert(folder: Path, family: Family) -> SpeechEncoder | None:
    """The HuBERT beside the model, else SpiritLM's published one where the family is trained on it."""
    from spiritlens.speech.hubert import official_files
    from spiritlens.speech.loading import load_encoder

    name, place = str(family.encoder.get("name", "hubert")), folder / HUBERT_FOLDER
    if (place / "config.json").is_file():
        return DeferredEncoder(name, family.unit_rate, family.n_units, lambda: load_encoder(family.encoder, place))
    if name != PUBLISHED:
        return None
    try:
        official_files()
    except (FileNotFoundError, ValueError):
        return None
    return DeferredEncoder(name, family.unit_rate, family.n_units, lambda: load_encoder(family.encoder))


def _official(family: Family) -> SpeechEncoder | None:
    from spiritlens.speech.official import load_official_units, official_installed

    if not official_installed():
        return None
    return DeferredEncoder(
        "official package", family.unit_rate, family.n_units, lambda: load_official_units("expressive")
    )
