"""espeak-ng: formant synthesis with word and phoneme events, in many accents and variants.

Two engines as far as bytes go: version 1.52 through the PyPI package espeakng-loader (``espeak:``, the default on every
machine) and Debian's 1.51 (``espeak-debian:``). The library is GPL-3 and runs in a process of its own.

Voices are named by accent and variant: ``en-us``, ``en-us+f2``, ``en-gb+m7``. The library takes any name and speaks as
another voice where it knows none of it, so names are checked against its own lists. Rate 1.0 is 175 words per minute.
Pitch goes through the measured relation of espeak-ng's levels to the fundamental frequency.
Words run together by the engine ("in the") get one word event: they share one interval. It reads words that look like
Roman numerals ("Xi") as such, and letters beyond Latin Extended-B by their number: both are respelled.
"""

import difflib
import functools
import importlib.util
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np

from spiritlens.arguments import number
from spiritlens.speech.engines.assembling import join_phones, spans_of_phones, waveform_of, word_intervals
from spiritlens.speech.engines.numbers import roman_value
from spiritlens.speech.engines.phones import PAUSE, Phone
from spiritlens.speech.engines.plain_text import PlainText, UnspeakableError, ascii_word, plain_text
from spiritlens.speech.engines.process import EngineError, EngineProcess, engine_process
from spiritlens.speech.engines.utterance import Utterance, voice_name

