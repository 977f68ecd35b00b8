"""Segments: the parts that a prompt is made of, each written or spoken.

All times of a spoken segment are seconds of its own audio; a prompt of several recordings has several clocks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from spiritlens.arguments import listed, shown, written
from spiritlens.prompts.building.phrases import chosen_place, phrase_in_words, spoken_characters, spoken_members
from spiritlens.speech.alignment.unit_words import WordRule, words_of_units
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.units import UnitStream
from spiritlens.speech.words import WordInterval, check_words, interval_groups

FRAMES_LOST = 0.1
"""Seconds of audio after the last unit that an encoder may leave out (less than three frames at 25 Hz)."""


@dataclass(frozen=True)
class TextSegment:
    """A written part of a prompt."""

    text: str

    def __post_init__(self) -> None:
        written("text", self.text)


@dataclass(frozen=True, eq=False)
class SpeechSegment:
    """A spoken part of a prompt: its units, its words with times, and the sound where it is at hand.

    ``streams`` holds the further unit streams of expressive families by name (``pitch``, ``style``); ``word_rule`` says
    which word a unit belongs to (no words: to none, and there is no subject in it). ``text`` is what was spoken, as it
    was written: where it is known, and is said in these words, a subject is found in it ("Apollo 11": Apollo eleven).
    """

    units: UnitStream
    words: Sequence[WordInterval]
    waveform: Waveform | None = None
    streams: Mapping[str, UnitStream] = field(default_factory=dict)
    word_rule: WordRule = WordRule()
    text: str = ""

    def __post_init__(self) -> None:
        for name, units in (("units", self.units), *_named_streams(self.streams)):
            if not isinstance(units, UnitStream):
                raise ValueError(f"{name}={shown(units)} ({type(units).__name__}): expected a UnitStream")
        if not isinstance(self.waveform, Waveform | None):
            raise ValueError(
                f"waveform={shown(self.waveform)}: expected a Waveform, as spiritlens.speech.read_waveform gives"
            )
        object.__setattr__(self, "words", listed("words", self.words, of=WordInterval, empty=True))
        if not isinstance(self.word_rule, WordRule):
            raise ValueError(f"word_rule={shown(self.word_rule)}: expected a WordRule, such as WordRule('overlap')")
        if len(self.units) == 0:
            raise ValueError("the speech has no units; give audio of at least one encoder frame (40 ms at 25 Hz)")
        spoken = float(self.units.ends[-1]) + FRAMES_LOST
        if self.words:
            check_words(self.words, max(spoken, self.waveform.duration) if self.waveform else spoken)

    def part(self, phrase: str, occurrence: int | None = None) -> "SpeechSegment":
        """The segment of some of its words, as for a prompt in which the subject alone is spoken.

        Times and the sound stay those of the whole audio.
        """
        shown = f"the words '{' '.join(word.word for word in self.words)}'"
        characters = spoken_characters(self.text, [word.word for word in self.words])
        if characters is not None:
            places, halves = spoken_members(self.text, characters, phrase)
        else:
            places, halves = phrase_in_words([word.word for word in self.words], phrase), []
        if not places:
            why = "".join(f" ({half})" for half in halves[:1])
            raise ValueError(f"'{phrase}' does not occur in {shown}{why}; give whole words as they stand there")
        first, end = places[chosen_place(places, occurrence, f"'{phrase}'", shown)]
        inside = set(range(first, end))
        for group in interval_groups(self.words):
            if inside.intersection(group) and not inside.issuperset(group):
                together = " ".join(self.words[number].word for number in group)
                raise ValueError(
                    f"'{together}' shares one interval of the speech, which '{phrase}' would cut in two; give a "
                    "time for each word, or use another voice"
                )
        units = self.units.dedup()
        index = words_of_units(units, self.words, self.word_rule.rule, self.word_rule.slack_units)
        positions = np.flatnonzero(np.isin(index, list(inside)))
        if len(positions) == 0:
            raise ValueError(
                f"no unit of the speech falls on '{phrase}'; check its times, or use word_rule=WordRule('overlap')"
            )
        units = units[int(positions[0]) : int(positions[-1]) + 1]
        start, stop = float(units.starts[0]), float(units.ends[-1])
        streams = {name: stream.slice_time(start, stop) for name, stream in self.streams.items()}
        text = self.text[characters[first][0] : characters[end - 1][1]] if characters is not None else ""
        return replace(self, units=units, words=tuple(self.words)[first:end], streams=streams, text=text)


def _named_streams(streams: Mapping[str, UnitStream]) -> Iterable[tuple[str, UnitStream]]:
    if not isinstance(streams, Mapping):
        raise ValueError(f"streams={shown(streams)}: expected a mapping of stream names to UnitStreams")
    return ((f"streams[{name!r}]", units) for name, units in streams.items())


Segment = TextSegment | SpeechSegment
