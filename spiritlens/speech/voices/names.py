"""Text to speech: voices by name, and what this machine has.

A voice's name is ``engine:voice``. The default, ``espeak:en-us``, is the same on every machine (espeak-ng 1.52 from
PyPI, no system package) and one of the embedded model's training voices; others are used only when named. The same
text, voice, rate and pitch give the same samples in any order and process.

`ENGINES` says all that the package knows of its engines: a further one is a module in `engines` with a `Voice`, and a
row here. A voice of your own needs no row: whatever has a voice's three parts is taken by ``lens.speak(voice=...)``.

Licences: espeak-ng and piper are GPL-3 programs beside this package (MIT), flite and festival are BSD-like.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from spiritlens.arguments import number, shown, told_keywords
from spiritlens.speech.engines import espeak, festival, flite, piper
from spiritlens.speech.engines.plain_text import UnspeakableError
from spiritlens.speech.engines.process import EngineError
from spiritlens.speech.engines.utterance import Voice
from spiritlens.speech.voices.aligned import AlignedVoice
from spiritlens.terms import DEFAULT_VOICE


@dataclass(frozen=True)
class Engine:
    """A speech engine: its name, how to get it, the voices that are listed, its version here, and how to open a voice.

    `version` raises an `EngineError` where the engine is not installed. `open` takes the voice's name without the
    engine's, rate and pitch; it refuses a name that is not one of the engine's own.
    """

    name: str
    remedy: str
    voices: tuple[str, ...]
    version: Callable[[], str]
    open: Callable[[str, float, float], Voice]


def _espeak(build: str) -> Engine:
    def opened(voice: str, rate: float, pitch: float) -> Voice:
        found = espeak.EspeakVoice(build, voice, rate, pitch)
        found.check()
        return found

    return Engine(build, espeak.REMEDIES[build], espeak.VOICES, lambda: espeak.espeak_version(build), opened)


ENGINES: tuple[Engine, ...] = (
    _espeak("espeak"),
    _espeak("espeak-debian"),
    Engine("flite", flite.REMEDY, flite.VOICES, flite.flite_version, flite.FliteVoice),
    Engine("festival", festival.REMEDY, festival.VOICES, festival.festival_version, festival.FestivalVoice),
    Engine(
        "piper",
        piper.REMEDY,
        piper.VOICES,
        piper.piper_version,
        lambda voice, rate, pitch: AlignedVoice(piper.PiperVoice(voice, rate, pitch)),
    ),
)


@dataclass(frozen=True)
class VoiceInfo:
    """A voice of `available_voices`: name, engine, its version, whether it is available here, and how to get it."""

    name: str
    engine: str
    version: str
    available: bool
    remedy: str


@told_keywords
def voice(name: str = DEFAULT_VOICE, rate: float = 1.0, pitch: float = 1.0) -> Voice:
    """The voice of a name such as ``espeak:en-us+f2``, ``espeak-debian:en-us`` or ``flite:slt``.

    It speaks `rate` times as fast and with `pitch` times its own fundamental frequency, as far as its engine can. A
    name that is not one of the engine's own is refused here, never spoken as another voice.

    Returns what speaks. Raises ValueError for an unknown name, EngineError where the engine is not on this machine.
    """
    if not isinstance(name, str):
        raise ValueError(f"voice={shown(name)}: expected a name such as {DEFAULT_VOICE!r}, a str")
    rate, pitch = number("rate", rate, above=0, below=math.inf), number("pitch", pitch, above=0, below=math.inf)
    engine_name, _, short_name = name.partition(":")
    engine = next((engine for engine in ENGINES if engine.name == engine_name), None)
    if engine is None or not short_name:
        known = ", ".join(engine.name for engine in ENGINES)
        raise ValueError(
            f"voice {name!r} is unknown; expected ENGINE:VOICE with one of the engines {known}, such as "
            f"{DEFAULT_VOICE!r} (`spiritlens voices` lists them)."
        )
    return engine.open(short_name, rate, pitch)


def why_unspeakable(text: str, speaker: Voice) -> str:
    """Why a voice cannot say a text as it is written; "" where it can."""
    try:
        speaker.speak(text)
    except UnspeakableError as error:
        return str(error)
    return ""


@told_keywords
def available_voices() -> tuple[VoiceInfo, ...]:
    """The voices that this package knows of, whether they are available here, and how to get those that are not.

    Returns one entry a voice, the engines in the order of `ENGINES`.
    """
    return tuple(info for engine in ENGINES for info in _infos(engine))


def _infos(engine: Engine) -> list[VoiceInfo]:
    try:
        version, available = engine.version(), True
    except EngineError:
        version, available = "", False
    return [
        VoiceInfo(f"{engine.name}:{name}", engine.name, version, available, engine.remedy) for name in engine.voices
    ]
