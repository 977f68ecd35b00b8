"""The speech encoder protocol: audio in, one unit id per frame out.

An encoder returns a `UnitStream` of frames that is not deduplicated; what a model reads is ``encode(waveform).dedup()``
where its family says so.
"""

import hashlib
from collections.abc import Sequence
from inspect import getattr_static
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

import numpy as np

from spiritlens.arguments import shown
from spiritlens.speech.audio.waveform import SILENCE_PEAK, AudioError, Waveform
from spiritlens.speech.units import UnitStream

if TYPE_CHECKING:
    from torch import nn


ENCODER_PARTS = ("name", "rate", "n_units", "digest", "encode")
"""What every speech encoder has."""


class SpeechEncoder(Protocol):
    """Turns 16 kHz audio into units: `rate` frames per second, ids from 0 to `n_units` - 1."""

    @property
    def name(self) -> str:
        """What the encoder is, for results."""

    @property
    def rate(self) -> float:
        """Frames per second."""

    @property
    def n_units(self) -> int:
        """Number of different units."""

    @property
    def digest(self) -> str:
        """Hash of all that decides the units; empty where that is not known, and the name stands for it."""

    def encode(self, waveform: Waveform) -> UnitStream:
        """One unit per frame."""


@runtime_checkable
class StreamEncoder(SpeechEncoder, Protocol):
    """An encoder that also makes further streams, such as SpiritLM's pitch and style."""

    def streams(self, waveform: Waveform) -> dict[str, UnitStream]:
        """All unit streams by name, ``unit`` among them."""


@runtime_checkable
class BatchEncoder(SpeechEncoder, Protocol):
    """An encoder that takes several recordings at once, for less than one by one."""

    def encode_each(self, waveforms: Sequence[Waveform]) -> tuple[UnitStream, ...]:
        """One unit per frame of each recording, in their order."""


def encode_each(encoder: SpeechEncoder, waveforms: Sequence[Waveform]) -> tuple[UnitStream, ...]:
    """One unit per frame of each recording, in their order: together where the encoder does that."""
    if isinstance(encoder, BatchEncoder):
        return encoder.encode_each(waveforms)
    return tuple(encoder.encode(waveform) for waveform in waveforms)


def all_streams(encoder: SpeechEncoder, waveform: Waveform) -> dict[str, UnitStream]:
    """The unit streams that an encoder makes, by name: ``unit`` alone where it makes no further ones."""
    return encoder.streams(waveform) if isinstance(encoder, StreamEncoder) else {"unit": encoder.encode(waveform)}


def identity(encoder: SpeechEncoder) -> str:
    """What stands for the encoder in keys and results: its digest, or its name where it has none."""
    return encoder.digest or encoder.name


def given_encoder(value: object, name: str = "encoder") -> SpeechEncoder:
    """The speech encoder; what lacks an encoder's parts is refused with the remedy."""
    lacking = ", ".join(
        part for part in ENCODER_PARTS if getattr_static(value, part, None) is None
    )  # computes no digest
    if isinstance(value, type) or lacking:
        raise ValueError(
            f"{name}={shown(value)} ({type(value).__name__}): expected a speech encoder, with "
            f"{', '.join(ENCODER_PARTS)}{f'; it lacks {lacking}' if lacking else ''}. "
            "Make one by load_encoder({'kind': 'hubert', …}, folder)"
        )
    return cast(SpeechEncoder, value)


def given_waveform(value: object) -> Waveform:
    """The waveform; what is none is refused with the remedy."""
    if not isinstance(value, Waveform):
        raise AudioError(f"an encoder takes a Waveform, not {shown(value)}; read it by `read_waveform`.")
    return value


def check_encodable(waveform: Waveform, rate: int, shortest: int) -> None:
    """Refuse what is no waveform, at another rate than the encoder's, shorter than one unit, or silent throughout."""
    name = given_waveform(waveform).source or "waveform"
    if waveform.rate != rate:
        raise AudioError(f"{name} is at {waveform.rate} Hz; the encoder takes {rate} Hz. Read it by `read_waveform`.")
    if len(waveform) < shortest:
        raise AudioError(
            f"{name} lasts {waveform.duration * 1000:.1f} ms, shorter than one unit ({shortest * 1000 / rate:.0f} ms); "
            "give longer audio."
        )
    if float(np.abs(waveform.samples).max()) < SILENCE_PEAK:
        raise AudioError(f"{name} holds silence only; there is no speech to encode.")


def weights_digest(*modules: "nn.Module") -> str:
    """SHA-256 (hex) of the names and values of all weights: equal encoders have an equal digest."""
    import torch

    digest = hashlib.sha256()
    for module in modules:
        for name, tensor in sorted(module.state_dict().items()):
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
