"""A prompt: the tokens that a model reads, of text and of speech, and what each of them is.

One value carries everything that methods ask of a prompt. Axis ``pos``: one entry per token, the token that begins
the sequence included. Per token it knows the *family* (bos, marker, text, unit, pitch, style), the *modality* (none,
text, speech), the *word* it belongs to (-1: none, as in silence or in a marker), its *role* in the sentence and its
*part* within the subject (see `spiritlens.prompts.roles`), and, for speech, *start* and *end* in seconds of the audio
of its segment (NaN for text).

A *span* is a named set of positions that are corrupted, restored or read together: the subject, a word, a role.

The module needs no torch: prompts open on a laptop that only draws figures. `Prompt.tokens` imports torch when asked.
"""

import hashlib
import html
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args

from spiritlens.arguments import check_choice, number, shown, whole, written
from spiritlens.prompts.origin import Origin
from spiritlens.prompts.prompt_values import HEARD_NUMBERS, HEARD_TEXTS, TEXTS, column_values, is_missing
from spiritlens.prompts.spans import Span, Where, ranges_text, required_span
from spiritlens.terms import PARTS, ROLES, FoilRule, Kind, Modality, Part, Role, TokenFamily
from spiritlens.text_tables import html_table, text_table

if TYPE_CHECKING:
    import torch

    from spiritlens.speech.audio.waveform import Waveform

__all__ = ["Kind", "Modality", "Prompt", "Span", "TokenFamily", "Where"]


PER_TOKEN = ("ids", "labels", "families", "modalities", "word_index", "roles", "parts", "starts", "ends")
CLOSED_SETS = {
    "families": get_args(TokenFamily),
    "modalities": get_args(Modality),
    "roles": ROLES,
    "parts": PARTS,
}


