"""Phones: one engine-neutral inventory in ARPAbet, lower case, to which each engine maps its own names.

The inventory has 41 classes: ``pau`` (pause), 39 phones of ARPAbet as the CMU dictionary uses them, and ``ax`` (schwa),
which both flite and espeak-ng keep apart from ``ah``. Names that an engine uses and the inventory lacks map to None; a
`Phone` with label None takes time but stands for no class.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PAUSE = "pau"
PHONES: tuple[str, ...] = (
    PAUSE, "aa", "ae", "ah", "ao", "aw", "ax", "ay", "b", "ch", "d", "dh", "eh", "er", "ey", "f", "g", "hh", "ih", "iy",
    "jh", "k", "l", "m", "n", "ng", "ow", "oy", "p", "r", "s", "sh", "t", "th", "uh", "uw", "v", "w", "y", "z", "zh",
)  # fmt: skip
"""The inventory; a phone's class is its index here."""

PHONE_CLASS: dict[str, int] = {label: index for index, label in enumerate(PHONES)}

NO_CLASS = -1
"""Class of a frame whose phone is unknown or that lies outside of the audio."""


@dataclass(frozen=True)
class Phone:
    """A phone of the inventory (None: a sound outside of it), from `start` to `end` seconds."""

    label: str | None
    start: float
    end: float

    def __post_init__(self) -> None:
        if self.label is not None and self.label not in PHONE_CLASS:
            raise ValueError(
                f"phone {self.label!r} is not in the inventory; expected one of {' '.join(PHONES)} or None."
            )
        if not 0 <= self.start <= self.end:
            raise ValueError(
                f"phone {self.label!r} runs from {self.start} to {self.end} s; expected 0 <= start <= end."
            )


def phone_frames(phones: Sequence[Phone], n_frames: int, rate: float = 25.0) -> np.ndarray:
    """The class of the phone at the centre of each frame, -1 where there is none: int [frame]."""
    classes = np.full(n_frames, NO_CLASS, dtype=np.int64)
    centres = (np.arange(n_frames) + 0.5) / rate
    for phone in phones:
        if phone.label is not None:
            classes[(centres >= phone.start) & (centres < phone.end)] = PHONE_CLASS[phone.label]
    return classes
