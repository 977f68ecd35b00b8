"""A cache of units by the content of the audio: a folder that can be deleted at any time.

The key is a hash of the samples and of the encoder (its digest, or its name where it has none), so that the same
recording under another name is encoded once, and a changed encoder starts afresh. A run that was stopped resumes.
"""

import contextlib
import hashlib
import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from spiritlens.arguments import shown
from spiritlens.files.atomic import write_whole
from spiritlens.files.cache import cache_folder
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.encoders.protocol import (
    SpeechEncoder,
    StreamEncoder,
    given_encoder,
    given_waveform,
    identity,
)
from spiritlens.speech.units import UnitStream

FORMAT = "spiritlens.units/1"
ARRAYS = ("ids", "starts", "ends", "frames")


@dataclass(frozen=True)
class CachedEncoder:
    """A speech encoder that looks into the cache before it encodes; it returns what the encoder itself would."""

    encoder: SpeechEncoder
    folder: Path = field(default_factory=lambda: cache_folder("units"))

    def __post_init__(self) -> None:
        given_encoder(self.encoder)
        if not isinstance(self.folder, (str, Path)):
            raise ValueError(f"folder={shown(self.folder)}: expected the path of a folder for the cache")
        object.__setattr__(self, "folder", Path(self.folder))

    @property
    def name(self) -> str:
        """Name of the encoder."""
        return self.encoder.name

    @property
    def rate(self) -> float:
        """Frames per second."""
        return self.encoder.rate

    @property
    def n_units(self) -> int:
        """Number of different units."""
        return self.encoder.n_units

    @property
    def digest(self) -> str:
        """The encoder's own."""
        return self.encoder.digest

    def streams(self, waveform: Waveform) -> dict[str, UnitStream]:
        """All unit streams of the encoder; only a ``unit`` that stands alone is cached."""
        return (
            self.encoder.streams(waveform)
            if isinstance(self.encoder, StreamEncoder)
            else {"unit": self.encode(waveform)}
        )

    def encode(self, waveform: Waveform) -> UnitStream:
        """One unit per frame, from the cache where it is there."""
        path = self.path(given_waveform(waveform))
        with contextlib.suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile), np.load(path) as arrays:
            ids, starts, ends, frames = (arrays[name] for name in ARRAYS)
            return UnitStream(ids, starts, ends, frames, self.rate)
        units = self.encoder.encode(waveform)
        buffer = io.BytesIO()
        np.savez(buffer, **{name: getattr(units, name) for name in ARRAYS})
        with contextlib.suppress(OSError):
            write_whole(path, buffer.getvalue())
        return units

    def path(self, waveform: Waveform) -> Path:
        """Where the units of this audio are kept."""
        key = hashlib.sha256(f"{FORMAT}:{identity(self.encoder)}:{waveform.digest}".encode()).hexdigest()[:32]
        return self.folder / key[:2] / f"{key}.npz"
