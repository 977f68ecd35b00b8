"""Text to speech: voices by name, and what this machine has.

A voice's name is ``engine:voice``. The default, ``espeak:en-us``, is the same on every machine (espeak-ng 1.52 from
PyPI, no system package) and one of the embedded model's training voices; others are used only when named. The same
text, voice, rate and pitch give the same samples in any order and process.

Licences: espeak-ng and piper are GPL-3 programs beside this package (MIT), flite and festival are BSD-like.
"""

from collections.abc import Callable
from dataclasses import dataclass

from spiritlens.arguments import shown, told_keywords
from spiritlens.speech.engines.espeak import EspeakVoice, espeak_process
from spiritlens.speech.engines.festival import VOICES as FESTIVAL_VOICES
from spiritlens.speech.engines.festival import FestivalVoice, festival_version
from spiritlens.speech.engines.flite import MEAN_F0, FliteVoice, flite_process
from spiritlens.speech.engines.piper import REMEDY as PIPER_REMEDY
from spiritlens.speech.engines.piper import PiperVoice, piper_version
from spiritlens.speech.engines.plain_text import UnspeakableError
from spiritlens.speech.engines.process import EngineError
from spiritlens.speech.engines.utterance import Utterance, Voice
from spiritlens.terms import DEFAULT_VOICE

__all__ = [
    "DEFAULT_VOICE",
    "EngineError",
    "UnspeakableError",
    "Utterance",
    "Voice",
    "VoiceInfo",
    "voice",
    "voices",
    "why_unspeakable",
]

ESPEAK_ACCENTS = (
    "en-us",
    "en-gb",
    "en-gb-scotland",
    "en-gb-x-rp",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-029",
    "en-us-nyc",
)
"""English accents of espeak-ng."""
ESPEAK_VARIANTS = (
    "f1",
    "f2",
    "f3",
    "f4",
    "f5",
    "m1",
    "m2",
    "m3",
    "m4",
    "m5",
    "m6",
    "m7",
    "m8",
    "klatt2",
    "Annie",
    "whisper",
)
"""Variants of espeak-ng that `voices` names; any other of its variants can be named too: ``espeak:en-us+VARIANT``."""

REMEDIES = {
    "espeak": "pip install espeakng-loader",
    "espeak-debian": "apt-get install espeak-ng",
    "flite": "apt-get install flite",
    "festival": "apt-get install festival festvox-kdlpc16k festvox-kallpc16k",
    "piper": PIPER_REMEDY,
}


@dataclass(frozen=True)
class VoiceInfo:
    """A voice of `voices()`: its name, the engine, the engine's version, whether it speaks here, and how to get it."""

    name: str
    engine: str
    version: str
    available: bool
    remedy: str


@told_keywords
def voice(name: str = DEFAULT_VOICE) -> Voice:
    """The voice of a name such as ``espeak:en-us+f2``, ``espeak-debian:en-us`` or ``flite:slt``.

    A name that is not one of the engine's own is refused here, never spoken as another voice.
    """
    if not isinstance(name, str):
        raise ValueError(f"voice={shown(name)}: expected a name such as {DEFAULT_VOICE!r}, a str")
    engine, colon, short_name = name.partition(":")
    if not colon or not short_name or engine not in REMEDIES:
        raise ValueError(
            f"voice {name!r} is unknown; expected ENGINE:VOICE with one of the engines {', '.join(REMEDIES)}, "
            f"such as {DEFAULT_VOICE!r} (`spiritlens voices` lists them)."
        )
    if engine == "flite":
        return FliteVoice(short_name)
    if engine == "festival":
        return FestivalVoice(short_name)
    if engine == "piper":
        return PiperVoice(short_name)
    found = EspeakVoice(engine, short_name)
    found.check()
    return found


def why_unspeakable(text: str, speaker: Voice) -> str:
    """Why a voice cannot say a text as it is written; "" where it can."""
    try:
        speaker.speak(text)
    except UnspeakableError as error:
        return str(error)
    return ""


@told_keywords
def voices() -> tuple[VoiceInfo, ...]:
    """The voices that this package knows of, whether they speak on this machine, and how to get those that do not."""
    espeak_names = (*ESPEAK_ACCENTS, *(f"en-us+{variant}" for variant in ESPEAK_VARIANTS))
    found: list[VoiceInfo] = []
    for build in ("espeak", "espeak-debian"):
        found += _infos(build, espeak_names, lambda build=build: str(espeak_process(build).hello["version"]))  # type: ignore[misc]
    found += _infos("flite", tuple(MEAN_F0), lambda: str(flite_process().hello["version"]))
    found += _infos("festival", FESTIVAL_VOICES, festival_version)
    found += _infos("piper", ("joe",), piper_version)
    return tuple(found)


def _infos(engine: str, names: tuple[str, ...], version: Callable[[], str]) -> list[VoiceInfo]:
    try:
        number, available = version(), True
    except EngineError:
        number, available = "", False
    return [VoiceInfo(f"{engine}:{name}", engine, number, available, REMEDIES[engine]) for name in names]
