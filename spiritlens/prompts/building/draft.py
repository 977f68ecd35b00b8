"""A prompt under construction: tokens appended marker by marker, text by text, utterance by utterance.

Every token is appended together with its word, its time and its segment, so that nothing has to be found again in the
finished ids. `Draft.verify` tokenizes the string that grew beside them and refuses a draft where the two differ.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from spiritlens.prompts.building.phrases import overlaps, spoken_characters, word_characters
from spiritlens.prompts.building.streams import merge_streams
from spiritlens.prompts.vocabulary.vocabulary import Vocabulary
from spiritlens.speech.alignment.unit_words import WordRule
from spiritlens.speech.units import UnitStream
from spiritlens.speech.words import WordInterval
from spiritlens.terms import Modality, TokenFamily


@dataclass(frozen=True)
class Token:
    """One token: ``word`` counts the prompt's words (-1: none), ``characters`` are those of its segment's text."""

    id: int
    family: TokenFamily
    modality: Modality = "none"
    word: int = -1
    start: float = math.nan
    end: float = math.nan
    segment: int = -1
    characters: tuple[int, int] | None = None
    template: bool = False


@dataclass(frozen=True)
class DraftWord:
    """A word: as shown, its segment, its characters in the segment's text, its interval of the speech (seconds).

    A spoken word has characters where the text is known that was spoken.
    """

    word: str
    segment: int
    characters: tuple[int, int] | None = None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class TextPart:
    """A stretch of a text: words of the prompt, or (``template``) the family's own around them, no words."""

    text: str
    template: bool = False


