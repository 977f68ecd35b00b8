"""flite: four US and Scottish voices of Carnegie Mellon with word and phone times, through Debian's libflite.

Voices: ``slt`` (female), ``rms`` (male), ``awb`` (male, Scottish), ``kal16`` (male, diphones).
The pitch of ``rms`` cannot be changed: its model makes the whole contour.
flite writes words like "didn't" as it speaks them, possibly as several words; they are joined by their letters.
"""

from dataclasses import dataclass

from spiritlens.arguments import number
from spiritlens.speech.engines.assembling import join_phones, spans_by_letters, waveform_of, word_intervals
from spiritlens.speech.engines.phones import PAUSE, PHONE_CLASS, Phone
from spiritlens.speech.engines.plain_text import UnspeakableError, ascii_word, plain_text
from spiritlens.speech.engines.process import EngineProcess, engine_process
from spiritlens.speech.engines.utterance import Utterance, voice_name

MEAN_F0 = {"slt": 172.0, "rms": 102.0, "awb": 131.0, "kal16": 95.0}
"""Mean fundamental frequency of each voice, Hz."""

VOICES = tuple(MEAN_F0)
REMEDY = "apt-get install flite"

FIXED_PITCH = ("rms",)

FLITE_EXTRA: dict[str, str] = {
    "axr": "er", "dx": "t", "el": "l", "em": "m", "en": "n", "hv": "hh", "nx": "n", "ssil": PAUSE, "brth": PAUSE,
    "h#": PAUSE, "#": PAUSE,
}  # fmt: skip
"""Phone names of flite and festival (the CMU set and ``radio``) that are not in the inventory."""

RESPELLED = {"baht": "bot"}
"""Words that flite would spell letter by letter, and what it is given instead."""


@dataclass(frozen=True)
class FliteVoice:
    """A voice of flite, by its short name; rate and pitch times its own."""

    short_name: str
    rate: float = 1.0
    pitch: float = 1.0

    def __post_init__(self) -> None:
        if self.short_name not in MEAN_F0:
            raise ValueError(f"flite has no voice {self.short_name!r}; expected one of {', '.join(MEAN_F0)}.")
        rate, pitch = number("rate", self.rate), number("pitch", self.pitch)
        if not 0.3 <= rate <= 3 or not 0.5 <= pitch <= 2:
            raise ValueError(f"rate {rate} and pitch {pitch}: flite takes rates of 0.3 to 3 and pitches of 0.5 to 2.")
        if pitch != 1.0 and self.short_name in FIXED_PITCH:
            raise ValueError(
                f"flite:{self.short_name} has a fixed pitch, {pitch} was asked; use `Utterance.resampled`."
            )
        object.__setattr__(self, "rate", rate)
        object.__setattr__(self, "pitch", pitch)

    @property
    def name(self) -> str:
        """Full name."""
        return voice_name("flite", self.short_name, self.rate, self.pitch)

    @property
    def engine(self) -> str:
        """Engine and version."""
        return f"flite {flite_process().hello['version']}"

    def speak(self, text: str) -> Utterance:
        """Speak `text`; the words are those spoken (numbers written out)."""
        plain = plain_text(text)
        given = [RESPELLED.get(word.lower(), ascii_word(word)) for word in plain.words]
        said = " ".join(word + mark for word, mark in zip(given, plain.marks, strict=True))
        f0_mean = MEAN_F0[self.short_name] * self.pitch if self.pitch != 1.0 else 0.0
        answer, samples = flite_process().request(
            {"voice": self.short_name, "text": said, "rate": self.rate, "f0_mean": f0_mean}
        )
        audio = waveform_of(samples, answer["rate"], self.name)
        spans = spans_by_letters(given, answer["words"], audio.duration)
        if spans is None:
            spoken = " ".join(word for word, *_ in answer["words"])
            raise UnspeakableError(f"{self.engine} said {spoken!r} for {said!r}; write the words as they sound.")
        words = word_intervals(plain.words, range(len(plain.words)), spans)
        phones = join_phones(_phones(answer["segments"]), audio.duration)
        return Utterance(audio, text, words, phones, self.name, self.engine)


def _phones(segments: list[tuple[str, float]]) -> list[Phone]:
    starts = [0.0, *(end for _, end in segments[:-1])]
    return [Phone(flite_phone(name), start, end) for start, (name, end) in zip(starts, segments, strict=True)]


def flite_process() -> EngineProcess:
    """The process that holds flite."""
    return engine_process("flite_child")


def flite_phone(name: str) -> str | None:
    """The inventory's label of a phone name of flite or festival."""
    return name if name in PHONE_CLASS else FLITE_EXTRA.get(name)


def flite_version() -> str:
    """The version of the flite on this machine."""
    return str(flite_process().hello["version"])
