"""Whether a model knows a fact: its answer is the arg-max over text ids, token by token when it has several.

An answer of several tokens is teacher-forced: every token must be the arg-max after the ones before it. An answer that
is no text (units) is looked for in the whole vocabulary.

SentencePiece knows most words twice, with and without the blank before them (``▁Paris``, ``Paris``). Prompts ask for
the form that follows a blank; `other_spacing` tells what probability the other form has, for a model that was trained
otherwise would look ignorant.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from spiritlens.arguments import check_choice, told_keywords
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_each, given_lens
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.vocabulary.vocabulary import BLANK
from spiritlens.runs.likeliest import Over


@dataclass(frozen=True)
class GivenAnswer:
    """What the model says to a prompt: `answer` in pieces, and whether it is the prompt's own answer."""

    answer: str
    known: bool


@dataclass(frozen=True)
class OtherSpacing:
    """The answer's first token without (or with) its leading blank."""

    label: str
    asked_probability: float
    other_probability: float


@plain_torch
def given_answer(lens: Lens, prompt: Prompt, over: Over = "text") -> GivenAnswer:
    """The arg-max continuation, as long as the prompt's answer and teacher-forced by it."""
    wanted = list(prompt.answer_ids)
    tokens = torch.tensor([[*prompt.ids, *wanted[:-1]]], device=lens.backend.device)
    logits = lens.backend.forward(tokens)[0, -len(wanted) :]
    text = torch.tensor(lens.vocabulary.text_ids.tolist(), device=logits.device)
    if over == "text" and set(wanted) <= set(text.tolist()):
        found = text[logits[:, text].argmax(-1)].tolist()
    else:
        trained = torch.tensor(lens.vocabulary.trained_ids.tolist(), device=logits.device)
        found = trained[logits[:, trained].argmax(-1)].tolist()
    return GivenAnswer(" ".join(lens.vocabulary.label(token) for token in found), found == wanted)


@told_keywords
@plain_torch
def known_prompts(lens: Lens, prompts: Sequence[Prompt], over: Over = "text") -> tuple[bool, ...]:
    """For each prompt, whether the model gives its answer.

    Returns True or False each, in their order; over text ids. Raises ValueError for prompts of another vocabulary.
    """
    chosen = given_each(given_lens(lens), prompts, "prompts", needs=("answer",))
    check_choice("over", over, Over)
    return tuple(given_answer(lens, prompt, over).known for prompt in chosen)


@plain_torch
def other_spacing(lens: Lens, prompt: Prompt) -> OtherSpacing | None:
    """Probabilities of the answer's first token as asked and in the other spacing; None if there is no such token."""
    asked = lens.vocabulary.label(prompt.answer_ids[0])
    label = asked.removeprefix(BLANK) if asked.startswith(BLANK) else BLANK + asked
    other = lens.vocabulary.tokenizer.get_vocab().get(label) if label else None
    if other is None:
        return None
    tokens = torch.tensor([prompt.ids], device=lens.backend.device)
    probabilities = lens.backend.forward(tokens)[0, -1].softmax(-1)
    return OtherSpacing(label, float(probabilities[prompt.answer_ids[0]]), float(probabilities[other]))
