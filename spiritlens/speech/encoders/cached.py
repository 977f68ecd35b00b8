"""A cache of units by the content of the audio: a folder that can be deleted at any time.

The key is a hash of the samples and of the encoder (its digest, or its name where it has none), so that the same
recording under another name is encoded once, and a changed encoder starts afresh. A run that was stopped resumes.
"""

import contextlib
import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from spiritlens.arguments import shown
from spiritlens.files.atomic import write_cached
from spiritlens.files.cache import cache_folder
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.encoders.over import OverEncoder
from spiritlens.speech.encoders.protocol import (
    StreamEncoder,
    encode_each,
    given_encoder,
    given_waveform,
    identity,
)
from spiritlens.speech.units import UnitStream

FORMAT = "spiritlens.units/2"
PARTS = ("ids", "starts", "ends", "frames", "rate")


@dataclass(frozen=True)
class CachedEncoder(OverEncoder):
    """A speech encoder that looks into the cache before it encodes; it returns what the encoder itself would."""

    folder: Path = field(default_factory=lambda: cache_folder("units"))

    def __post_init__(self) -> None:
        given_encoder(self.encoder)
        if not isinstance(self.folder, (str, Path)):
            raise ValueError(f"folder={shown(self.folder)}: expected the path of a folder for the cache")
        object.__setattr__(self, "folder", Path(self.folder))

    def streams(self, waveform: Waveform) -> dict[str, UnitStream]:
        """All unit streams of the encoder by name, from the cache where they are there."""
        if not isinstance(self.encoder, StreamEncoder):
            return {"unit": self.encode(waveform)}
        encoder, path = self.encoder, self.path(given_waveform(waveform))
        return self._kept(path.with_name(f"{path.stem}.streams.npz"), lambda: encoder.streams(waveform))

    def encode(self, waveform: Waveform) -> UnitStream:
        """One unit per frame, from the cache where it is there."""
        path = self.path(given_waveform(waveform))
        return self._kept(path, lambda: {"unit": self.encoder.encode(waveform)})["unit"]

    def encode_each(self, waveforms: Sequence[Waveform]) -> tuple[UnitStream, ...]:
        """The units of each recording; where one is not in the cache, all are encoded together, so that what shares a
        batch depends on the call alone."""
        paths = [self.path(given_waveform(waveform)) for waveform in waveforms]
        there = [_read(path) for path in paths]
        if None in there:
            made = encode_each(self.encoder, waveforms)
            for place, path in enumerate(paths):
                if there[place] is None:
                    there[place] = {"unit": made[place]}
                    _write(path, {"unit": made[place]})
        return tuple(streams["unit"] for streams in there if streams is not None)

    def _kept(self, path: Path, make: Callable[[], dict[str, UnitStream]]) -> dict[str, UnitStream]:
        """The streams of a file; made and written where it is not there or not whole."""
        streams = _read(path)
        if streams is None:
            streams = make()
            _write(path, streams)
        return streams

    def path(self, waveform: Waveform) -> Path:
        """Where the units of this audio are kept."""
        key = hashlib.sha256(f"{FORMAT}:{identity(self.encoder)}:{waveform.digest}".encode()).hexdigest()[:32]
        return self.folder / key[:2] / f"{key}.npz"


def _read(path: Path) -> dict[str, UnitStream] | None:
    """The streams of a file; None where it is not there or not whole."""
    with contextlib.suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile), np.load(path) as arrays:
        return {str(name): _stream(arrays, str(name)) for name in arrays["streams"]}
    return None


def _write(path: Path, streams: Mapping[str, UnitStream]) -> None:
    """A file of streams; a folder that cannot be written costs only the cache."""
    parts = {f"{name} {part}": getattr(stream, part) for name, stream in streams.items() for part in PARTS}
    buffer = io.BytesIO()
    np.savez(buffer, streams=np.array(list(streams)), **parts)
    with contextlib.suppress(OSError):
        write_cached(path, buffer.getvalue())


def _stream(arrays: Mapping[str, np.ndarray], name: str) -> UnitStream:
    ids, starts, ends, frames, rate = (arrays[f"{name} {part}"] for part in PARTS)
    return UnitStream(ids, starts, ends, frames, float(rate))
