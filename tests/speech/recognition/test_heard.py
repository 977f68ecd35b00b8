"""What may be a recogniser, and what it may answer."""

import functools

import numpy as np
import pytest

from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.recognition.heard import (
    Heard,
    given_recogniser,
    heard_by,
    recogniser_digest,
    recogniser_name,
)
from spiritlens.speech.words import WordInterval

SOUND = Waveform(np.full(1600, 0.1, np.float32))


class Parrot:
    name, digest = "parrot 1", "p1"

    def __call__(self, waveform: Waveform) -> Heard:
        return Heard("hello", [WordInterval("hello", 0, 0.1)])


def deaf(waveform: Waveform) -> str:
    return ""


def test_a_text_or_a_text_with_words() -> None:
    assert heard_by(deaf, SOUND) == Heard("")
    assert heard_by(Parrot(), SOUND) == Heard("hello", (WordInterval("hello", 0, 0.1),))


@pytest.mark.parametrize("answer", [None, b"hello", ["hello"], ("hello", []), {"text": "hello"}])
def test_other_answers_are_refused_by_the_recognisers_name(answer: object) -> None:
    with pytest.raises(ValueError, match=r"the recogniser .*<lambda> returned .*: it must return a text"):
        heard_by(lambda waveform: answer, SOUND)  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize("value", [None, "whisper", Parrot, 5])
def test_what_cannot_listen_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"recogniser=.*expected a callable from a Waveform to a text"):
        given_recogniser(value)


def test_names_and_digests() -> None:
    assert (recogniser_name(Parrot()), recogniser_digest(Parrot())) == ("parrot 1", "p1")
    assert (recogniser_name(deaf), recogniser_digest(deaf)) == ("deaf", "")
    assert recogniser_name(functools.partial(deaf)) == "partial"


@pytest.mark.parametrize(("text", "words"), [(None, ()), ("a", "a"), ("a", [("a", 0, 1)])])
def test_what_was_heard_is_text_and_intervals(text: object, words: object) -> None:
    with pytest.raises(ValueError, match=r"text=None|words"):
        Heard(text, words)  # type: ignore[arg-type]
