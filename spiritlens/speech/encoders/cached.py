"""A cache of units by the content of the audio: a folder that can be deleted at any time.

The key is a hash of the samples and of the encoder (its weights, where it tells them), so that the same recording under
another name is encoded once, and a changed encoder starts afresh. A run that was stopped goes on where it stood.
"""

import contextlib
import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from spiritlens.arguments import shown
from spiritlens.files.atomic import write_whole
from spiritlens.files.cache import cache_folder
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.encoders.protocol import SpeechEncoder, given_encoder, given_waveform
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
    def streams(self) -> Callable[[Waveform], dict[str, UnitStream]]:
        """The encoder's own way to all its unit streams, where it has further ones; they are not cached."""
        streams: Callable[[Waveform], dict[str, UnitStream]] = self.encoder.streams  # type: ignore[attr-defined]
        return streams

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
        identity = getattr(self.encoder, "digest", "") or self.encoder.name
        key = hashlib.sha256(f"{FORMAT}:{identity}:{waveform.digest}".encode()).hexdigest()[:32]
        return self.folder / key[:2] / f"{key}.npz"