ACCENTS = (
    "en-us",
    "en-gb",
    "en-gb-scotland",
    "en-gb-x-rp",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-029",
    "en-us-nyc",
)
"""Its English accents."""
VARIANTS = (
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
"""Variants that are listed; any other of the library's can be named too: ``espeak:en-us+VARIANT``."""
VOICES = (*ACCENTS, *(f"en-us+{variant}" for variant in VARIANTS))
REMEDIES = {"espeak": "pip install espeakng-loader", "espeak-debian": "apt-get install espeak-ng"}
"""How to get each build."""

WORDS_PER_MINUTE = 175
PITCH_LEVELS = (0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99)
PITCH_RATIOS = (0.700, 0.760, 0.803, 0.854, 0.927, 1.0, 1.099, 1.216, 1.349, 1.504, 1.659)
"""Median fundamental frequency at each level over that at level 50 (mean of en-us, +f2 and +m3, version 1.52)."""
ACCENT_NAMES = {"en-gb": "en", "en-gb-scotland": "en-gb-scotland"}
"""Names that the library's lookup needs in place of those that its command line takes."""
RESPELLED = {"xi": "shee", "xi's": "shee's", "vi": "vie", "vi's": "vie's"}
"""Names that the library would read as Roman numerals, and what it is given instead."""
LAST_KNOWN_LETTER = "\u024f"
RHOTIC_ACCENTS = ("en-us",)
VOWEL_SHARE_OF_R_COLOURED = 0.6
"""An r-coloured vowel is one phoneme of espeak-ng and two of the inventory: the vowel takes this share of its time."""

MNEMONICS: dict[str, str] = {
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
"""Phones of its mnemonics (stress marks removed): those of the English voices, listed by speaking 6,000 words of the
CMU dictionary with each English accent of versions 1.51 and 1.52."""

CONTINUES = frozenset({";", ":", "~", "-"})
"""Mnemonics that lengthen or colour the phone before them rather than being a phone."""

R_COLOURED = frozenset({"A@", "e@", "i@3", "O@", "o@", "U@", "aI3"})
"""Vowels that hold an r in espeak-ng's rhotic accents (en-us)."""


@dataclass(frozen=True)
class EspeakVoice:
    """A voice of espeak-ng: `build` ``espeak`` (1.52, PyPI) or ``espeak-debian`` (1.51), `variety` accent+variant.

    `rate` 1 is 175 words a minute, `pitch` 1 the voice's own fundamental frequency.
    """

    build: str
    variety: str
    rate: float = 1.0
    pitch: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", number("rate", self.rate))
        object.__setattr__(self, "pitch", number("pitch", self.pitch))
        _settings(self.rate, self.pitch)

    @property
    def name(self) -> str:
        """Full name."""
        return voice_name(self.build, self.variety, self.rate, self.pitch)

    @property
    def engine(self) -> str:
        """Engine and version."""
        return f"espeak-ng {self._process().hello['version']} ({self.build})"

    def _process(self) -> EngineProcess:
        return espeak_process(self.build)

    def check(self) -> None:
        """Refuse an accent or a variant that the library does not list, letter case and all."""
        accent, plus, variant = self.variety.partition("+")
        lists = self._process().hello
        if accent not in lists["languages"]:
            _refuse(self.name, "accent or language", accent, lists["languages"])
        if plus and variant not in lists["variants"]:
            _refuse(self.name, "variant", variant, lists["variants"])

    def speak(self, text: str) -> Utterance:
        """Speak `text`; the words are those spoken (numbers written out)."""
        words_per_minute, level = _settings(self.rate, self.pitch)
        self.check()
        accent, plus, variant = self.variety.partition("+")
        plain = plain_text(text)
        given = replace(plain, words=tuple(_spelling(word) for word in plain.words))
        answer, samples = self._process().request(
            {
                "voice": ACCENT_NAMES.get(accent, accent) + plus + variant,
                "text": given.engine_text,
                "words_per_minute": words_per_minute,
                "pitch": level,
            }
        )
        audio = waveform_of(samples, answer["rate"], self.name)
        phones, group_of_phone, group_of_word = _phones_and_groups(
            answer, given, len(samples), rhotic=accent in RHOTIC_ACCENTS
        )
        spans = spans_of_phones(phones, group_of_phone)
        missing = [word for word, group in zip(plain.words, group_of_word, strict=True) if group not in spans]
        if missing:
            raise UnspeakableError(
                f"{self.engine} gave no phones for {missing[0]!r} in {text!r}; write the word as it sounds."
            )
        words = word_intervals(plain.words, group_of_word, spans)
        return Utterance(audio, text, words, join_phones(phones, audio.duration), self.name, self.engine)


def _settings(rate: float, pitch: float) -> tuple[int, int]:
    """Words per minute and pitch level of espeak-ng."""
    words_per_minute = WORDS_PER_MINUTE * rate
    if not 80 <= words_per_minute < 450.5 or not 80 <= round(words_per_minute) <= 450:
        raise ValueError(f"rate is {rate}; espeak-ng speaks at 0.46 to 2.57 times {WORDS_PER_MINUTE} words per minute.")
    if not PITCH_RATIOS[0] <= pitch <= PITCH_RATIOS[-1]:
        raise ValueError(
            f"pitch is {pitch}; espeak-ng takes {PITCH_RATIOS[0]} to {PITCH_RATIOS[-1]} times the voice's own pitch."
        )
    return round(words_per_minute), round(float(np.interp(pitch, PITCH_RATIOS, PITCH_LEVELS)))


def _refuse(name: str, part: str, wanted: str, known: list[str]) -> NoReturn:
    near = difflib.get_close_matches(wanted.lower(), known, n=3) or known[:3]
    raise ValueError(
        f"voice {name!r}: espeak-ng has no voice of the {part} {wanted!r}; it has {len(known)}, the nearest: "
        f"{', '.join(near)} (letter case counts)."
    )


def _spelling(word: str) -> str:
    """The word as the library has to be given it."""
    small = word.lower()
    if small in RESPELLED:
        return RESPELLED[small]
    if roman_value(small.upper()) and small not in ("xl", "xxx") and not word.isupper():
        raise UnspeakableError(f"espeak-ng reads {word!r} as a Roman numeral; write it as it sounds, or as a number.")
    if len(word) == 1 or max(word) > LAST_KNOWN_LETTER:
        return ascii_word(word)
    return word


def _phones_and_groups(
    answer: dict[str, Any], plain: PlainText, n_samples: int, rhotic: bool
) -> tuple[list[Phone], list[int], list[int]]:
    """Phones, the word group of each phone, and the group of each word: the index of the group's first word."""
    rate = answer["rate"]
    word_at = {position: index for index, position in enumerate(plain.positions())}
    events = answer["events"]
    begun = sorted({word_at[event[1]] for event in events if event[0] == "word" and event[1] in word_at} | {0})
    group_of_word = [max(index for index in begun if index <= word) for word in range(len(plain.words))]
    sounds = _sounds(events, word_at)
    phones: list[Phone] = []
    groups: list[int] = []
    for place, (mnemonic, start, group) in enumerate(sounds):
        following, end, _ = sounds[place + 1] if place + 1 < len(sounds) else ("", n_samples, -1)
        new = _split_r_coloured(mnemonic, start / rate, end / rate, rhotic and not following.startswith("r"))
        phones += new
        groups += [group] * len(new)
    return phones, groups, group_of_word


def _sounds(events: list[tuple[str, Any, int]], word_at: dict[int, int]) -> list[tuple[str, int, int]]:
    """Mnemonic, first sample and word group of each phone; each lasts until the next one begins.

    A word's first phone begins at the word event: espeak-ng dates a stop by its release and the word by its closure.
    """
    sounds: list[tuple[str, int, int]] = []
    group, begun = 0, 0
    for kind, value, sample in events:
        if kind == "word" and value in word_at:
            group, begun = max(group, word_at[value]), sample
        elif kind == "phone" and not (value in CONTINUES and sounds):
            fresh = not sounds or sounds[-1][2] != group
            sounds.append((value, begun if fresh else sample, group))
    return sounds


def _split_r_coloured(mnemonic: str, start: float, end: float, r_coloured: bool) -> list[Phone]:
    label = espeak_phone(mnemonic)
    if not r_coloured or mnemonic.lstrip("',") not in R_COLOURED:
        return [Phone(label, start, max(start, end))]
    middle = start + VOWEL_SHARE_OF_R_COLOURED * (end - start)
    return [Phone(label, start, middle), Phone("er" if label == "ay" else "r", middle, end)]


def espeak_phone(mnemonic: str) -> str | None:
    """The inventory's label of an espeak-ng mnemonic, which may carry stress marks."""
    return MNEMONICS.get(mnemonic.lstrip("',%=|"))


@functools.cache
def _library_of(build: str) -> tuple[str, ...]:
    """Arguments of the engine process: library and, where it is not the system's, data folder."""
    if build == "espeak-debian":
        return ("libespeak-ng.so.1",)
    if importlib.util.find_spec("espeakng_loader") is None:
        raise EngineError("espeak-ng 1.52 comes with the package espeakng-loader.")
    import espeakng_loader

    return (espeakng_loader.get_library_path(), espeakng_loader.get_data_path())


def espeak_process(build: str) -> EngineProcess:
    """The process that holds one build of espeak-ng."""
    try:
        return engine_process("espeak_child", *_library_of(build))
    except EngineError as error:
        raise EngineError(f"{error} Get it: {REMEDIES[build]}") from None


def espeak_version(build: str) -> str:
    """The version of a build on this machine."""
    return str(espeak_process(build).hello["version"])


REFERENCE_VOICE = EspeakVoice("espeak", "en-us")
"""What alignment goes by, whatever voice is the default: it pronounces unknown words, its durations are expected."""
