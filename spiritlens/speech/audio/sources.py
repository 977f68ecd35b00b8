"""What a recording may be given as: a path, a file's bytes, an open file, or samples with their rate.

Samples with a rate are a mapping with ``array`` and ``sampling_rate`` (as `datasets` decodes audio) or an object with
``get_all_samples()`` (torchcodec's `AudioDecoder`, which newer `datasets` give); a mapping with ``bytes`` or ``path``
is what they give undecoded. An array alone says no rate and is refused. Integers are divided by their type's full
scale, as libsndfile divides a file's; of two axes the shorter is the channels.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeAlias, cast

import numpy as np

from spiritlens.arguments import shown
from spiritlens.speech.audio.contents import AudioError

MOST_CHANNELS = 64
FULL_SCALES = {"int8": 2.0**7, "int16": 2.0**15, "int32": 2.0**31}
REMEDY = "give Waveform(samples, rate), its samples as one axis of floats in [-1, 1]"


class HasSamples(Protocol):
    """Audio that something else decodes, such as torchcodec's `AudioDecoder`."""

    def get_all_samples(self) -> Any:
        """Samples: ``data`` [channel time] and ``sample_rate``."""


RawSource: TypeAlias = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Mapping[str, Any] | HasSamples
)


@dataclass(frozen=True)
class Encoded:
    """A file's bytes, and what it is called in messages."""

    data: bytes
    name: str


@dataclass(frozen=True)
class Sampled:
    """Samples [time channel] as float32 at a rate that is not checked yet."""

    samples: np.ndarray
    rate: object
    name: str


def opened(source: RawSource) -> Encoded | Sampled:
    """The bytes or the samples of a source; an `AudioError` that says what to give instead of anything else."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return Encoded(bytes(source), "audio bytes")
    if isinstance(source, (str, os.PathLike)):
        return _of_path(source)
    if isinstance(source, Mapping):
        return _of_mapping(source)
    if callable(getattr(source, "get_all_samples", None)):
        return _of_decoder(cast(HasSamples, source))
    if hasattr(source, "__array__") or isinstance(source, (list, tuple)):
        raise AudioError(f"{type(source).__name__} of samples: an array says no rate; {REMEDY}.")
    if callable(getattr(source, "read", None)):
        return _of_stream(source)
    raise AudioError(
        f"audio is {shown(source)} ({type(source).__name__}); expected a path, a file's bytes, an open file, or a "
        "Waveform."
    )


def as_floats(values: Any, name: str) -> np.ndarray:
    """Samples of any kind of array as float32, integers divided by their type's full scale."""
    try:
        array = np.asarray(values)
    except Exception as error:  # torch refuses arrays that need gradients, lie on a GPU or are bfloat16
        raise AudioError(f"{name}: the samples cannot be read as an array ({error}); {REMEDY}.") from None
    if n_masked := int(np.count_nonzero(getattr(values, "mask", False))):  # numpy's masked arrays
        raise AudioError(f"{name}: {n_masked} samples are masked; fill or cut them, then {REMEDY}.")
    kind = array.dtype.name
    if kind in FULL_SCALES:
        return (array / FULL_SCALES[kind]).astype(np.float32)
    if kind == "uint8":
        return ((array.astype(np.float32)) - 128) / 128
    if not np.issubdtype(array.dtype, np.floating):
        raise AudioError(
            f"{name}: the samples are {kind}; expected floats in [-1, 1] or 8-, 16- or 32-bit integers. "
            "For a list of 16-bit integers: np.asarray(samples, 'int16')."
        )
    with np.errstate(over="ignore"):  # what becomes infinite is refused
        return array.astype(np.float32, copy=False)


def _of_path(source: str | os.PathLike[str]) -> Encoded:
    text = os.fspath(source)
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise AudioError(f"{shown(text)} is no path of an audio file; name one.")
    if "://" in text:
        raise AudioError(f"{text} is an address; download the file first and give its path.")
    path = Path(text)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise AudioError(f"{path} is a folder; name an audio file in it.")
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise AudioError(f"{path} is a device, no file; name an audio file.")
        return Encoded(path.read_bytes(), str(path))
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"{path}: no such audio file.") from None
    except OSError as error:
        raise AudioError(
            f"{shown(text)} cannot be opened ({error.strerror}); check its name and permissions."
        ) from None


def _of_mapping(source: Mapping[str, Any]) -> Encoded | Sampled:
    path, data = source.get("path"), source.get("bytes")
    if source.get("array") is not None:
        if source.get("sampling_rate") is None:
            raise AudioError(f"audio has an array but no sampling_rate: an array says no rate; {REMEDY}.")
        name = str(path or "audio array")
        return Sampled(_channels_last(as_floats(source["array"], name), name), source["sampling_rate"], name)
    if isinstance(data, (bytes, bytearray, memoryview)):
        return Encoded(bytes(data), str(path or "audio bytes"))
    if data is None and isinstance(path, (str, os.PathLike)):
        return _of_path(path)
    found = ", ".join(f"{key}: {shown(value, 30)}" for key, value in source.items())
    raise AudioError(
        f"audio is a mapping of {found or 'nothing'}; expected bytes, or a path, or an array with its sampling_rate."
    )


def _of_decoder(source: HasSamples) -> Sampled:
    name = type(source).__name__
    try:
        found = source.get_all_samples()
        data, rate = found.data, found.sample_rate
    except Exception as error:
        raise AudioError(f"{name} does not decode ({type(error).__name__}: {error}); {REMEDY}.") from None
    return Sampled(_channels_last(as_floats(data, name), name), rate, name)


def _of_stream(source: Any) -> Encoded:
    name = str(getattr(source, "name", "audio stream"))
    try:
        data = source.read()
    except Exception as error:
        raise AudioError(f"{name} cannot be read ({error}); open it anew: open(path, 'rb').") from None
    if isinstance(data, str):
        raise AudioError(f"{name} is opened as text; open it by open(path, 'rb').")
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise AudioError(f"{name}: read() gives {type(data).__name__}, not bytes; {REMEDY}.")
    if not data:
        raise AudioError(f"{name} gives 0 bytes from where it stands; go to its start first: seek(0).")
    return Encoded(bytes(data), name)


def _channels_last(samples: np.ndarray, name: str) -> np.ndarray:
    """Samples [time channel] from one axis, or from two of which the shorter is the channels."""
    if samples.ndim == 1:
        return samples[:, None]
    if samples.ndim == 2 and min(samples.shape) <= MOST_CHANNELS:
        return samples if samples.shape[0] >= samples.shape[1] else samples.T
    raise AudioError(
        f"{name}: samples have shape {samples.shape}; expected one axis (time), or two with at most {MOST_CHANNELS} "
        "channels."
    )
