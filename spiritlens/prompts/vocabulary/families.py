"""Families: how a unit language model writes speech into its vocabulary, as plain data.

A *unit language model* reads speech as discrete units of a speech encoder, one token each, beside ordinary text pieces;
*markers* say where a modality begins. A family record says what markers and units are called, how many there are, when
markers are written, how spaces and case are kept, and which encoder makes the units. A further family is a further
record in `FAMILIES`, not further code, and a record of your own is taken by ``load(..., family=...)``;
`spiritlens.prompts.vocabulary.vocabulary` reads the ids from the tokenizer and checks them against the record.

Sources, read in the official packages: SpiritLM (arXiv 2402.05755), SIMS (arXiv 2504.02398, slamkit), SpeechGPT (arXiv
2305.11000), Spire (arXiv 2503.10620). The embedded model is this project's own.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from math import inf
from typing import Any, Literal

from spiritlens.arguments import check_choice, listed, number, shown, whole, written
from spiritlens.terms import StreamName

MarkerPolicy = Literal["on_change", "always", "none"]
"""When a text marker ends the prompt: ``on_change`` of modality, so after speech only (SpiritLM); ``always`` before a
written answer (SIMS); ``none``: the family has no text marker."""

SpaceAfterBos = Literal["none", "piece", "detect"]
"""Whether a blank piece ``▁`` stands between the beginning-of-sequence token and a first marker: never (``none``),
always (``piece``), or as the layout of the tokenizer's files is (``detect``; see `vocabulary`)."""

TextCase = Literal["as_given", "lower"]

Beginning = Literal["always", "as_saved"]
"""Whether a prompt begins with the beginning-of-sequence token: always, or as the tokenizer's files say."""

Recognition = Literal["strings", "record"]
"""By what a checkpoint's folder is known to be of the family: by the token ``strings`` of its vocabulary, or only by a
``spiritlens.json`` in it that names the family (``record``)."""


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


@dataclass(frozen=True)
class Family:
    """One unit language model's way of writing speech and text into one vocabulary.

    ``unit_rate`` is the encoder's frames per second, ``order_rate`` the rate by which the official package dates units
    when it merges streams. ``text_space``: a text after a marker carries one leading blank. ``written_turn`` and
    ``spoken_turn`` are the formula before and after a prompt, where the family has one. ``first_unit_id`` is the id of
    unit 0 where the record fixes it (None: read from the tokenizer), ``rows`` the embedding rows of the released
    checkpoint, by which a folder is known whose tokenizer lacks the units. ``encoder`` names the speech encoder.
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
    marker_policy: MarkerPolicy = "on_change"
    space_after_bos: SpaceAfterBos = "detect"
    text_case: TextCase = "as_given"
    text_space: bool = True
    beginning: Beginning = "as_saved"
    recognition: Recognition = "strings"
    written_turn: tuple[str, str] = ("", "")
    spoken_turn: tuple[str, str] = ("", "")
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
        for name in ("text_open", "text_close", "speech_open", "speech_close"):
            if getattr(self, name) is not None:
                written(f"{name} {where}", getattr(self, name))
        for name, choices in (
            ("marker_policy", MarkerPolicy),
            ("space_after_bos", SpaceAfterBos),
            ("text_case", TextCase),
            ("beginning", Beginning),
            ("recognition", Recognition),
        ):
            check_choice(f"{name} {where}", getattr(self, name), choices)
        streams = listed(f"extra_streams {where}", self.extra_streams, of=Stream, empty=True)
        object.__setattr__(self, "extra_streams", streams)
        if self.marker_policy == "always" and not self.text_open:
            raise ValueError(f"family '{self.name}': marker_policy 'always' needs text_open, the marker to write")
        self.all_streams()

    @property
    def markers(self) -> tuple[str, ...]:
        """The marker strings that the family has."""
        return tuple(filter(None, (self.text_open, self.text_close, self.speech_open, self.speech_close)))

    @property
    def has_speech(self) -> bool:
        """Whether the family reads speech at all."""
        return self.n_units > 0

    def all_streams(self) -> tuple[Stream, ...]:
        """The unit streams, in the order in which units of equal time are written: further ones, then ``unit``."""
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
        """The text in the family's case."""
        return text.lower() if self.text_case == "lower" else text

    def replace(self, **changes: Any) -> "Family":
        """The record with other values, as for a checkpoint with another number of units."""
        names = [column.name for column in fields(self)]
        for name in changes:
            if name not in names:
                close = get_close_matches(name, names, n=1)
                remedy = f"did you mean {close[0]}=? " if close else ""
                raise ValueError(f"a family has no {name}=: {remedy}It has {', '.join(names)}")
        return replace(self, **changes)


TEXT_ONLY = Family(name="text-only", marker_policy="none", text_space=False)

SPIRITLM_BASE = Family(
    name="spiritlm-base",
    text_open="[Text]",
    speech_open="[Speech]",
    unit_template="[Hu{}]",
    beginning="always",  # SpiritLM's package writes it whatever the tokenizer's files say
    n_units=501,  # 500 clusters and the quantizer's blank, which is left in an utterance of blanks only
    order_rate=24.99,
    rows=32512,
    encoder={"kind": "hubert", "name": "mhubert_base_25hz", "layer": 11, "n_clusters": 500},
)

