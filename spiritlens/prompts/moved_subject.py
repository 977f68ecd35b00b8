"""The same prompt with its subject's span moved: what an error of the alignment would do to every number.

Where a spoken subject begins and ends is found by an alignment, which errs by some units. `shift_subject` moves both
edges, `dilate_subject` moves them apart (or, where `by` is negative, towards each other): the prompt reads the same
tokens, but others are called its subject, corrupted, and restored as it.

Steps are *units* of a spoken subject and pieces of a written one; pitch and style tokens go with the units that they
stand between. A span stays within the subject's own segment: one that would leave it, reach a marker or the beginning,
or have nothing left is refused, since a span cut short would be another dose.

Roles and parts are derived anew by `spiritlens.prompts.roles`; words, times, sound and the subject's name stay, so that
results still group by subject. How many units a second aligner would change (`subject_units_changed`) is of the old
span and is not measured any more.

**Noise.** The prompt's id is another one, since its subject's positions are, so its noise is another draw; its law and
scale are as before (the default scale is that of all rows of the modality, whatever the span). A moved span differs
from the old one by the span *and* by a draw: what the draw alone does is told by another seed on the old span.

Source: this project's; the error of an alignment in units is measured by `spiritlens.prompts.second_alignment`.
"""

import math
from dataclasses import replace

from spiritlens.arguments import shown, whole
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.roles import token_parts, token_roles
from spiritlens.prompts.spans import Span

MARKS = ("modality marker", "final marker")


def shift_subject(prompt: Prompt, by: int) -> Prompt:
    """The prompt with its subject's span `by` units later (earlier where negative); 0 gives the prompt itself.

    Returns a prompt of the same tokens with another id, other roles and parts. Raises ValueError where the span would
    leave the subject's segment, and for a prompt without a subject or a step that is no whole number.
    """
    return _moved(prompt, by, (1, 1), f"shifted by {whole('by', by):+d}")


def dilate_subject(prompt: Prompt, by: int) -> Prompt:
    """The prompt with its subject's span `by` units longer at each end (shorter where negative); 0 gives the prompt.

    Returns a prompt of the same tokens with another id, other roles and parts. Raises ValueError where the span would
    leave the subject's segment or have nothing left, and for a prompt without a subject or a step that is no whole
    number.
    """
    return _moved(prompt, by, (-1, 1), f"dilated by {whole('by', by):+d}")


def _moved(prompt: Prompt, by: int, signs: tuple[int, int], how: str) -> Prompt:
    """The prompt whose subject's edges are moved by `by` times these signs."""
    if not isinstance(prompt, Prompt):
        raise ValueError(f"prompt={shown(prompt)} ({type(prompt).__name__}): expected a Prompt, such as lens.speak(…)")
    if not prompt.subject:
        raise ValueError(
            f"prompt {prompt.id} has no subject whose span could be {how}: give subject=… when it is built"
        )
    if by == 0:
        return prompt
    steps = _segment(prompt)
    own = [place for place, position in enumerate(steps) if position in prompt.subject]
    first, last = (edge + sign * by for edge, sign in zip((own[0], own[-1]), signs, strict=True))
    if first > last:
        raise ValueError(f"the subject of prompt {prompt.id} has {len(own)} units: {how}, nothing is left of it")
    if first < 0 or last >= len(steps):
        raise ValueError(
            f"the subject of prompt {prompt.id}, {how} units, would leave its segment (units {own[0]} to {own[-1]} of "
            f"{len(steps)}): move it by less"
        )
    return _with_subject(prompt, tuple(range(steps[first], steps[last] + 1)))


def _segment(prompt: Prompt) -> list[int]:
    """Positions of the units (or text pieces) of the segment that the subject lies in."""
    start, stop = prompt.subject.first, prompt.subject.last
    modality = prompt.modalities[start]
    inside, wanted = range(start, stop + 1), "unit" if modality == "speech" else "text"
    whole_run = prompt.subject.positions == tuple(inside) and all(_steps(prompt, at, modality) for at in inside)
    if not whole_run or all(prompt.families[at] != wanted for at in inside):
        raise ValueError(
            f"the subject of prompt {prompt.id} is no single run of tokens of one segment: it has no edges"
        )
    while start > 0 and _steps(prompt, start - 1, modality):
        start -= 1
    while stop + 1 < len(prompt) and _steps(prompt, stop + 1, modality):
        stop += 1
    return [at for at in range(start, stop + 1) if prompt.families[at] == wanted]


def _steps(prompt: Prompt, at: int, modality: str) -> bool:
    """Whether a token may belong to a subject of this modality: no marker, no beginning, nothing of a template."""
    unmarked = prompt.families[at] not in ("bos", "marker") and prompt.roles[at] not in MARKS
    return unmarked and prompt.modalities[at] == modality


def _with_subject(prompt: Prompt, positions: tuple[int, ...]) -> Prompt:
    """The prompt with its subject at these positions."""
    template = [role in MARKS for role in prompt.roles]
    return replace(
        prompt,
        subject=Span(prompt.subject.name, positions),
        roles=token_roles(prompt.families, prompt.word_index, positions, template),
        parts=token_parts(len(prompt), positions),
        subject_units_changed=math.nan,
        subject_share_changed=math.nan,
    )
