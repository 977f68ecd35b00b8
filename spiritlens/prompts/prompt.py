"""A prompt: the tokens that a model hears or reads, and what each of them is.

One value carries everything that later rooms ask of a prompt. Axis ``pos``: one entry per token, the beginning-of-sequence
token included. Per token it knows the *family* (bos, marker, text, unit, pitch, style), the *modality* (none, text,
speech), the *word* it belongs to (-1: none, as in silence or in a marker), its *role* in the sentence and its *part*
within the subject (see `spiritlens.prompts.roles`), and, for speech, *start* and *end* in seconds of the audio of its
segment (NaN for text).

A *span* is a named set of positions that are corrupted, restored or read together: the subject, a word, a role.

The module needs no torch: prompts open on a laptop that only draws figures. `Prompt.tokens` imports torch when asked.
"""

import hashlib
import html
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from spiritlens.prompts.roles import ROLES, Part, Role

if TYPE_CHECKING:
    import torch

    from spiritlens.speech.waveform import Waveform

Kind = Literal["T2T", "S2T", "mixed"]
"""Told in writing (T2T), told in speech (S2T), or both in one prompt; the answer is asked for in writing."""
TokenFamily = Literal["bos", "marker", "text", "unit", "pitch", "style"]
Modality = Literal["none", "text", "speech"]

PER_TOKEN = ("ids", "labels", "families", "modalities", "word_index", "roles", "parts", "starts", "ends")


@dataclass(frozen=True)
class Span:
    """Positions of a prompt that are treated together; sorted, unique, at least one."""

    name: str
    positions: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "positions", tuple(int(position) for position in self.positions))
        if not self.positions:
            raise ValueError(f"span '{self.name}' has no positions; a span needs at least one")
        if any(b <= a for a, b in zip(self.positions, self.positions[1:], strict=False)) or self.positions[0] < 0:
            raise ValueError(f"span '{self.name}': positions must be sorted, unique and not negative: {self.positions}")

    @property
    def first(self) -> int:
        """The earliest position."""
        return self.positions[0]

    @property
    def last(self) -> int:
        """The latest position."""
        return self.positions[-1]

    def __len__(self) -> int:
        return len(self.positions)

    def __iter__(self) -> Iterator[int]:
        return iter(self.positions)

    def __contains__(self, position: object) -> bool:
        return position in self.positions