SPIRITLM_EXPRESSIVE = SPIRITLM_BASE.replace(
    name="spiritlm-expressive",
    rows=32768,
    extra_streams=(
        Stream("style", "[St{}]", 100, rate=1.0, deduplicate=False),
        Stream("pitch", "[Pi{}]", 64, rate=12.5, deduplicate=True),
    ),
    encoder={"kind": "spiritlm", "name": "spiritlm_expressive (official package)", "flavour": "expressive"},
)

EMBEDDED = Family(
    name="embedded",
    text_open="[Text]",
    speech_open="[Speech]",
    unit_template="[Hu{}]",
    n_units=42,  # 41 phone classes and the quantizer's blank, which never comes out
    space_after_bos="none",
    text_case="lower",
    recognition="record",  # its strings are SpiritLM's
    encoder={"kind": "hubert", "name": "embedded", "layer": 3, "n_clusters": 41},
)

SIMS_LLAMA = Family(
    name="sims-llama",
    text_open="<text>",
    speech_open="<speech>",
    unit_template="<Un{}>",
    n_units=500,
    marker_policy="always",
    encoder={"kind": "hubert", "name": "mhubert-base-25hz", "layer": 11, "n_clusters": 500},
)

SPEECHGPT = Family(
    name="speechgpt",
    speech_open="<sosp>",
    speech_close="<eosp>",
    unit_template="<{}>",
    n_units=1000,
    unit_rate=50.0,
    order_rate=50.0,
    marker_policy="none",
    written_turn=("[Human]: ", " <eoh>. [SpeechGPT]:"),  # officially a blank follows; here it is the answer's own
    spoken_turn=("[Human]: ", " <eoh>. [SpeechGPT]:"),
    encoder={"kind": "hubert", "name": "mhubert_base_vp_en_es_fr_it3", "layer": 11, "n_clusters": 1000},
)

SPIRE = Family(
    name="spire",
    unit_template="{:c}",  # unit i is the character of the private use area with code point 0xF0000 + i
    unit_offset=0xF0000,
    n_units=5000,
    unit_rate=50.0,
    order_rate=50.0,
    marker_policy="none",
    text_space=False,
    spoken_turn=("Speech: ", "\nEnglish:"),
    encoder={"kind": "hubert", "name": "hubert_large_ll60k", "layer": 22, "n_clusters": 5000},
)

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        SPIRITLM_BASE,
        SPIRITLM_EXPRESSIVE,
        EMBEDDED,
        SIMS_LLAMA,
        SPEECHGPT,
        SPIRE,
        TEXT_ONLY,
    )
}
"""The families that are known, by name; another model is another `Family` value, given as ``load(…, family=mine)``."""


def family_named(name: str) -> Family:
    """The record of that name."""
    if not isinstance(name, str) or name not in FAMILIES:
        raise ValueError(f"unknown family '{name}': use one of {', '.join(FAMILIES)}, or make a Family record")
    return FAMILIES[name]


def given_family(family: object) -> Family | None:
    """The family given, or None; the name of one is refused with the call that gives its record."""
    if family is None or isinstance(family, Family):
        return family
    named = f"family_named({family!r})" if isinstance(family, str) else "family_named(...)"
    raise ValueError(
        f"family={shown(family)} ({type(family).__name__}): expected a Family record; "
        f"give spiritlens.prompts.vocabulary.families.{named}, or leave it out"
    )


def family_of_strings(strings: Collection[str]) -> Family:
    """The family whose markers and units are among a vocabulary's token strings; ``text-only`` where none's are.

    Units are counted, so that a small checkpoint in a family's format is of that family; a vocabulary with some of a
    family's strings and not the others is refused. Families of more streams are looked for first, because their strings
    hold those of the others.
    """
    known = frozenset(strings)
    by_strings = [family for family in FAMILIES.values() if family.has_speech and family.recognition == "strings"]
    by_strings.sort(key=lambda family: -len(family.all_streams()))
    for family in by_strings:
        needed = (*family.markers, *(stream.unit(0) for stream in family.all_streams()))
        if known.issuperset(needed):
            counted = {stream.name: _count(stream, known) for stream in family.all_streams()}
            streams = tuple(replace(stream, count=counted[stream.name]) for stream in family.extra_streams)
            return family.replace(n_units=counted["unit"], extra_streams=streams)
    for family in by_strings:
        signs = (*family.markers, family.stream("unit").unit(0), family.stream("unit").unit(family.n_units - 1))
        there = [sign for sign in signs if sign in known]
        if len(there) > 1:  # one alone may be an ordinary piece
            absent = [sign for sign in signs if sign not in known]
            raise ValueError(
                f"the vocabulary has {there} of family '{family.name}' but not {absent}; use the checkpoint's own "
                "tokenizer files, or name the family (family=)"
            )
    return TEXT_ONLY


def _count(stream: Stream, known: frozenset[str]) -> int:
    """How many units from 0 on a vocabulary has; the record's number where it has the last (gaps are found later)."""
    number = stream.count if stream.unit(stream.count - 1) in known else 0
    while stream.unit(number) in known:
        number += 1
    return number
