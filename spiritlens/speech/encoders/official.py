"""SpiritLM's own package as a peer: its speech tokenizer behind this package's types.

The package ``spiritlm`` (noncommercial licence, gated checkpoints) is imported only when asked for. `OfficialUnits` is
a `StreamEncoder` made of its speech tokenizer; `streams` also gives the pitch (12.5 a second) and style (1 a second)
units of the expressive one; `compare_encoders` says where two encoders differ on a recording.

The package gives one unit per frame, without times. Frames are dated as its code cuts the audio: chunks of 100 s give
2499 frames of 40 ms each.
"""

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from spiritlens.arguments import check_choice, shown, told_keywords
from spiritlens.speech.audio.waveform import RATE, Waveform
from spiritlens.speech.encoders.hubert import CHUNK_SECONDS, SHORTEST_TAIL
from spiritlens.speech.encoders.protocol import SpeechEncoder, check_encodable, given_encoder
from spiritlens.speech.units import UnitStream

Flavour = Literal["base", "expressive"]
FRAMES_PER_CHUNK = 2499
RATES = {"unit": 25.0, "pitch": 12.5, "style": 1.0}
STREAM_OF_KEY = {"hubert": "unit", "pitch": "pitch", "style": "style"}
"""This package's stream names by the official package's keys."""

HOW_TO_GET = (
    "SpiritLM's own package is not installed; get it by `pip install git+https://github.com/facebookresearch/spiritlm` "
    "and its checkpoints on request from Meta (FAIR Noncommercial Research License: no commercial use)."
)


class OfficialPackageMissing(ImportError):
    """The package ``spiritlm`` is not installed; the message says how to get it."""


def official_installed() -> bool:
    """Whether the package ``spiritlm`` can be imported."""
    return importlib.util.find_spec("spiritlm") is not None


def official_name(flavour: Flavour) -> str:
    """The name of the official speech tokenizer as an encoder."""
    return f"spiritlm_{flavour} (official package)"


def _official(module: str) -> Any:
    if not official_installed():
        raise OfficialPackageMissing(HOW_TO_GET)
    return importlib.import_module(module)


def load_official_units(flavour: Flavour = "base") -> "OfficialUnits":
    """The official speech tokenizer, from the checkpoints that ``SPIRITLM_CHECKPOINTS_DIR`` names."""
    check_choice("flavour", flavour, Flavour)
    tokenizers = _official("spiritlm.speech_tokenizer")
    make = tokenizers.spiritlm_base if flavour == "base" else tokenizers.spiritlm_expressive
    return OfficialUnits(make(), flavour)


class OfficialUnits:
    """A `StreamEncoder` made of the official speech tokenizer; its weights are not seen, so that it has no digest."""

    rate = RATES["unit"]
    n_units = 501
    digest = ""

    def __init__(self, tokenizer: Any, flavour: Flavour = "base") -> None:
        self.tokenizer, self.name = tokenizer, official_name(flavour)

    def encode(self, waveform: Waveform) -> UnitStream:
        """One HuBERT unit per frame, not deduplicated."""
        return self.streams(waveform)["unit"]

    def streams(self, waveform: Waveform) -> dict[str, UnitStream]:
        """All unit streams by name: ``unit``, and ``pitch`` and ``style`` of the expressive tokenizer."""
        check_encodable(waveform, RATE, SHORTEST_TAIL)
        answer = self.tokenizer.encode_units(torch.from_numpy(np.array(waveform.samples)))
        return streams_of_answer(answer)


def streams_of_answer(answer: Mapping[str, Any]) -> dict[str, UnitStream]:
    """Unit streams of the official package's dictionary of space-separated units per frame."""
    streams = {}
    for key, stream in STREAM_OF_KEY.items():
        if key in answer:
            ids = np.array([int(unit) for unit in str(answer[key]).split()], dtype=np.int64)
            streams[stream] = _dated(ids) if stream == "unit" else UnitStream.from_frames(ids, RATES[stream])
    if "unit" not in streams:
        raise ValueError(f"the official tokenizer gave {sorted(map(str, answer))}; expected a 'hubert' entry.")
    return streams


def _dated(ids: np.ndarray) -> UnitStream:
    chunk, frame = np.divmod(np.arange(len(ids)), FRAMES_PER_CHUNK)
    starts = np.round(chunk * CHUNK_SECONDS + frame / RATES["unit"], 9)
    return UnitStream(ids, starts, np.round(starts + 1 / RATES["unit"], 9), np.ones(len(ids), np.int64), RATES["unit"])


@dataclass(frozen=True)
class EncoderComparison:
    """Two encoders on one recording: frames of each, frames that agree, and the time of the first that does not."""

    first: str
    second: str
    n_frames: tuple[int, int]
    n_equal: int
    first_difference: float | None

    @property
    def identical(self) -> bool:
        """Whether all units are equal."""
        return self.n_frames[0] == self.n_frames[1] == self.n_equal

    def __str__(self) -> str:
        names = f"{self.first} and {'another of that name' if self.first == self.second else self.second}"
        if self.identical:
            return f"{names}: all {self.n_equal} frames equal"
        where = "" if self.first_difference is None else f", first difference at {self.first_difference:.2f} s"
        one, other = self.n_frames
        return f"{names}: {self.n_equal} frames equal of {one} and {other}{where}"


@told_keywords
def compare_encoders(first: SpeechEncoder, second: SpeechEncoder, waveform: Waveform) -> EncoderComparison:
    """Encode `waveform` by both and compare frame by frame.

    Returns how many frames agree, of how many, and where they differ. Raises ValueError for a waveform that either
    cannot encode.
    """
    given_encoder(first, "first")
    given_encoder(second, "second")
    if not isinstance(waveform, Waveform):
        raise ValueError(f"waveform={shown(waveform)}: expected a Waveform; make one by read_waveform(path)")
    one, other = first.encode(waveform), second.encode(waveform)
    if one.rate != other.rate:
        raise ValueError(
            f"{first.name} gives {one.rate:g} frames a second, {second.name} {other.rate:g}: they cannot be compared "
            "frame by frame; give encoders of one rate"
        )
    shared = min(len(one), len(other))
    equal = one.ids[:shared] == other.ids[:shared]
    differing = np.flatnonzero(~equal)
    if len(differing):
        moment: float | None = float(one.starts[differing[0]])
    elif len(one) != len(other):
        moment = float((one if len(one) > shared else other).starts[shared])
    else:
        moment = None
    return EncoderComparison(first.name, second.name, (len(one), len(other)), int(equal.sum()), moment)
