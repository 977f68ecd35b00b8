"""A prompt under construction: tokens appended marker by marker, text by text, stream by stream, each with its word and time."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from spiritlens.prompts.prompt import Modality, TokenFamily
from spiritlens.prompts.streams import StreamUnit, merge_streams
from spiritlens.prompts.vocabulary import Vocabulary
from spiritlens.speech.alignment import WordInterval, words_of_units
from spiritlens.speech.units import UnitStream

PUNCTUATION = ".,;:!?\"'“”‘’()[]{}…–—-"


@dataclass(frozen=True)
class DraftWord:
    """A word of the prompt: as shown, its segment, its characters in the segment's text, or its interval of the speech."""

    word: str
    segment: int
    characters: tuple[int, int] | None = None
    interval: tuple[float, float] | None = None


@dataclass
class Draft:
    """Growing lists, one entry per token, with the official string beside them."""

    vocabulary: Vocabulary
    ids: list[int] = field(default_factory=list)
    families: list[TokenFamily] = field(default_factory=list)
    modalities: list[Modality] = field(default_factory=list)
    word_index: list[int] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    segments: list[int] = field(default_factory=list)
    characters: list[tuple[int, int] | None] = field(default_factory=list)
    words: list[DraftWord] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)
    string: str = ""
    modality: Modality = "none"
    marker: str = ""

    def __post_init__(self) -> None:
        if self.vocabulary.bos_id is not None:
            self._append(self.vocabulary.bos_id, "bos", "none")

    @property
    def segment(self) -> int:
        """Number of the segment that was begun last (-1: none yet)."""
        return max(self.segments, default=-1)

    # ---- markers -----------------------------------------------------------------------------------------------------

    def open(self, modality: Modality) -> None:
        """Write the markers of a change to a modality; nothing where it does not change."""
        if modality == self.modality:
            return
        family = self.vocabulary.family
        if self.modality != "none":
            self._mark(family.text_close if self.modality == "text" else family.speech_close)
        self._mark(family.text_open if modality == "text" else family.speech_open)
        self.modality = modality

    def close(self, marker: Literal["none", "final"]) -> None:
        """End the prompt where a written answer is to follow."""
        family = self.vocabulary.family
        if marker not in ("none", "final"):
            raise ValueError(f"unknown marker '{marker}': use 'none' or 'final'")
        if self.modality == "speech":
            self._mark(family.speech_close)
            self._mark(family.text_open)
        elif marker == "final" or family.marker_policy == "always":
            if not family.text_open:
                raise ValueError(
                    f"marker='final' asks for a text marker, but family '{family.name}' has none; use marker='none'"
                )
            self._mark(family.text_open)
        self.modality = "text"

    def _mark(self, marker: str | None) -> None:
        if not marker:
            return
        ids = self.vocabulary.opening(marker) if not self.string else [self.vocabulary.encode(marker)[-1]]
        for blank in ids[:-1]:
            self._append(blank, "text", "none")
        self._append(ids[-1], "marker", "none")
        self.string += marker
        self.marker = marker

    # ---- text --------------------------------------------------------------------------------------------------------

    def add_text(self, text: str) -> None:
        """Append a text, cased and spaced as the family says."""
        family = self.vocabulary.family
        self._refuse_markers(text)
        self.open("text")
        after = self.marker if self.string else ""
        written = (" " if after and family.text_space else "") + family.cased(text)
        segment = self.segment + 1
        self.texts[segment] = written
        first_word = len(self.words)
        self.words += [
            DraftWord(written[start:end], segment, characters=(start, end)) for start, end in word_characters(written)
        ]
        for index, start, end in self.vocabulary.pieces(written, after):
            word = next(
                (
                    number
                    for number, word in enumerate(self.words[first_word:], first_word)
                    if _overlap(word.characters, (start, end))
                ),
                -1,
            )
            self._append(index, "text", "text", word, segment=segment, characters=(start, end))
        self.string += written

    def _refuse_markers(self, text: str) -> None:
        ids = self.vocabulary.encode(text)[1 if self.vocabulary.bos_id is not None else 0 :]
        foreign = [self.vocabulary.label(index) for index in ids if self.vocabulary.family_of_ids([index])[0] != "text"]
        if foreign:
            raise ValueError(
                f"the text '{text}' contains {foreign}, which are no text; give units and markers as segments, not inside a text"
            )

    # ---- speech ------------------------------------------------------------------------------------------------------

    def add_speech(
        self,
        units: UnitStream,
        words: Sequence[WordInterval],
        streams: Mapping[str, UnitStream] | None = None,
        rule: Literal["centre", "overlap", "start"] = "centre",
        slack_units: int = 0,
    ) -> None:
        """Append the units of an utterance, deduplicated and merged as the family says."""
        family = self.vocabulary.family
        if not family.has_speech:
            raise ValueError(f"family '{family.name}' reads no speech; use a text prompt or a speech-text checkpoint")
        self.open("speech")
        segment = self.segment + 1
        first_word = len(self.words)
        self.words += [DraftWord(word.word, segment, interval=(word.start, word.end)) for word in words]
        for unit in merge_streams(family, {"unit": units, **(streams or {})}):
            word = self._word_of(unit, words, rule, slack_units)
            token = self._stream_id(unit)
            self._append(
                token, unit.stream, "speech", word + first_word if word >= 0 else -1, unit.start, unit.end, segment
            )
            self.string += self.vocabulary.label(token)

    def _word_of(
        self,
        unit: StreamUnit,
        words: Sequence[WordInterval],
        rule: Literal["centre", "overlap", "start"],
        slack_units: int,
    ) -> int:
        found = int(words_of_units(unit.alone(), words, rule, slack_units)[0])
        if found < 0:
            return -1
        same = [
            index
            for index, word in enumerate(words)
            if (word.start, word.end) == (words[found].start, words[found].end)
        ]
        return same[0]

    def _stream_id(self, unit: StreamUnit) -> int:
        ids = self.vocabulary.stream_ids(unit.stream)
        if not 0 <= unit.id < len(ids):
            raise ValueError(
                f"{unit.stream} {unit.id} is not one of the family's {len(ids)} (0 to {len(ids) - 1}); use the family's own encoder"
            )
        return ids[unit.id]

    # ---- the end -----------------------------------------------------------------------------------------------------

    def verify(self) -> None:
        """Tokenizing the whole string must give the ids that were put together segment by segment."""
        whole = self.vocabulary.encode(self.string)
        if whole != self.ids:
            at = next(
                (i for i, (a, b) in enumerate(zip(whole, self.ids, strict=False)) if a != b),
                min(len(whole), len(self.ids)),
            )
            labels = [self.vocabulary.label(index) for index in self.ids[at : at + 3]]
            raise ValueError(
                f"the tokenizer joins segments of '{self.string}' at token {at} ({labels}); separate them by a marker or a blank"
            )

    def _append(
        self,
        index: int,
        family: TokenFamily,
        modality: Modality,
        word: int = -1,
        start: float = math.nan,
        end: float = math.nan,
        segment: int = -1,
        characters: tuple[int, int] | None = None,
    ) -> None:
        self.ids.append(int(index))
        self.families.append(family)
        self.modalities.append(modality)
        self.word_index.append(word)
        self.starts.append(start)
        self.ends.append(end)
        self.segments.append(segment)
        self.characters.append(characters)


def word_characters(text: str) -> list[tuple[int, int]]:
    """First and past-the-last character of each word: blank-separated, without the punctuation around it."""
    spans = []
    for match in re.finditer(r"\S+", text):
        token = match.group()
        core = token.strip(PUNCTUATION)
        if not core:
            continue
        start = match.start() + token.index(core)
        end = start + len(core)
        if "." in core and text[end : end + 1] == ".":  # an abbreviation keeps its point: U.S.
            end += 1
        spans.append((start, end))
    return spans


def _overlap(a: tuple[int, int] | None, b: tuple[int, int]) -> bool:
    return a is not None and a[0] < b[1] and b[0] < a[1]
