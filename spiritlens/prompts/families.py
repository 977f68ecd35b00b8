"""Families: how a unit language model writes speech into its vocabulary, as plain data.

A *unit language model* reads speech as discrete units of a speech encoder, one token each, beside ordinary text pieces;
*markers* tell where a modality begins. A family record says what the markers and units are called, how many there are,
when markers are written, how spaces and case are kept, and which encoder makes the units. A further family is a
further record here, not further code; `spiritlens.prompts.vocabulary` reads the ids from the tokenizer and checks them
against the record.

Sources: the papers' official packages as read (SpiritLM arXiv 2402.05755, SIMS arXiv 2504.02398, SpeechGPT arXiv
2305.11000); the embedded model is this project's own.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

MarkerPolicy = Literal["on_change", "always", "none"]
"""When a text marker ends the prompt: ``on_change`` after speech only (SpiritLM); ``always`` before any written answer (SIMS);
``none``: the family writes no text marker."""
SpaceAfterBos = Literal["none", "piece", "detect"]
"""Whether the blank piece ``▁`` stands between the beginning-of-sequence token and a first marker: never, always, or as the
tokenizer's layout tells (markers inside ``tokenizer.model``: yes; as added tokens: no)."""
TextCase = Literal["as_given", "lower"]


@dataclass(frozen=True)
class Stream:
    """A further unit stream that is interleaved with the main one: ``rate`` in units per second."""

    name: str
    template: str
    count: int
    rate: float
    deduplicate: bool

    def units(self) -> tuple[str, ...]:
        """The strings of all units of the stream, in order."""
        return tuple(self.template.format(index) for index in range(self.count))


@dataclass(frozen=True)
class Family:
    """One unit language model's way of writing speech and text into one vocabulary.

    ``unit_rate`` is the encoder's frames per second; ``order_rate`` the rate with which the official package dates units
    when it merges streams. ``first_unit_id`` is the id of unit 0 where the layout fixes it (None: read from the tokenizer).
    ``encoder`` names the speech encoder in plain values. ``text_space``: text after a marker carries one leading space.
    """

    name: str
    unit_template: str = ""
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
    extra_streams: tuple[Stream, ...] = ()
    order_rate: float = 25.0
    first_unit_id: int | None = None
    embedding_multiple: int = 1
    encoder: dict[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.n_units and "{}" not in self.unit_template:
            raise ValueError(
                f"family '{self.name}': the unit template '{self.unit_template}' has no '{{}}' for the unit's number"
            )
        if self.n_units and self.unit_rate <= 0:
            raise ValueError(f"family '{self.name}': unit_rate is {self.unit_rate}; give frames per second, above 0")

    @property
    def markers(self) -> tuple[str, ...]:
        """The marker strings that the family has."""
        return tuple(
            marker for marker in (self.text_open, self.text_close, self.speech_open, self.speech_close) if marker
        )

    @property
    def has_speech(self) -> bool:
        """Whether the family reads speech at all."""
        return self.n_units > 0

    def units(self) -> tuple[str, ...]:
        """The strings of all units, in order."""
        return tuple(self.unit_template.format(index) for index in range(self.n_units))

    def all_streams(self) -> tuple[Stream, ...]:
        """The further streams, then the main one: the order in which units of equal time are written."""
        return (*self.extra_streams, Stream("unit", self.unit_template, self.n_units, self.unit_rate, self.deduplicate))

    def cased(self, text: str) -> str:
        """The text in the family's case."""
        return text.lower() if self.text_case == "lower" else text

    def replace(self, **changes: Any) -> "Family":
        """The record with other values, as for a checkpoint with another number of units."""
        return replace(self, **changes)


TEXT_ONLY = Family(name="text-only", marker_policy="none", space_after_bos="none", text_space=False)

SPIRITLM_BASE = Family(
    name="spiritlm-base",
    text_open="[Text]",
    speech_open="[Speech]",
    unit_template="[Hu{}]",
    n_units=501,  # 500 clusters and the quantizer's blank, which stays in an utterance of blanks only
    order_rate=24.99,
    encoder={"kind": "hubert", "name": "mhubert_base_25hz", "layer": 11, "n_clusters": 500},
)

SPIRITLM_EXPRESSIVE = SPIRITLM_BASE.replace(
    name="spiritlm-expressive",
    extra_streams=(
        Stream("style", "[St{}]", 100, rate=1.0, deduplicate=False),
        Stream("pitch", "[Pi{}]", 64, rate=12.5, deduplicate=True),
    ),
)

EMBEDDED = Family(
    name="embedded",
    text_open="[Text]",
    speech_open="[Speech]",
    unit_template="[Hu{}]",
    n_units=40,
    space_after_bos="none",
    text_case="lower",
    embedding_multiple=8,
    encoder={"kind": "mel", "name": "embedded"},
)

SIMS_LLAMA = Family(
    name="sims-llama",
    text_open="<text>",
    speech_open="<speech>",
    unit_template="<Un{}>",
    n_units=500,
    marker_policy="always",
    space_after_bos="none",
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
    encoder={"kind": "hubert", "name": "mhubert_base_vp_en_es_fr_it3", "layer": 11, "n_clusters": 1000},
)

FAMILIES: dict[str, Family] = {
    family.name: family for family in (SPIRITLM_BASE, SPIRITLM_EXPRESSIVE, EMBEDDED, SIMS_LLAMA, SPEECHGPT, TEXT_ONLY)
}


def family_named(name: str) -> Family:
    """The record of that name."""
    if name not in FAMILIES:
        raise ValueError(f"unknown family '{name}': use one of {', '.join(FAMILIES)}, or make a Family record")
    return FAMILIES[name]


def family_of_strings(known: Iterable[str]) -> Family:
    """The family whose markers and units are among the token strings of a vocabulary; ``text-only`` when there are none.

    The number of units is counted, so that a small checkpoint in a family's format is of that family. The embedded model
    and SpiritLM share their strings: a folder's own ``spiritlens.json`` tells them apart, not this function.
    """
    strings = known if isinstance(known, (set, frozenset, dict)) else set(known)
    for family in (SPIRITLM_EXPRESSIVE, SPIRITLM_BASE, SIMS_LLAMA, SPEECHGPT):
        streams = family.all_streams()
        if all(marker in strings for marker in family.markers) and all(
            stream.template.format(0) in strings for stream in streams
        ):
            return _counted(family, strings)
    return TEXT_ONLY


def _counted(family: Family, strings: Iterable[str]) -> Family:
    """The record with the number of units that the vocabulary has, for the main stream and the further ones."""
    members = set(strings)

    def count(template: str) -> int:
        number = 0
        while template.format(number) in members:
            number += 1
        return number

    streams = tuple(replace(stream, count=count(stream.template)) for stream in family.extra_streams)
    return family.replace(n_units=count(family.unit_template), extra_streams=streams)