@dataclass(frozen=True, eq=False, repr=False)
class Prompt:
    """Tokens with words, roles and times, the subject's span, and the answer (with a foil) that is asked for.

    ``text`` is the string that the official package would build; tokenizing it gives ``ids``. ``answer_ids`` and
    ``foil_ids`` hold one id or several, in order. ``vocabulary`` is the hash of the vocabulary whose ids these are,
    ``encoder`` that of the speech encoder that made the units ("" where it is not known). A prompt without a subject
    has an empty span for it, one without an answer no ``answer_ids``. With the ``foil_rule`` "runner-up" the foil is
    the model's (`spiritlens.runs.foils`). ``aliases`` are other names of the answer. What was ``heard`` by which
    ``recogniser``, the word errors and the units that it would change are those of `spiritlens.recognise` (NaN: not
    measured). Prompts are equal when their ``id``, a hash of their content but for the aliases, is.
    """

    ids: tuple[int, ...]
    text: str
    labels: tuple[str, ...]
    families: tuple[TokenFamily, ...]
    modalities: tuple[Modality, ...]
    words: tuple[str, ...]
    word_index: tuple[int, ...]
    roles: tuple[Role, ...]
    parts: tuple[Part, ...]
    starts: tuple[float, ...]
    ends: tuple[float, ...]
    subject: Span
    answer: str
    answer_ids: tuple[int, ...]
    kind: Kind
    foil: str = ""
    foil_ids: tuple[int, ...] = ()
    fact_id: str = ""
    relation: str = ""
    phrasing: str = ""
    voice: str = ""
    group: str = ""
    audio: str = ""
    vocabulary: str = ""
    encoder: str = ""
    foil_rule: FoilRule = "own"
    recogniser: str = ""
    heard: str = ""
    word_error: float = math.nan
    subject_word_error: float = math.nan
    subject_units_changed: float = math.nan
    subject_share_changed: float = math.nan
    aliases: tuple[str, ...] = ()
    waveform: "Waveform | None" = field(default=None, metadata={"stored": False})

    def __post_init__(self) -> None:
        self._take_values()
        lengths = {name: len(getattr(self, name)) for name in PER_TOKEN}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"the values per token differ in number: {lengths}; give one of each per token")
        for name, allowed in CLOSED_SETS.items():
            unknown = set(getattr(self, name)) - set(allowed)
            if unknown:
                raise ValueError(f"unknown {name}: {sorted(unknown)}; use {', '.join(allowed)}")
        if any(not -1 <= index < len(self.words) for index in self.word_index):
            raise ValueError(f"word_index {self.word_index} points outside the {len(self.words)} words {self.words}")
        self._inside(self.subject)
        if self.answer and not self.answer_ids:
            raise ValueError(f"answer '{self.answer}' has no token ids; give the ids of its written form")

    def _take_values(self) -> None:
        """Texts are texts, columns are tuples of Python's own numbers and texts: each is read once and checked."""
        for name in TEXTS:
            written(name, getattr(self, name), blank="allowed")
        check_choice("kind", self.kind, Kind)
        check_choice("foil_rule", self.foil_rule, FoilRule)
        if not isinstance(self.subject, Span):
            raise ValueError(f"subject={shown(self.subject)}: expected a Span of the subject's positions")
        for name in HEARD_NUMBERS:
            value = getattr(self, name)
            object.__setattr__(self, name, math.nan if is_missing(value) else number(name, value, at_least=0))
        for name in (*PER_TOKEN, "words", "answer_ids", "foil_ids", "aliases"):
            object.__setattr__(self, name, column_values(name, getattr(self, name)))

    @property
    def tokens(self) -> "torch.Tensor":
        """Token ids as a LongTensor [1 pos], ready for ``lens.model.run_with_cache``."""
        import torch

        return torch.tensor([self.ids], dtype=torch.long, device="cpu")

    @property
    def origin(self) -> Origin:
        """Where it comes from, as `Lens.text` and its like take it; columns of their own in ``prompts.parquet``."""
        return Origin(self.fact_id, self.relation, self.phrasing, self.voice, self.group, self.audio, self.aliases)

    @cached_property
    def id(self) -> str:
        """Sixteen hex digits of the SHA-256 of ids, subject, answer, own foil and voice. Noise is drawn from it."""
        return self._digest([self.voice] if self.voice else [])

    def _digest(self, more: list[str]) -> str:
        own = self.foil_ids if self.foil_rule == "own" else ()
        numbers = [[*self.ids], [*self.subject.positions], [*self.answer_ids], [*own]]
        content = ", ".join([str(numbers)[1:-1], *map(json.dumps, more)])  # as JSON, which spells numbers as `str` does
        return hashlib.sha256(f"[{content}]".encode()).hexdigest()[:16]

    @property
    def cautions(self) -> tuple[str, ...]:
        """What to bear in mind when results of this prompt are read; empty for most prompts."""
        notes = []
        if self.subject and self.subject.first < 2:
            notes.append(
                f"the subject begins at position {self.subject.first}, which many models use as an attention sink: "
                "corrupting it disturbs more than the fact"
            )
        if self.foil_ids and self.answer_ids[0] == self.foil_ids[0]:
            notes.append(
                f"answer and foil begin with the same token ({self.answer_ids[0]}): the difference of their first "
                "logits is always 0; compare whole answers"
            )
        return tuple(notes)

    def __len__(self) -> int:
        return len(self.ids)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Prompt) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    # ---- showing -----------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return "\n".join([self._title(), text_table(self._rows()), *self._notes()])

    def _repr_html_(self) -> str:
        """The table for a notebook, under a player where the prompt has its sound."""
        sound = self.waveform._repr_html_() if self.waveform is not None else ""
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self._notes())
        return f"<p>{html.escape(self._title())}</p>{sound}{html_table(self._rows())}{notes}"

    def _title(self) -> str:
        """One line: id, kind, number of tokens, and subject, answer, foil and voice where there are any."""
        about = (("subject", self.subject.name), ("answer", self.answer), ("foil", self.foil))
        named = "".join(f", {what} '{text}'" for what, text in about if text)
        voice = f", voice {self.voice}" if self.voice else ""
        return f"Prompt {self.id}: {self.kind}, {len(self)} tokens{named}{voice}"

    def _rows(self) -> list[tuple[str, ...]]:
        """A header, and one row per token; times in seconds."""
        rows: list[tuple[str, ...]] = [("pos", "token", "id", "family", "word", "role", "part", "time")]
        for at, (label, word, start) in enumerate(zip(self.labels, self.word_index, self.starts, strict=True)):
            time = "" if math.isnan(start) else f"{start:.2f}–{self.ends[at]:.2f} s"
            part = "" if self.parts[at] == "none" else self.parts[at]
            named = self.words[word] if word >= 0 else ""
            rows.append((str(at), label, str(self.ids[at]), self.families[at], named, self.roles[at], part, time))
        return rows

    def _notes(self) -> list[str]:
        return [f"Caution: {note}" for note in self.cautions]

    # ---- spans -------------------------------------------------------------------------------------------------------

    def span(self, where: Where, occurrence: int | None = None) -> Span:
        """A span by name (`spiritlens.prompts.spans` has the table) or by positions (negative ones count from the end).

        ``occurrence`` says which one, from 0, where a word occurs several times.
        """
        if occurrence is not None:
            whole("occurrence", occurrence)
        if isinstance(where, str):
            return required_span(self, where, occurrence)
        if occurrence is not None:
            raise ValueError(
                f"occurrence={occurrence} says which of several words is meant, but {shown(where)} is none"
            )
        if isinstance(where, Span):
            return self._inside(where)
        positions = sorted({self._position(position) for position in self._chosen(where)})
        if not positions:
            raise ValueError(f"{shown(where)} holds none of the prompt's {len(self)} positions; a span needs one")
        return Span(ranges_text(positions), tuple(positions))

    def _chosen(self, where: Any) -> Iterable[Any]:
        """The positions that are meant by one position, a slice, or several."""
        if isinstance(where, slice):
            try:
                return range(len(self))[where]
            except (TypeError, ValueError):
                raise ValueError(f"{where}: a slice of positions has whole numbers, and a step that is not 0") from None
        if isinstance(where, Iterable) and not isinstance(where, bytes) and getattr(where, "ndim", 1) != 0:
            return tuple(where)
        return [where]

    def role_spans(self) -> dict[str, Span]:
        """The positions of each role that the prompt has, in the order of `ROLES`."""
        positions = {role: tuple(at for at, found in enumerate(self.roles) if found == role) for role in ROLES}
        return {role: Span(role, found) for role, found in positions.items() if found}

    def word_spans(self) -> tuple[Span, ...]:
        """One span per word that has tokens, in order. A spoken word without a unit joins the one before."""
        spans = []
        for index in sorted(set(self.word_index) - {-1}):
            positions = tuple(at for at, word in enumerate(self.word_index) if word == index)
            spans.append(Span(self._name(index, positions), positions))
        return tuple(spans)

    def _name(self, index: int, positions: tuple[int, ...]) -> str:
        """The word; in speech with the words without units that follow it, as where words share one interval."""
        names = [self.words[index]]
        if self.modalities[positions[0]] == "speech":
            for later in range(index + 1, len(self.words)):
                if later in self.word_index:
                    break
                names.append(self.words[later])
        return " ".join(names)

    def dilate(self, span: Where, by: int = 1) -> Span:
        """The span with up to ``by`` more tokens on each side, never into another modality or across a marker."""
        span, by = self.span(span), whole("by", by, at_least=0)
        grown = set(span.positions)
        for _ in range(min(by, len(self))):
            neighbours = {(here, here + step) for here in grown for step in (-1, 1)}
            grown |= {there for here, there in neighbours if self._same_segment(here, there)}
        return Span(f"{span.name} dilated by {by}", tuple(sorted(grown)))

    def erode(self, span: Where, by: int = 1) -> Span:
        """The span without its ``by`` outermost tokens on each side; refused where none would be left."""
        span, by = self.span(span), whole("by", by, at_least=0)
        kept = span.positions[by : len(span) - by]
        if not kept:
            raise ValueError(
                f"span '{span.name}' has {len(span)} token(s), so {by} from each side leave none; use a smaller 'by'"
            )
        return Span(f"{span.name} eroded by {by}", kept)

    def _same_segment(self, here: int, there: int) -> bool:
        if not 0 <= there < len(self):
            return False
        return self.modalities[here] == self.modalities[there] != "none"

    def _inside(self, span: Span) -> Span:
        if span and span.last >= len(self):
            raise ValueError(
                f"span '{span.name}' reaches position {span.last}, but the prompt has {len(self)} tokens "
                f"(0 to {len(self) - 1})"
            )
        return span

    def _position(self, position: Any) -> int:
        at = whole("position", position)
        if not -len(self) <= at < len(self):
            raise ValueError(f"position {at} lies outside the prompt's {len(self)} tokens (0 to {len(self) - 1})")
        return at % len(self)

    # ---- rows of prompts.parquet -------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Plain values of one row of ``prompts.parquet``; the sound stays in its wav, which ``audio`` names."""
        row: dict[str, Any] = {"id": self.id, "subject_positions": list(self.subject.positions)}
        for column in _stored():
            value = getattr(self, column)
            row[column] = value.name if column == "subject" else list(value) if isinstance(value, tuple) else value
        return row

    @classmethod
    def from_dict(cls, row: Mapping[str, Any], waveform: "Waveform | None" = None) -> "Prompt":
        """The prompt of a row that `to_dict` wrote; refused where the stored id is not that of the content.

        A row of version 0.1 has no ``vocabulary`` and an id that does not count the voice; it is read as it was meant.
        """
        if not hasattr(row, "keys"):
            raise ValueError(f"row={shown(row)} ({type(row).__name__}): expected a mapping, as Prompt.to_dict gives it")
        row = {str(column): row[column] for column in row.keys()}  # noqa: SIM118 (a row of pandas iterates its values)
        written_by_0_1 = is_missing(row.get("vocabulary"))
        for column in ("vocabulary", "encoder", *HEARD_TEXTS):
            row[column] = "" if is_missing(row.get(column)) else row[column]
        row |= {column: row.get(column) for column in HEARD_NUMBERS}
        row["aliases"] = () if is_missing(row.get("aliases")) else row["aliases"]
        missing = [column for column in ("id", "subject_positions", *_stored()) if column not in row]
        if missing:
            raise ValueError(f"the row lacks {missing}; give a row that Prompt.to_dict wrote")
        values: dict[str, Any] = {column: row[column] for column in _stored()}
        values["subject"] = Span(row["subject"], row["subject_positions"])
        prompt = cls(**values, waveform=waveform)
        if row["id"] != (prompt._digest([]) if written_by_0_1 else prompt.id):
            raise ValueError(
                f"the row's id {row['id']} is not that of its content, {prompt.id}: it was changed after it was written"
                "; build the prompt anew"
            )
        return prompt


def _stored() -> tuple[str, ...]:
    return tuple(column.name for column in fields(Prompt) if column.metadata.get("stored", True))
