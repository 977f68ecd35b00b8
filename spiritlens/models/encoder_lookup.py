"""The speech encoder that belongs to a checkpoint: its model reads the units that it was trained on, or none at all.

Where it is looked for (`spiritlens.speech.encoders.loading.ENCODERS`, by the family's record): in the checkpoint's own
folder, as a Hugging Face HuBERT with centroids (``speech_encoder/``) or in the layout of the published files
(``speech_tokenizer/hubert_25hz/``; so the embedded model's); SpiritLM's also among the published files below
``$SPIRITLM_CHECKPOINTS_DIR``; the expressive model's in the official package, where it is installed. An encoder is
opened when it first encodes something.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from spiritlens.files.weights import CheckpointError
from spiritlens.prompts.vocabulary.family import Family
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.encoders.loading import ENCODERS, PUBLISHED, has_official_files, load_encoder
from spiritlens.speech.encoders.protocol import SpeechEncoder, all_streams, encode_each
from spiritlens.speech.units import UnitStream

ENCODER_FOLDERS = tuple(row.beside.parts[0] for row in ENCODERS if row.beside.parts)
"""What of a checkpoint's folder holds its encoder, in any layout."""


EXTERNAL = "external"
"""The kind of encoders that a family's record names and this package does not run."""


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
        return self.opened.digest

    def encode(self, waveform: Waveform) -> UnitStream:
        """One unit per frame."""
        return self.opened.encode(waveform)

    def encode_each(self, waveforms: Sequence[Waveform]) -> tuple[UnitStream, ...]:
        """One unit per frame of each recording."""
        return encode_each(self.opened, waveforms)

    def streams(self, waveform: Waveform) -> dict[str, UnitStream]:
        """All unit streams of the encoder, by name."""
        return all_streams(self.opened, waveform)


def encoder_of(folder: Path, family: Family) -> SpeechEncoder | None:
    """The speech encoder of a checkpoint folder, by its family's record; None where there is none."""
    if not family.has_speech:
        return None
    rows = [row for row in ENCODERS if row.belongs(family.encoder)]
    beside = next((folder / row.beside for row in rows if row.recognises(folder / row.beside)), None)
    if beside is None and not (family.encoder.get("name") == PUBLISHED and has_official_files(None)):
        return None
    name = str(family.encoder.get("name", family.encoder["kind"]))
    return DeferredEncoder(name, family.unit_rate, family.n_units, lambda: _opened(family, beside))


def encoder_remedy(family: Family) -> str:
    """What to do where a lens has no speech encoder: put in its files, run another's elsewhere, or ask in writing."""
    if not family.has_speech:
        return (
            f"its family, {family.name}, has no units: ask it in writing, by lens.text(...) or "
            "sl.prompts.writable(lens, facts), or load it with the family= whose units it reads"
        )
    if family.encoder.get("kind") == EXTERNAL:
        package = family.encoder.get("package", "a package of its own")
        return (
            f"its family's is {family.encoder['name']} ({package}), which is "
            "not run here. Encode the sound there and give the units by lens.units(...), or pass an object with "
            "encode, rate, n_units and name as encoder= to load"
        )
    return (
        "put the encoder's files into the checkpoint's folder, pass encoder= to load, or give units by lens.units(...)"
    )


def encode_streams(encoder: SpeechEncoder, family: Family, waveform: Waveform) -> dict[str, UnitStream]:
    """All unit streams of a waveform that the family writes, by name, per frame."""
    if not family.extra_streams:
        return {"unit": encoder.encode(waveform)}
    found = all_streams(encoder, waveform)
    if any(stream.name not in found for stream in family.extra_streams):
        named = ", ".join(stream.name for stream in family.extra_streams)
        raise ValueError(
            f"family '{family.name}' also writes {named} units, which encoder '{encoder.name}' does not make; use the "
            "official package's, load_encoder({'kind': 'spiritlm', 'flavour': 'expressive'}), as encoder="
        )
    return found


def _opened(family: Family, place: Path | None) -> SpeechEncoder:
    encoder = load_encoder(family.encoder, place)
    if encoder.n_units != family.n_units:
        raise CheckpointError(
            f"{place or 'the published encoder'}: the encoder makes {encoder.n_units} different units, the model's "
            f"vocabulary has {family.n_units}. Encoder and model must be of one checkpoint."
        )
    return encoder
