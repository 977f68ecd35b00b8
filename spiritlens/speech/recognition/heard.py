"""What a recogniser is, and what it gives.

A *recogniser* is any callable that takes a `Waveform` (16 kHz, mono) and returns what is said in it: a text, or
`Heard`, a text whose words have times. Two attributes are used where it has them: ``name`` (a text, written into
results) and ``digest`` (a text that stands for all that decides its answers: without one no answer is kept on disk).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from spiritlens.arguments import listed, shown, written
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.words import WordInterval


@dataclass(frozen=True)
class Heard:
    """What was heard: `text` as the recogniser writes it, `words` with times in seconds (none where it gives none)."""

    text: str
    words: Sequence[WordInterval] = ()

    def __post_init__(self) -> None:
        written("text", self.text, blank="allowed")
        object.__setattr__(self, "words", listed("words", self.words, of=WordInterval, empty=True))


Recogniser: TypeAlias = Callable[[Waveform], str | Heard]
"""Any callable from sound to text, or to text with word times."""


def given_recogniser(value: object) -> Recogniser:
    """The recogniser; what cannot be called, or is a class of them, is refused."""
    if callable(value) and not isinstance(value, type):
        return value
    raise ValueError(
        f"recogniser={shown(value, 40)} ({type(value).__name__}): expected a callable from a Waveform to a text, such "
        "as sl.speech.Whisper()"
    )


def recogniser_name(recogniser: Any) -> str:
    """What results call it: its ``name``, else that of the function or of its class."""
    name = getattr(recogniser, "name", "")
    if isinstance(name, str) and name:
        return name
    return str(getattr(recogniser, "__qualname__", type(recogniser).__qualname__))


def recogniser_digest(recogniser: Any) -> str:
    """What stands for all that decides its answers; "" where that is not known."""
    digest = getattr(recogniser, "digest", "")
    return digest if isinstance(digest, str) else ""


def heard_by(recogniser: Recogniser, waveform: Waveform) -> Heard:
    """Its answer as `Heard`; one of another kind is refused by the recogniser's name."""
    answer: object = recogniser(waveform)
    if isinstance(answer, Heard):
        return answer
    if isinstance(answer, str):
        return Heard(answer)
    raise ValueError(
        f"the recogniser {recogniser_name(recogniser)} returned {shown(answer, 40)} ({type(answer).__name__}): it must "
        "return a text, or sl.speech.Heard(text, words)"
    )
