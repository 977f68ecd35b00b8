"""Spans: positions of a prompt that are treated together, under a name; and the names that all prompts know.

This is the one grammar of names. ``prompt.span(name)``, ``at=`` of interventions and of paths, ``spans=`` of grids and
both ends of an attention edge understand

=====================================  =================================================================================
name                                   tokens
=====================================  =================================================================================
``all``                                every token
``all but the beginning``              every token but the one that begins the sequence
``last token``                         the last one, where the answer is read
``bos``, ``final marker``, … (a role)  the tokens of that role (`spiritlens.prompts.roles`)
``subject``                            the subject
``subject first|middle|last``          its first, its inner, its last tokens; of a subject of one token: ``last``
``relation``                           the tokens of the words outside the subject
``text``, ``speech``                   the tokens of that modality, markers and the beginning apart
``position 5``, ``positions 5 6 -1``   tokens by number, from the end where negative
a word                                 the tokens of that word, in any letter case; a name above is never a word
``… +k``, ``… -k``                     a span with k tokens more or fewer on each side, within its segment
=====================================  =================================================================================

*Absence.* A name that the prompt understands and has no tokens for (a written prompt's ``speech``, a position behind
its end, a span of two tokens ``-1``) is absent: `find_span` gives None, and a grid marks the site absent;
``prompt.span`` refuses it. A name that no prompt understands, and a word that is not in this one, are refused by both.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol

from spiritlens.arguments import listed, whole, written
from spiritlens.terms import ROLES, SUBJECT_PARTS

EVERY_TOKEN = "all"
EVERYWHERE = "all but the beginning"
"""Every token but the one that begins the sequence, whose value no knock-out should touch."""

NUMBERS = re.compile(r"positions? (-?\d{1,9}(?: -?\d{1,9})*)")
GROWN = re.compile(r"(.+) ([+-])(\d{1,6})")


@dataclass(frozen=True)
class Span:
    """Positions of a prompt that are treated together; sorted, unique, at least one (none has only no name)."""

    name: str
    positions: tuple[int, ...]

    def __post_init__(self) -> None:
        written("name of the span", self.name, blank="allowed")
        given = listed(f"positions of span '{self.name}'", self.positions, empty=True)
        positions = tuple(whole(f"a position of span '{self.name}'", position) for position in given)
        object.__setattr__(self, "positions", positions)
        if not self.positions and not self.name:
            return  # the subject of a prompt that has none
        if not self.positions:
            raise ValueError(f"span '{self.name}' has no positions; a span needs at least one")
        if self.positions[0] < 0 or list(self.positions) != sorted(set(self.positions)):
            raise ValueError(
                f"span '{self.name}' has the positions {self.positions}; they must be sorted, unique and not negative"
            )

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


Where = str | int | slice | Span | Iterable[int]
"""What `Prompt.span` understands: a name, a position, a slice, a span, or positions."""


def ranges_text(positions: list[int]) -> str:
    """``0-3, 7`` for ``[0, 1, 2, 3, 7]``."""
    runs: list[list[int]] = []
    for position in positions:
        if runs and position == runs[-1][-1] + 1:
            runs[-1].append(position)
        else:
            runs.append([position])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


class SpannedTokens(Protocol):
    """What the names are read from: a `spiritlens.prompts.prompt.Prompt`."""

    @property
    def subject(self) -> Span: ...
    @property
    def roles(self) -> Sequence[str]: ...
    @property
    def parts(self) -> Sequence[str]: ...
    @property
    def families(self) -> Sequence[str]: ...
    @property
    def modalities(self) -> Sequence[str]: ...
    @property
    def words(self) -> Sequence[str]: ...
    @property
    def word_index(self) -> Sequence[int]: ...
    def __len__(self) -> int: ...
    def word_spans(self) -> tuple[Span, ...]: ...
    def dilate(self, span: Span, by: int) -> Span: ...
    def erode(self, span: Span, by: int) -> Span: ...


def find_span(prompt: SpannedTokens, name: str, occurrence: int | None = None) -> Span | None:
    """The span of that name; None where this prompt has no such tokens (see the module's docstring).

    `occurrence` says which one, from 0, where a word occurs several times.
    """
    fixed, numbers, grown = _fixed(prompt), NUMBERS.fullmatch(name), GROWN.fullmatch(name)
    if occurrence is not None and (name in fixed or numbers):
        raise ValueError(f"occurrence={occurrence} says which of several words is meant, but there is one '{name}'")
    if name in fixed:
        return Span(name, tuple(fixed[name])) if fixed[name] else None
    if numbers:
        size, chosen = len(prompt), [int(number) for number in numbers[1].split()]
        inside = all(-size <= number < size for number in chosen)
        return Span(name, tuple(sorted({number % size for number in chosen}))) if inside else None
    if not grown:
        return _word(prompt, name, occurrence)
    span, by = find_span(prompt, grown[1], occurrence), min(int(grown[3]), len(prompt))
    if span is None or (grown[2] == "-" and len(span) <= 2 * by):
        return None
    return prompt.dilate(span, by) if grown[2] == "+" else prompt.erode(span, by)


def required_span(prompt: SpannedTokens, name: str, occurrence: int | None = None) -> Span:
    """The span of that name; refused where this prompt has no such tokens."""
    found = find_span(prompt, name, occurrence)
    if found is None and name == "subject":
        raise ValueError("the prompt has no subject; give subject=… when it is built")
    if found is None:
        raise ValueError(f"the prompt has no tokens of '{name}': {_there(prompt)}")
    return found


def _fixed(prompt: SpannedTokens) -> dict[str, list[int]]:
    """The positions of every fixed name; none where the prompt has no such tokens."""
    tokens = range(len(prompt))
    content = [at for at in tokens if prompt.families[at] not in ("bos", "marker")]
    return {
        EVERY_TOKEN: list(tokens),
        EVERYWHERE: [at for at in tokens if prompt.families[at] != "bos"],
        "last token": [len(prompt) - 1],
        **{role: [at for at in tokens if prompt.roles[at] == role] for role in ROLES},
        "subject": list(prompt.subject),
        **{name: [at for at in tokens if name == f"subject {prompt.parts[at]}"] for name in SUBJECT_PARTS},
        "relation": [at for at in tokens if prompt.word_index[at] >= 0 and at not in prompt.subject],
        **{modality: [at for at in content if prompt.modalities[at] == modality] for modality in ("text", "speech")},
    }


def _word(prompt: SpannedTokens, name: str, occurrence: int | None) -> Span:
    """The word, or the one of several that `occurrence` says."""
    spans, wanted = prompt.word_spans(), name.casefold()
    found = [span for span in spans if wanted in (span.name.casefold(), *span.name.casefold().split())]
    if not found:
        close = get_close_matches(name, [*_fixed(prompt), *prompt.words], n=1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        raise ValueError(f"no span '{name}': {hint}{_there(prompt)}")
    if len(found) > 1 and occurrence is None:
        places = ", ".join(f"occurrence={n} at {ranges_text(list(span))}" for n, span in enumerate(found))
        raise ValueError(
            f"the word '{name}' occurs {len(found)} times; say which one: {places}; in a list of names, write "
            f"'positions {' '.join(map(str, found[0]))}'"
        )
    index = occurrence or 0
    if not -len(found) <= index < len(found):
        raise ValueError(f"occurrence={index}, but the word '{name}' occurs {len(found)} time(s)")
    return found[index]


def _there(prompt: SpannedTokens) -> str:
    """The names that the prompt has, for an error."""
    names = ", ".join(name for name, positions in _fixed(prompt).items() if positions)
    return (
        f"use {names}, a word ({' '.join(prompt.words)}), or positions 0 to {len(prompt) - 1} as 'positions 0 1'; "
        "'+1' or '-1' after it widens or narrows it"
    )
