"""Sites of a tracing grid: which tokens are restored together, and what is known of them.

``token``: each token alone (axis ``pos``). ``word``: all tokens of a word, and each marker and the beginning of the
sequence as a span of its own (axis ``span``). ``span``: named spans, see `named_span` (axis ``span``). ``role``: all
tokens of a role (axis ``role``, always the seven roles; those that a prompt lacks are absent).

Spans make modalities comparable: a written word is one or two tokens, a spoken one five to fifteen units.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spiritlens.effects.schema import At
from spiritlens.prompts.prompt import Prompt, Span
from spiritlens.prompts.roles import PARTS, ROLES

TOKEN_SETS = ("relation", "speech", "text")
DEFAULT_SPANS = ("subject", "subject +1", "subject -1", "last token")


@dataclass(frozen=True)
class GridSites:
    """Spans of a prompt in the order of the site axis (None: absent), with the axis's coordinates ``[site]``."""

    at: At
    spans: tuple[Span | None, ...]
    coordinates: dict[str, Any]


def grid_sites(prompt: Prompt, at: At, spans: Sequence[str] = DEFAULT_SPANS) -> GridSites:
    """The sites of a prompt; `spans` names them where at="span"."""
    if at == "token":
        return GridSites(at, tuple(Span(label, (pos,)) for pos, label in enumerate(prompt.labels)), _tokens(prompt))
    if at == "role":
        found: dict[str, Span] = {str(role): span for role, span in prompt.role_spans().items()}
        roles = tuple(found.get(role) for role in ROLES)
        return GridSites(at, roles, {"role": list(ROLES), "n_tokens": [len(span) if span else 0 for span in roles]})
    if at == "word":
        words = tuple(sorted((*prompt.word_spans(), *_single_tokens(prompt)), key=lambda span: span.positions))
        return GridSites(at, words, _spans(prompt, words, [span.name for span in words]))
    if at == "span":
        if not spans:
            raise ValueError(
                "at='span' needs spans: names such as 'subject', 'subject +1', 'last token', a role or a word"
            )
        named = tuple(named_span(prompt, name) for name in spans)
        return GridSites(at, named, _spans(prompt, named, list(spans)))
    raise ValueError(f"at={at!r}: expected 'token', 'word', 'span' or 'role'")


def named_span(prompt: Prompt, name: str) -> Span | None:
    """A span by name; None where this prompt has no such tokens or is too short for it.

    ``subject``, ``last token``, a role or a word; ``subject first|middle|last``: the tokens of that part of the
    subject; ``relation``: the words outside the subject; ``speech``, ``text``: all tokens of a modality, markers apart;
    ``position 5``, ``positions 5 6 -1``: tokens by number (from the end where negative); ``… +k`` and, of all names but
    numbers, ``… -k``: k tokens more or less on each side (how much an error of alignment would matter).
    """
    if name in TOKEN_SETS:
        return _token_set(prompt, name)
    if name in ROLES:
        return prompt.role_spans().get(name)
    numbers = re.fullmatch(r"positions? (-?\d{1,9}(?: -?\d{1,9})*)", name)
    if numbers:
        chosen = [int(number) for number in numbers.group(1).split()]
        inside = all(-len(prompt) <= number < len(prompt) for number in chosen)
        return Span(name, prompt.span(chosen).positions) if inside else None
    part = re.fullmatch(rf"subject ({'|'.join(PARTS[:-1])})", name)
    if part:
        positions = tuple(at for at, found in enumerate(prompt.parts) if found == part.group(1))
        return Span(name, positions) if positions else None
    edge = re.fullmatch(r"(.+) ([+-])(\d{1,6})", name)
    if not edge:
        return prompt.span(name)
    span, by = named_span(prompt, edge.group(1)), min(int(edge.group(3)), len(prompt))
    if span is None:
        return None
    if edge.group(2) == "+":
        return prompt.dilate(span, by)
    return prompt.erode(span, by) if len(span) > 2 * by else None


def _token_set(prompt: Prompt, name: str) -> Span | None:
    """The words outside the subject, or all tokens of a modality."""
    if name == "relation":
        found = [at for at, word in enumerate(prompt.word_index) if word >= 0 and at not in prompt.subject]
    else:
        tokens = enumerate(zip(prompt.modalities, prompt.families, strict=True))
        found = [at for at, (modality, family) in tokens if modality == name and family not in ("bos", "marker")]
    return Span(name, tuple(found)) if found else None


def _single_tokens(prompt: Prompt) -> tuple[Span, ...]:
    return tuple(
        Span(prompt.labels[pos], (pos,)) for pos, family in enumerate(prompt.families) if family in ("bos", "marker")
    )


def _tokens(prompt: Prompt) -> dict[str, Any]:
    return {
        "token": list(prompt.labels),
        "token_family": list(prompt.families),
        "token_modality": list(prompt.modalities),
        "role": list(prompt.roles),
        "part": list(prompt.parts),
        "word": [prompt.words[index] if index >= 0 else "" for index in prompt.word_index],
        "word_index": list(prompt.word_index),
        "start": list(prompt.starts),
        "end": list(prompt.ends),
    }


def _spans(prompt: Prompt, spans: Sequence[Span | None], names: Sequence[str]) -> dict[str, Any]:
    """Coordinates of the span axis; the role of a span is that of its first token."""
    times = [_times(prompt, span) for span in spans]
    return {
        "span_name": list(names),
        "span_role": [prompt.roles[span.positions[0]] if span else "" for span in spans],
        "start": [start for start, _ in times],
        "end": [end for _, end in times],
        "n_tokens": [len(span) if span else 0 for span in spans],
    }


def _times(prompt: Prompt, span: Span | None) -> tuple[float, float]:
    if span is None:
        return math.nan, math.nan
    starts = [prompt.starts[at] for at in span if not math.isnan(prompt.starts[at])]
    ends = [prompt.ends[at] for at in span if not math.isnan(prompt.ends[at])]
    return (min(starts), max(ends)) if starts else (math.nan, math.nan)
