"""Whether a model knows a fact: its answer is the arg-max over text ids, token by token when it has several.

An answer of several tokens is teacher-forced: every token must be the arg-max after the ones before it. An answer that
is no text (units) is looked for in the whole vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from spiritlens.prompts.prompt import Prompt

if TYPE_CHECKING:
    from spiritlens.models.lens import Lens

Over = Literal["text", "full"]


@dataclass(frozen=True)
class Given:
    """What the model says to a prompt: `answer` in pieces, and whether it is the prompt's own answer."""

    answer: str
    known: bool


@torch.no_grad()
def given_answer(lens: "Lens", prompt: Prompt, over: Over = "text") -> Given:
    """The arg-max continuation, as long as the prompt's answer and teacher-forced by it."""
    wanted = list(prompt.answer_ids)
    tokens = torch.tensor([[*prompt.ids, *wanted[:-1]]], device=lens.inside.device)
    logits = lens.inside.forward(tokens)[0, -len(wanted) :]
    text = torch.tensor(lens.vocabulary.text_ids.tolist(), device=logits.device)
    if over == "text" and set(wanted) <= set(text.tolist()):
        found = text[logits[:, text].argmax(-1)].tolist()
    else:
        found = logits.argmax(-1).tolist()
    return Given(" ".join(lens.vocabulary.label(token) for token in found), found == wanted)


def known_prompts(lens: "Lens", prompts: Sequence[Prompt], over: Over = "text") -> tuple[bool, ...]:
    """For each prompt, whether the model gives its answer."""
    return tuple(given_answer(lens, prompt, over).known for prompt in prompts)
