"""A control: a span as long as the subject that is not the subject, corrupted in its stead.

What a corruption there takes away, it takes away as a disturbance of the prompt, not as the loss of the subject.
"""

from spiritlens.arguments import shown, told_keywords, whole
from spiritlens.environment import plain_torch
from spiritlens.prompts.prompt import Prompt, Span
from spiritlens.runs.corruptions.noise import choice, generator


@told_keywords
@plain_torch
def control_span(prompt: Prompt, seed: int = 0) -> Span:
    """A span as long as the subject, of the same modality, that neither touches the subject nor holds the read-out.

    Returns a span drawn by the seed and the prompt's id; this project's own control. Raises ValueError where the prompt
    has no room for one.
    """
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
    return Span("control", candidates[choice(len(candidates), generator(seed, prompt.id, 0, "control"))])