@dataclass
class Draft:
    """The tokens and words so far, the texts by segment (written; spoken), and the official string of it all."""

    vocabulary: Vocabulary
    tokens: list[Token] = field(default_factory=list)
    words: list[DraftWord] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)
    spoken_texts: dict[int, str] = field(default_factory=dict)
    string: str = ""
    modality: Modality = "none"
    n_segments: int = 0

    def __post_init__(self) -> None:
        if self.vocabulary.bos_id is not None:
            self.tokens.append(Token(self.vocabulary.bos_id, "bos"))

    # ---- markers -----------------------------------------------------------------------------------------------------

    def open(self, modality: Modality, marker: Literal["own", "none"] = "own") -> None:
        """Write the markers of a change to a modality; nothing where it does not change.

        With ``marker="none"`` what was open is closed and nothing written for what is opened.
        """
        if modality == self.modality:
            return
        family = self.vocabulary.family
        if self.modality != "none":
            self._mark(family.text_close if self.modality == "text" else family.speech_close)
        if marker == "own" and not (self.modality == "none" and family.marker_policy == "between"):
            self._mark(family.text_open if modality == "text" else family.speech_open)
        self.modality = modality

    def close(self, marker: Literal["none", "final"]) -> None:
        """End the prompt where a written answer is to follow."""
        family = self.vocabulary.family
        if marker == "final" and (not family.text_open or family.marker_policy == "between"):
            raise ValueError(
                f"marker='final' asks for a text marker; family '{family.name}' has none for the end of a prompt, use "
                "marker='none'"
            )
        if self.modality == "speech":
            self.open("text")
        elif marker == "final" or family.marker_policy == "always":
            self._mark(family.text_open)

    def end_example(self) -> None:
        """After a solved example, the next segment is marked as if it were the first."""
        self.modality = "none"

    def _mark(self, marker: str | None) -> None:
        if not marker:
            return
        ids = self.vocabulary.opening(marker) if not self.string else [self.vocabulary.marker_id(marker)]
        self.tokens += [Token(blank, "text", template=True) for blank in ids[:-1]]
        self.tokens.append(Token(ids[-1], "marker"))
        self.string += marker

    # ---- text --------------------------------------------------------------------------------------------------------

    def add_text(self, parts: Sequence[TextPart], marker: Literal["own", "none"] = "own") -> int:
        """Append a text, cased and spaced as the family says; the number of its segment."""
        family = self.vocabulary.family
        for part in (part for part in parts if not part.template):
            self._refuse_foreign(part)
        self.open("text", marker)
        segment = self._next_segment()
        before = self._last_string()
        written = " " if before and family.text_space and not parts[0].text[:1].isspace() else ""
        in_template: list[tuple[int, int]] = []
        first_word = len(self.words)
        for part in parts:
            start = len(written)
            written += part.text if part.template else family.cased(part.text)
            if part.template:
                in_template.append((start, len(written)))
                continue
            for a, b in word_characters(written[start:]):
                a, b = a + start, b + start
                self.words.append(DraftWord(written[a:b], segment, characters=(a, b)))
        self.texts[segment] = written
        self.string += written
        pieces = self.vocabulary.pieces(written, before)
        kinds = self.vocabulary.family_of_ids([index for index, _, _ in pieces])
        for order, (index, start, end) in enumerate(pieces):
            following = pieces[order + 1][1] if order + 1 < len(pieces) else end
            word = self._word_at(written, (start, end), first_word, following)
            template = word < 0 and any(overlaps(stretch, (start, end)) for stretch in in_template)
            token = Token(index, "text", "text", word, segment=segment, characters=(start, end), template=template)
            marks = template and kinds[order] not in ("text", "padding")  # a token of the family's turn
            self.tokens.append(replace(token, family="marker", modality="none") if marks else token)
        return segment

    def _word_at(self, text: str, characters: tuple[int, int], first_word: int, following: int) -> int:
        """The word of a piece; a blank piece belongs to the word that it begins (``▁`` of ``▁ z ealand``)."""
        start, end = characters
        for number in range(first_word, len(self.words)):
            word = self.words[number].characters
            begins = word is not None and word[0] == end == following and not text[start:end].strip()
            if begins or overlaps(word, characters):
                return number
        return -1

    def _last_string(self) -> str:
        """The marker or unit that the next text follows; empty at the beginning of the string."""
        return self.vocabulary.piece(self.tokens[-1].id) if self.string else ""

    def _refuse_foreign(self, part: TextPart) -> None:
        vocabulary = self.vocabulary
        ids = [index for index, _, _ in vocabulary.pieces(part.text)]
        families = vocabulary.family_of_ids(ids)
        foreign = [
            vocabulary.label(index)
            for index, family in zip(ids, families, strict=True)
            if family not in ("text", "padding")
        ]
        if not foreign:
            return
        if vocabulary.tokenizer.unk_token in foreign:
            raise ValueError(f"the text '{part.text}' has characters that the vocabulary lacks; write it without them")
        raise ValueError(
            f"the text '{part.text}' contains {foreign}, which are no text; give speech as a SpeechSegment and leave "
            "markers to the family"
        )

    # ---- speech ------------------------------------------------------------------------------------------------------

    def add_speech(
        self,
        streams: Mapping[str, UnitStream],
        words: Sequence[WordInterval],
        word_rule: WordRule,
        text: str = "",
    ) -> None:
        """Append an utterance's units, deduplicated and merged as the family says; `text` is what was spoken."""
        family = self.vocabulary.family
        if not family.has_speech:
            raise ValueError(f"family '{family.name}' reads no speech; use a text prompt or a speech-text checkpoint")
        self.open("speech")
        segment = self._next_segment()
        first_word = len(self.words)
        characters = spoken_characters(text, [word.word for word in words])
        if characters is not None:
            self.spoken_texts[segment] = text
        for number, spoken in enumerate(words):
            place = characters[number] if characters is not None else None
            self.words.append(DraftWord(spoken.word, segment, place, (spoken.start, spoken.end)))
        for unit in merge_streams(family, streams, words, word_rule):
            index = self.vocabulary.stream_id(unit.stream, unit.id)
            word = first_word + unit.word if unit.word >= 0 else -1
            self.tokens.append(Token(index, unit.stream, "speech", word, unit.start, unit.end, segment))
            self.string += self.vocabulary.piece(index)

    # ---- the end -----------------------------------------------------------------------------------------------------

    @property
    def ids(self) -> list[int]:
        """The ids so far."""
        return [token.id for token in self.tokens]

    def verify(self) -> None:
        """Tokenizing the whole string must give the ids that were put together segment by segment."""
        whole, ids = self.vocabulary.encode(self.string), self.ids
        if whole == ids:
            return
        at = next((i for i, (a, b) in enumerate(zip(whole, ids, strict=False)) if a != b), min(len(whole), len(ids)))
        labels = [self.vocabulary.label(index) for index in ids[at : at + 3]]
        raise ValueError(
            f"the tokenizer joins two segments of '{self.string}' at token {at} ({labels}); put a blank between them"
        )

    def _next_segment(self) -> int:
        self.n_segments += 1
        return self.n_segments - 1
