"""The speech encoder that belongs to a checkpoint: its model hears with the units that it was trained on, or not at
all.

Where it is looked for: in the checkpoint's own folder, in the layout of the published files
(``speech_tokenizer/hubert_25hz/``; so the embedded model's) or as a Hugging Face HuBERT with centroids
(``speech_encoder/``); SpiritLM's also among the published files below ``$SPIRITLM_CHECKPOINTS_DIR``; that of families
with further streams (expressive) in the official package, where it is installed. An encoder is opened when it first
hears something.
"""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from spiritlens.files.weights import CheckpointError
from spiritlens.prompts.vocabulary.families import Family
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.encoders.protocol import SpeechEncoder
from spiritlens.speech.units import UnitStream

HUBERT_FOLDER = "speech_encoder"
ENCODER_FOLDERS = (HUBERT_FOLDER, "speech_tokenizer")
"""What of a checkpoint's folder holds its encoder, in either layout."""
PUBLISHED = "mhubert_base_25hz"
"""The encoder whose files Meta publishes beside SpiritLM."""
OFFICIAL_LAYOUT = (PUBLISHED, "embedded")
"""Encoders whose files are in that layout."""


class DeferredEncoder:
    """A speech encoder that is opened at its first use."""

    def __init__(self, name: str, rate: float, n_units: int, opening: Callable[[], SpeechEncoder]) -> None:
        self.name, self.rate, self.n_units = name, rate, n_units
        self._opening = opening

    @cached_property
    def opened(self) -> SpeechEncoder:
        """The encoder itself."""
        return self._opening()

    @property
    def digest(self) -> str:
        """The encoder's own hash of what decides its units; empty where it has none."""
        return str(getattr(self.opened, "digest", ""))

    @property
    def streams(self) -> Callable[[Waveform], dict[str, UnitStream]]:
        """The encoder's own way to all its unit streams, where it has further ones."""
        streams: Callable[[Waveform], dict[str, UnitStream]] = self.opened.streams  # type: ignore[attr-defined]
        return streams

    def encode(self, waveform: Waveform) -> UnitStream:
        """One unit per frame."""
        return self.opened.encode(waveform)


def encoder_of(folder: Path, family: Family) -> SpeechEncoder | None:
    """The speech encoder of a checkpoint folder, by its family's record; None where there is none."""
    if not family.has_speech:
        return None
    return _official(family) if family.extra_streams else _hubert(folder, family)


def encode_streams(encoder: SpeechEncoder, family: Family, waveform: Waveform) -> dict[str, UnitStream]:
    """All unit streams of a waveform that the family writes, by name, per frame."""
    if not family.extra_streams:
        return {"unit": encoder.encode(waveform)}
    streams = getattr(encoder, "streams", None)
    if streams is None:
        named = ", ".join(stream.name for stream in family.extra_streams)
        raise ValueError(
            f"family '{family.name}' also writes {named} units, which encoder '{encoder.name}' does not make; use the "
            "official package's (spiritlens.speech.encoders.official.load_official_units('expressive')) as encoder="
        )
    heard: dict[str, UnitStream] = streams(waveform)
    return heard


def _hubert(folder: Path, family: Family) -> SpeechEncoder | None:
    """The HuBERT beside the model, else SpiritLM's published one where the family is trained on it."""
    from spiritlens.speech.encoders.loading import OFFICIAL_FOLDER, official_files

    name, beside = str(family.encoder.get("name", "hubert")), folder / HUBERT_FOLDER
    place: Path | None = beside
    if not (beside / "config.json").is_file():
        place = folder / OFFICIAL_FOLDER if (folder / OFFICIAL_FOLDER).is_dir() else None
        if name not in OFFICIAL_LAYOUT or (place is None and name != PUBLISHED):
            return None
        try:
            official_files(place)
        except (FileNotFoundError, ValueError):
            return None
    return DeferredEncoder(name, family.unit_rate, family.n_units, lambda: _opened(family, place))


def _opened(family: Family, place: Path | None) -> SpeechEncoder:
    from spiritlens.speech.encoders.loading import load_encoder

    encoder = load_encoder(family.encoder, place)
    if encoder.n_units != family.n_units:
        raise CheckpointError(
            f"{place or 'the published encoder'}: the encoder makes {encoder.n_units} different units, the model's "
            f"vocabulary has {family.n_units}. Encoder and model must be of one checkpoint."
        )
    return encoder


def _official(family: Family) -> SpeechEncoder | None:
    from spiritlens.speech.encoders.official import load_official_units, official_installed, official_name

    if not official_installed():
        return None
    return DeferredEncoder(
        official_name("expressive"), family.unit_rate, family.n_units, lambda: load_official_units("expressive")
    )
