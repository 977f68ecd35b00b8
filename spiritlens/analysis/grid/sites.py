"""Sites of a tracing grid: which tokens are restored together, and what is known of them.

``token``: each token alone (axis ``pos``). ``word``: all tokens of a word, and each marker and the beginning of the
sequence as a span of its own (axis ``span``). ``span``: spans by name (axis ``span``; `spiritlens.prompts.spans` has
the names). ``role``: all tokens of a role (axis ``role``, always the seven roles; those that a prompt lacks are
absent).

Spans make modalities comparable: a written word is one or two tokens, a spoken one five to fifteen units.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spiritlens.arguments import check_choice
from spiritlens.prompts.prompt import Prompt, Span
from spiritlens.prompts.spans import find_span
from spiritlens.terms import ROLES, At

DEFAULT_SPANS = ("subject", "subject +1", "subject -1", "last token")


@dataclass(frozen=True)
class GridSites:
    """Spans of a prompt in the order of the site axis (None: absent), with the axis's coordinates ``[site]``."""

    at: At
    spans: tuple[Span | None, ...]
    coordinates: dict[str, Any]


def grid_sites(prompt: Prompt, at: At, spans: Sequence[str] = DEFAULT_SPANS) -> GridSites:
    """The sites of a prompt; `spans` names them where at="span"."""
    check_choice("at", at, At)
    if at == "token":
        return GridSites(at, tuple(Span(label, (pos,)) for pos, label in enumerate(prompt.labels)), _tokens(prompt))
    if at == "role":
        found: dict[str, Span] = {str(role): span for role, span in prompt.role_spans().items()}
        roles = tuple(found.get(role) for role in ROLES)
        return GridSites(at, roles, {"role": list(ROLES), "n_tokens": [len(span) if span else 0 for span in roles]})
    if at == "word":
        words = tuple(sorted((*prompt.word_spans(), *_single_tokens(prompt)), key=lambda span: span.positions))
        return GridSites(at, words, _spans(prompt, words, [span.name for span in words]))
    if not spans:
        raise ValueError("at='span' needs spans: names such as 'subject', 'subject +1', 'last token', a role or a word")
    named = tuple(find_span(prompt, name) for name in spans)
    return GridSites(at, named, _spans(prompt, named, list(spans)))


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


def batched_coordinates(sites: GridSites) -> dict[str, Any]:
    """Coordinates with a prompt axis; `role` names the axis itself where it is one."""
    axis_names = ("role",) if sites.at == "role" else ()
    return {name: values if name in axis_names else [values] for name, values in sites.coordinates.items()}
