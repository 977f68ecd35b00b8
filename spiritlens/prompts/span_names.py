"""Names of spans that reach beyond roles and words: modalities, the relation, numbers, and spans grown or shrunk."""

import re

from spiritlens.prompts.prompt import Prompt, Span
from spiritlens.terms import PARTS, ROLES

TOKEN_SETS = ("relation", "speech", "text")


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
