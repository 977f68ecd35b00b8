"""Prompts that ask for what the model says anyway: for models that know nothing, and for facts that are not known.

The answer is the likeliest text token of the clean run at the last position. The prompt is then known by construction,
and every metric and method reads it as any other: what a model of random weights, or one that guesses, does when it
says something.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch

from spiritlens.arguments import told_keywords
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_each, given_lens
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.last_logits import last_logits


@told_keywords
@plain_torch
def own_answers(lens: Lens, prompts: Sequence[Prompt]) -> tuple[Prompt, ...]:
    """The prompts with what the model says to each as their answer, without foil or aliases.

    Returns one prompt for each, in their order. Raises ValueError for prompts of another vocabulary.
    """
    lens = given_lens(lens)
    asked = given_each(lens, prompts, "prompts", needs=())
    text = torch.tensor(lens.vocabulary.text_ids.tolist(), device=lens.backend.device)
    logits = last_logits(lens.backend, [prompt.ids for prompt in asked], [1] * len(asked))
    said = [int(text[found[-1, text].argmax()]) for found in logits]
    return tuple(_answering(lens, prompt, token) for prompt, token in zip(asked, said, strict=True))


def _answering(lens: Lens, prompt: Prompt, token: int) -> Prompt:
    answer = lens.vocabulary.label(token).replace("▁", " ").strip() or "▁"
    return replace(prompt, answer=answer, answer_ids=(token,), foil="", foil_ids=(), foil_rule="own", aliases=())
