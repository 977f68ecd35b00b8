"""A family: how a unit language model writes speech into its vocabulary, as plain data.

A *unit language model* reads speech as discrete units of a speech encoder, one token each, beside ordinary text pieces;
*markers* say where a modality begins. A family record says what markers and units are called, how many there are, when
markers are written, how spaces and case are kept, and which encoder makes the units.

A *turn* is the formula of a chat model around a question; it may hold any of the vocabulary's tokens. A model that
*answers after a transcript* continues a spoken question with what was said, and only then with the answer: the token
after the question is none. Its ``transcript_turn`` says where a transcript stands, so that a prompt can give it the
words that were spoken and be continued by the answer (``transcript="forced"`` when a prompt is built).

The records that are known: `spiritlens.prompts.vocabulary.families`.
"""

import re
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from functools import cached_property, lru_cache
from math import inf
from typing import Any, Literal

from spiritlens.arguments import check_choice, listed, number, shown, whole, written
from spiritlens.terms import StreamName

MarkerPolicy = Literal["on_change", "between", "always", "none"]
"""When a text marker ends the prompt: ``on_change`` of modality, so after speech only (SpiritLM); ``always`` before a
written answer (SIMS); ``none``: the family has no text marker. ``between`` is on change, but nothing stands before the
first segment (USTM)."""

SpaceAfterBos = Literal["none", "piece", "detect"]
"""Whether a blank piece ``▁`` stands between the beginning-of-sequence token and a first marker: never (``none``),
always (``piece``), or as the layout of the tokenizer's files is (``detect``; see `vocabulary`)."""

TextCase = Literal["as_given", "lower", "lower_words"]
"""``lower``: every text; ``lower_words``: the words of prompts and answers, the family's turns as they are written."""

Beginning = Literal["always", "as_saved"]
"""Whether a prompt begins with the beginning-of-sequence token: always, or as the tokenizer's files say."""

Recognition = Literal["strings", "record"]
"""By what a checkpoint's folder is known to be of the family: by the token ``strings`` of its vocabulary, or only by a
``spiritlens.json`` in it that names the family (``record``)."""

AnswerOrder = Literal["at_once", "after_transcript"]
"""What follows a spoken question: the answer, or the model's own transcript of the question and then the answer."""

AnswerForm = Literal["blank", "bare"]
"""How an answer begins: after a ``blank`` of its own, as a word in a sentence, or ``bare``, as after a new line."""


@dataclass(frozen=True)
class Stream:
    """One stream of units: name, token strings, how many there are, frames per second, and whether runs are merged.

    The string of unit i is ``template.format(offset + i)``.
    """

    name: str
    template: str
    count: int
    rate: float
    deduplicate: bool
    offset: int = 0

    def __post_init__(self) -> None:
        check_choice("name of the stream", self.name, StreamName)
        where = f"of stream {self.name!r}"
        written(f"template {where}", self.template, blank="allowed")
        for name, at_least in (("count", 0), ("offset", 0)):
            object.__setattr__(self, name, whole(f"{name} {where}", getattr(self, name), at_least=at_least))
        object.__setattr__(self, "rate", number(f"rate {where} in frames per second", self.rate, above=0, below=inf))
        try:
            alike = self.unit(0) == self.unit(1)
        except (LookupError, ValueError) as error:
            raise ValueError(
                f"template {where} is {self.template!r} ({error}): write '{{}}' for the unit's number"
            ) from None
        if self.count and alike:
            raise ValueError(f"stream '{self.name}': the template '{self.template}' lacks '{{}}' for the unit's number")

    def unit(self, number: int) -> str:
        """The string of one unit."""
        return self.template.format(self.offset + number)

    def units(self) -> tuple[str, ...]:
        """The strings of all units, in order."""
        return tuple(self.unit(number) for number in range(self.count))

    def numbers(self, string: str) -> list[int]:
        """The numbers written in the template's way in a string, known or not; none of a template of characters."""
        parts = re.fullmatch(r"(.*)\{(?::\d*d)?\}(.*)", self.template)
        if parts is None:
            return []
        return [int(found) for found in re.findall(rf"{re.escape(parts[1])}(\d+){re.escape(parts[2])}", string)]


