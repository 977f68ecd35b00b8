"""The sound that a fact brings: a recording of one of its phrasings in one voice.

Minimal for now: the readers of spoken sets fill in what audio and words may be.
"""

from dataclasses import dataclass
from typing import Any

from spiritlens.arguments import written


@dataclass(frozen=True)
class FactSound:
    """One utterance of a fact: who speaks it, which phrasing, the audio (a path, bytes, an array), its words' times."""

    voice: str
    phrasing: str
    audio: Any
    words: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        written("voice of a sound", self.voice, blank="allowed")
        written("phrasing of a sound", self.phrasing, blank="allowed")
        if self.audio is None:
            raise ValueError("a sound without audio: give a path, the bytes of a file, or samples")
        object.__setattr__(self, "words", tuple(self.words))
