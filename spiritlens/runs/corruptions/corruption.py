"""Corruptions: how the subject is kept from the model, all as embeddings ``[sample pos d_model]`` of equal length.

*Noise* (`spiritlens.runs.corruptions.noise`) disturbs embeddings off the data's manifold. *Replacement* stays on it:
other token ids in the subject's place, one choice per sample,

- ``symmetric``: another subject, of another prompt (text: as many tokens; speech: its units, time-warped);
- ``shuffle``: the subject's own units in another order;
- ``silence``: units of silence.

Units are deduplicated streams: no unit follows itself. Replaced units keep that rule, inside the span and at its
borders, and keep the span's length, so that runs stay comparable position by position. *Knock-out* puts zeros, the
modality's mean row or random trained rows of the modality in the place of the embeddings. A *control* corrupts an
equally long span that is not the subject.

Source: Zhang & Nanda 2023 (arXiv 2309.16042) on symmetric replacement; the unit rules are this project's.
"""

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from spiritlens.arguments import shown, told_keywords, whole
from spiritlens.environment import plain_torch
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt, Span
from spiritlens.runs.corruptions.knock_out import KnockOut
from spiritlens.runs.corruptions.noise import Noise, _choice, generator
from spiritlens.runs.corruptions.replacement import Replacement
from spiritlens.runs.sites import positions_of

Corruption: TypeAlias = Noise | Replacement | KnockOut


@plain_torch
def corrupted_embeddings(
    lens: Lens,
    prompt: Prompt,
    corruption: Corruption,
    *,
    positions: Sequence[int] | None = None,
    samples: int = 10,
    seed: int = 0,
    forced: Sequence[int] = (),
) -> Tensor:
    """Embeddings ``[sample pos d_model]`` of the prompt (and of `forced` tokens after it) with the subject corrupted.

    `positions` names another span than the subject. The beginning-of-sequence token is never corrupted.
    """
    samples = whole("samples", samples, at_least=1)
    chosen = prompt.subject.positions if positions is None else _inside(prompt, positions)
    bos = [position for position in chosen if prompt.families[position] == "bos"]
    if bos:
        raise ValueError(
            f"position {bos[0]} is the beginning-of-sequence token, which is never corrupted; leave it out"
        )
    plain = lens.backend.embed(torch.tensor([[*prompt.ids, *forced]], device=lens.backend.device))
    return corruption.embeddings(lens, prompt, chosen, plain, samples, seed)


@told_keywords
@plain_torch
def control_span(prompt: Prompt, seed: int = 0) -> Span:
    """A span as long as the subject, of the same modality, that neither touches the subject nor holds the read-out."""
    if not isinstance(prompt, Prompt):
        raise ValueError(
            f"prompt is {shown(prompt)} ({type(prompt).__name__}): expected a Prompt; make one by lens.text"
        )
    prompt.span("subject")  # refused where there is none
    seed = whole("seed", seed, at_least=0)
    length, subject = len(prompt.subject.positions), set(prompt.subject.positions)
    modality = prompt.modalities[prompt.subject.positions[0]]
    candidates = [
        span
        for first in range(len(prompt.ids) - length)
        if not subject & set(span := tuple(range(first, first + length)))
        and all(prompt.modalities[at] == modality and prompt.families[at] not in ("bos", "marker") for at in span)
    ]
    if not candidates:
        raise ValueError(
            f"the prompt has no {length} {modality} tokens in a row beside its subject '{prompt.subject.name}': "
            "a control of equal length cannot be made; leave this prompt out of the control"
        )
    return Span("control", candidates[_choice(len(candidates), generator(seed, prompt.id, 0, "control"))])


def _inside(prompt: Prompt, positions: Sequence[int]) -> tuple[int, ...]:
    """The positions counted from the start; refused where the prompt has none."""
    chosen, length = positions_of(positions), len(prompt.ids)
    outside = [position for position in chosen if not -length <= position < length]
    if outside or not chosen:
        raise ValueError(f"positions {outside or chosen}: give one or more of the prompt's {length} (0..{length - 1})")
    return tuple(position % length for position in chosen)