@dataclass(frozen=True)
class Family:
    """One unit language model's way of writing speech and text into one vocabulary.

    ``unit_rate`` is the encoder's frames per second, ``order_rate`` the rate by which the official package dates units
    when it merges streams. ``text_space``: a text after a marker carries one leading blank. ``written_turn`` and
    ``spoken_turn`` are the formula before and after a prompt, where the family has one; ``transcript_turn`` is what
    stands before and after the transcript of a spoken one (None: there is no place for it), ``transcript_open`` the
    marker between a speech and its transcript, if it is a token. ``further_tokens`` are strings of tokens that are
    neither text nor speech (of turns, of images; ``{}`` stands for a number): never an answer. ``first_unit_id`` is the
    id of unit 0 where the record fixes it (None: read from the tokenizer), ``rows`` the embedding rows of the released
    checkpoint, by which a folder is known whose tokenizer lacks the units. ``encoder`` names the speech encoder; of the
    kind ``external`` it is one that this package does not run.
    """

    name: str
    unit_template: str = ""
    unit_offset: int = 0
    n_units: int = 0
    unit_rate: float = 25.0
    deduplicate: bool = True
    text_open: str | None = None
    text_close: str | None = None
    speech_open: str | None = None
    speech_close: str | None = None
    transcript_open: str | None = None
    marker_policy: MarkerPolicy = "on_change"
    space_after_bos: SpaceAfterBos = "detect"
    text_case: TextCase = "as_given"
    text_space: bool = True
    answer_form: AnswerForm = "blank"
    beginning: Beginning = "as_saved"
    recognition: Recognition = "strings"
    written_turn: tuple[str, str] = ("", "")
    spoken_turn: tuple[str, str] = ("", "")
    answers: AnswerOrder = "at_once"
    transcript_turn: tuple[str, str] | None = None
    further_tokens: tuple[str, ...] = ()
    extra_streams: tuple[Stream, ...] = ()
    order_rate: float = 25.0
    first_unit_id: int | None = None
    rows: int | None = None
    encoder: dict[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        where = f"of family {written('name of the family', self.name)!r}"
        for name in ("unit_offset", "n_units", "first_unit_id", "rows"):
            value = getattr(self, name)
            if value is not None or name in ("unit_offset", "n_units"):
                object.__setattr__(self, name, whole(f"{name} {where}", value, at_least=0))
        for name in ("unit_rate", "order_rate"):
            object.__setattr__(self, name, number(f"{name} {where}", getattr(self, name), above=0, below=inf))
        for name in ("text_open", "text_close", "speech_open", "speech_close", "transcript_open"):
            if getattr(self, name) is not None:
                written(f"{name} {where}", getattr(self, name))
        for name, choices in (
            ("marker_policy", MarkerPolicy),
            ("space_after_bos", SpaceAfterBos),
            ("text_case", TextCase),
            ("beginning", Beginning),
            ("recognition", Recognition),
            ("answer_form", AnswerForm),
            ("answers", AnswerOrder),
        ):
            check_choice(f"{name} {where}", getattr(self, name), choices)
        streams = listed(f"extra_streams {where}", self.extra_streams, of=Stream, empty=True)
        object.__setattr__(self, "extra_streams", streams)
        further = listed(f"further_tokens {where}", self.further_tokens, of=str, empty=True)
        object.__setattr__(self, "further_tokens", further)
        for name in ("written_turn", "spoken_turn", "transcript_turn"):
            if name != "transcript_turn" or self.transcript_turn is not None:
                object.__setattr__(self, name, _turn(f"{name} {where}", getattr(self, name)))
        if self.marker_policy == "always" and not self.text_open:
            raise ValueError(f"family '{self.name}': marker_policy 'always' needs text_open, the marker to write")
        if self.answers == "after_transcript" and self.transcript_turn is None:
            raise ValueError(
                f"family '{self.name}': answers 'after_transcript' needs transcript_turn, what stands before and after "
                "the transcript"
            )
        self.all_streams()

    @property
    def markers(self) -> tuple[str, ...]:
        """The marker strings that the family has."""
        found = (self.text_open, self.text_close, self.speech_open, self.speech_close, self.transcript_open)
        return tuple(dict.fromkeys(filter(None, found)))

    @property
    def has_speech(self) -> bool:
        """Whether the family reads speech at all."""
        return self.n_units > 0

    def all_streams(self) -> tuple[Stream, ...]:
        """The unit streams, in the order in which units of equal time are written: further ones, then ``unit``."""
        return self._streams

    @cached_property
    def _streams(self) -> tuple[Stream, ...]:
        if not self.has_speech:
            return ()
        main = Stream("unit", self.unit_template, self.n_units, self.unit_rate, self.deduplicate, self.unit_offset)
        return (*self.extra_streams, main)

    def stream(self, name: str) -> Stream:
        """One unit stream by name."""
        for stream in self.all_streams():
            if stream.name == name:
                return stream
        raise ValueError(f"family '{self.name}' has no stream '{name}'; it has {[s.name for s in self.all_streams()]}")

    def cased(self, text: str) -> str:
        """The words of a prompt in the family's case."""
        return text if self.text_case == "as_given" else text.lower()

    def is_further(self, string: str) -> bool:
        """Whether a token's string is one of `further_tokens`."""
        return _pattern(self.further_tokens).fullmatch(string) is not None

    def replace(self, **changes: Any) -> "Family":
        """The record with other values, as for a checkpoint with another number of units."""
        names = [column.name for column in fields(self)]
        for name in changes:
            if name not in names:
                close = get_close_matches(name, names, n=1)
                remedy = f"did you mean {close[0]}=? " if close else ""
                raise ValueError(f"a family has no {name}=: {remedy}It has {', '.join(names)}")
        return replace(self, **changes)


def _turn(name: str, value: object) -> tuple[str, str]:
    if not isinstance(value, (tuple, list)) or len(value) != 2 or not all(isinstance(part, str) for part in value):
        raise ValueError(f"{name}={shown(value)}: expected two texts, before and after")
    return (value[0], value[1])


@lru_cache(maxsize=16)
def _pattern(templates: tuple[str, ...]) -> re.Pattern[str]:
    """What matches the strings of the templates, and nothing else."""
    return re.compile("|".join(re.escape(text).replace(r"\{\}", r"\d+") for text in templates) or r"(?!)")