@dataclass(frozen=True, eq=False)
class Prompt:
    """Tokens with words, roles and times, the subject span, and the answer (with a foil) that is asked for.

    ``text`` is the string that the official package would build; tokenizing it gives ``ids``. ``answer_ids`` and
    ``foil_ids`` hold one id or several (in order). Two prompts are equal when their ``id``, a hash of their content, is.
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
    waveform: "Waveform | None" = field(default=None, repr=False)

    def __post_init__(self) -> None:
        lengths = {name: len(getattr(self, name)) for name in PER_TOKEN}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"the values per token differ in number: {lengths}; give one of each per token")
        if self.subject.last >= len(self.ids):
            raise ValueError(f"subject position {self.subject.last} lies outside the prompt's {len(self.ids)} tokens")
        if any(not -1 <= index < len(self.words) for index in self.word_index):
            raise ValueError(f"word_index {self.word_index} points outside the {len(self.words)} words {self.words}")
        if self.kind not in get_args(Kind):
            raise ValueError(f"unknown kind '{self.kind}': use one of {get_args(Kind)}")
        if not self.answer_ids:
            raise ValueError(f"answer '{self.answer}' has no token ids; give the ids of its written form")

    @property
    def tokens(self) -> "torch.Tensor":
        """Token ids as a LongTensor [1 pos], ready for ``lens.model.run_with_cache``."""
        import torch

        return torch.tensor([self.ids], dtype=torch.long)

    @property
    def id(self) -> str:
        """Sixteen hex digits of the SHA-256 of the content: ids, subject, answer and foil. Noise is drawn from it."""
        content = [self.ids, self.subject.positions, self.answer_ids, self.foil_ids]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]

    @property
    def n_tokens(self) -> int:
        """Number of tokens, beginning-of-sequence token included."""
        return len(self.ids)

    @property
    def subject_words(self) -> str:
        """The subject as it stands in the words."""
        return self.subject.name

    def __len__(self) -> int:
        return len(self.ids)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Prompt) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    # ---- spans -------------------------------------------------------------------------------------------------------

    def span(self, where: "str | int | slice | Span | Iterable[int]", occurrence: int | None = None) -> Span:
        """A span by name: ``"subject"``, ``"last token"``, a role, a word (``occurrence`` says which one, from 0), or by positions.

        Negative positions count from the end.
        """
        if isinstance(where, Span):
            return self._inside(where)
        if isinstance(where, str):
            return self._named(where, occurrence)
        if isinstance(where, slice):
            positions: Iterable[int] = range(len(self))[where]
        else:
            positions = [where] if isinstance(where, int) else where
        resolved = sorted({self._position(position) for position in positions})
        return Span(f"positions {_ranges(resolved)}", tuple(resolved))

    def _named(self, name: str, occurrence: int | None) -> Span:
        if name == "subject":
            return Span("subject", self.subject.positions)
        if name == "last token":
            return Span(name, (len(self) - 1,))
        roles = self.role_spans()
        if name in roles:
            return roles[name]
        found = [span for span in self.word_spans() if span.name.casefold() == name.casefold()]
        if not found:
            raise ValueError(
                f"no span '{name}': use 'subject', 'last token', a role of {tuple(roles)}, one of the words {self.words}, or positions"
            )
        if len(found) > 1 and occurrence is None:
            where = ", ".join(f"occurrence={index} at {span.positions}" for index, span in enumerate(found))
            raise ValueError(f"the word '{name}' occurs {len(found)} times; say which: {where}")
        index = occurrence or 0
        if not -len(found) <= index < len(found):
            raise ValueError(
                f"occurrence={index} of the word '{name}', which occurs {len(found)} time(s); use 0 to {len(found) - 1}"
            )
        return found[index]

    def role_spans(self) -> dict[Role, Span]:
        """The positions of each role that the prompt has, in the order of `ROLES`."""
        return {
            role: Span(role, tuple(position for position, found in enumerate(self.roles) if found == role))
            for role in ROLES
            if role in self.roles
        }

    def word_spans(self) -> tuple[Span, ...]:
        """One span per word that has tokens, in order. Words that share one interval of speech form one span."""
        spans = []
        for index, _ in enumerate(self.words):
            positions = tuple(position for position, word in enumerate(self.word_index) if word == index)
            if positions:
                spans.append(Span(self._word_name(index), positions))
        return tuple(spans)

    def _word_name(self, index: int) -> str:
        """The word, with the words without tokens that follow it: they share its interval."""
        names = [self.words[index]]
        for later in range(index + 1, len(self.words)):
            if later in self.word_index:
                break
            names.append(self.words[later])
        return " ".join(names)

    def dilate(self, span: Span, by: int = 1) -> Span:
        """The span with ``by`` more tokens on each side, never leaving its modality or crossing a marker."""
        grown = set(self._inside(span).positions)
        for _ in range(by):
            neighbours = {(here, here + step) for here in grown for step in (-1, 1)}
            grown |= {there for here, there in neighbours if 0 <= there < len(self) and self._same_segment(here, there)}
        return Span(f"{span.name} +{by}", tuple(sorted(grown)))

    def erode(self, span: Span, by: int = 1) -> Span:
        """The span without its ``by`` outermost tokens on each side; refused when nothing would be left."""
        kept = self._inside(span).positions[by : len(span) - by]
        if not kept:
            raise ValueError(
                f"span '{span.name}' has {len(span)} token(s): eroding {by} on each side leaves none; use a smaller 'by'"
            )
        return Span(f"{span.name} -{by}", kept)

    def _same_segment(self, here: int, there: int) -> bool:
        return self.modalities[here] == self.modalities[there] != "none" and self.families[there] != "marker"

    def _inside(self, span: Span) -> Span:
        if span.last >= len(self):
            raise ValueError(
                f"span '{span.name}' reaches position {span.last}; the prompt has {len(self)} tokens (0 to {len(self) - 1})"
            )
        return span

    def _position(self, position: int) -> int:
        if not -len(self) <= position < len(self):
            raise ValueError(f"position {position} lies outside the prompt's {len(self)} tokens")
        return int(position) % len(self)

    # ---- rows of prompts.parquet -------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Plain values (lists, strings, numbers) of one row of ``prompts.parquet``. The sound itself stays in its wav (``audio``)."""
        row: dict[str, Any] = {"id": self.id}
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if name == "subject":
                row |= {"subject": value.name, "subject_positions": list(value.positions)}
            elif name != "waveform":
                row[name] = list(value) if isinstance(value, tuple) else value
        return row

    @classmethod
    def from_dict(cls, row: Mapping[str, Any], waveform: "Waveform | None" = None) -> "Prompt":
        """The prompt of a row that `to_dict` wrote; refused when the stored id is not that of the content."""
        values: dict[str, Any] = {}
        for name in cls.__dataclass_fields__:
            if name == "subject":
                values[name] = Span(str(row["subject"]), tuple(int(position) for position in row["subject_positions"]))
            elif name != "waveform":
                value = row[name]
                values[name] = value if isinstance(value, str) else tuple(_plain(item) for item in value)
        prompt = cls(waveform=waveform, **values)
        if "id" in row and row["id"] != prompt.id:
            raise ValueError(
                f"the stored prompt id {row['id']} is not that of its content ({prompt.id}); the row was changed after it was written"
            )
        return prompt

    # ---- showing itself ----------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        rows = [HEADER, *self._rows()]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([self._title(), *lines])

    def _repr_html_(self) -> str:
        head = "".join(f"<th style='text-align:left'>{html.escape(cell)}</th>" for cell in HEADER)
        body = "".join(
            "<tr>" + "".join(f"<td style='text-align:left'>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self._rows()
        )
        audio = self.waveform._repr_html_() if self.waveform is not None else ""
        return f"<p>{html.escape(self._title())}</p>{audio}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _title(self) -> str:
        foil = f", foil '{self.foil}'" if self.foil else ""
        voice = f", voice {self.voice}" if self.voice else ""
        return f"Prompt {self.id} {self.kind}: {len(self)} tokens, subject '{self.subject.name}', answer '{self.answer}'{foil}{voice}"

    def _rows(self) -> list[tuple[str, ...]]:
        rows = []
        for position, label in enumerate(self.labels):
            word = self.words[self.word_index[position]] if self.word_index[position] >= 0 else ""
            timed = not math.isnan(self.starts[position])
            time = f"{self.starts[position]:.2f}–{self.ends[position]:.2f} s" if timed else ""
            part = self.parts[position] if self.parts[position] != "none" else ""
            rows.append(
                (
                    str(position),
                    label,
                    str(self.ids[position]),
                    self.families[position],
                    word,
                    self.roles[position],
                    part,
                    time,
                )
            )
        return rows


HEADER = ("pos", "token", "id", "family", "word", "role", "part", "time")


def _plain(value: Any) -> Any:
    """A Python number or string out of a numpy scalar, as parquet readers give them."""
    return value.item() if hasattr(value, "item") else value


def _ranges(positions: list[int]) -> str:
    """``0-3, 7`` for ``[0, 1, 2, 3, 7]``."""
    parts: list[list[int]] = []
    for position in positions:
        if parts and position == parts[-1][-1] + 1:
            parts[-1].append(position)
        else:
            parts.append([position])
    return ", ".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts)
