"""Phones: one engine-neutral inventory in ARPAbet, lower case, and the tables that map each engine's names to it.

The inventory has 41 classes: ``pau`` (pause), 39 phones of ARPAbet as the CMU dictionary uses them, and ``ax`` (schwa),
which both flite and espeak-ng tell apart from ``ah``. Names that an engine uses and the inventory lacks map to None; a
`Phone` with label None takes time but stands for no class.

Sources: CMU phone set (flite, festival's ``radio``); espeak-ng's mnemonics of the English voices, listed by speaking
6,000 words of the CMU dictionary with each English accent of versions 1.51 and 1.52.
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

FLITE_EXTRA: dict[str, str] = {
    "axr": "er", "dx": "t", "el": "l", "em": "m", "en": "n", "hv": "hh", "nx": "n", "ssil": PAUSE, "brth": PAUSE,
    "h#": PAUSE, "#": PAUSE,
}  # fmt: skip
"""Names of flite and festival that are not in the inventory."""

ESPEAK: dict[str, str] = {
    "_": PAUSE, "_:": PAUSE, "_!": PAUSE, "_|": PAUSE,
    "a": "ae", "aa": "ae", "a#": "ax", "A:": "aa", "A@": "aa", "A~": "aa", "0": "aa", "0#": "aa", "V": "ah", "VR": "er",
    "@": "ax", "@2": "ax", "@5": "ax", "@-": "ax", "3": "er", "3:": "er", "ER": "er", "IR": "er",
    "E": "eh", "E#": "eh", "e": "eh", "e@": "eh", "I": "ih", "I2": "ih", "I#": "ih", "I3": "ih", "i": "iy", "i:": "iy",
    "i@": "ih", "i@3": "ih", "O": "ao", "O:": "ao", "O2": "ao", "O~": "ao", "O@": "ao", "o@": "ao",
    "o:": "ow", "o": "ow",
    "U": "uh", "U@": "uh", "u": "uw", "u:": "uw", "aI": "ay", "aI2": "ay", "aI3": "ay", "aI@": "ay", "aU": "aw",
    "aU@": "aw", "eI": "ey", "oU": "ow", "OI": "oy", "OI@": "oy",
    "p": "p", "b": "b", "t": "t", "t#": "t", "t2": "t", "t[": "t", "?": "t", "d": "d", "d#": "d", "d[": "d", "k": "k",
    "g": "g", "x": "k", "f": "f", "v": "v", "T": "th", "D": "dh", "s": "s", "z": "z", "S": "sh", "Z": "zh", "C": "hh",
    "h": "hh", "tS": "ch", "dZ": "jh", "m": "m", "m-": "m", "n": "n", "n-": "n", "N": "ng", "l": "l", "l#": "l",
    "L": "l", "@L": "l", "l-": "l", "r": "r", "r-": "r", "r/": "r", "R": "r", "R2": "r", "j": "y", "w": "w", "w#": "w",
}  # fmt: skip
"""espeak-ng mnemonics (stress marks removed)."""

ESPEAK_CONTINUES = frozenset({";", ":", "~", "-"})
"""Mnemonics that lengthen or colour the phone before them rather than being a phone."""

ESPEAK_R_COLOURED = frozenset({"A@", "e@", "i@3", "O@", "o@", "U@", "aI3"})
"""Vowels that hold an r in espeak-ng's rhotic accents (en-us)."""


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


def flite_phone(name: str) -> str | None:
    """The inventory's label of a phone name of flite or festival."""
    return name if name in PHONE_CLASS else FLITE_EXTRA.get(name)


def espeak_phone(mnemonic: str) -> str | None:
    """The inventory's label of an espeak-ng mnemonic, which may carry stress marks."""
    return ESPEAK.get(mnemonic.lstrip("',%=|"))


def phone_frames(phones: Sequence[Phone], n_frames: int, rate: float = 25.0) -> np.ndarray:
    """The class of the phone at the centre of each frame, -1 where there is none: int [frame]."""
    classes = np.full(n_frames, NO_CLASS, dtype=np.int64)
    centres = (np.arange(n_frames) + 0.5) / rate
    for phone in phones:
        if phone.label is not None:
            classes[(centres >= phone.start) & (centres < phone.end)] = PHONE_CLASS[phone.label]
    return classes
