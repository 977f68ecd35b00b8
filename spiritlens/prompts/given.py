"""Prompts that belong to a vocabulary, and have what a method asks of them."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from spiritlens.arguments import shown
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.vocabulary.vocabulary import Vocabulary

Need: TypeAlias = Literal["subject", "answer", "foil"]
"""What a method may need of each prompt."""


def prompt_of(vocabulary: Vocabulary, prompt: Any, name: str = "prompt", needs: Sequence[Need] = ()) -> Prompt:
    """A prompt of this vocabulary with what is needed; texts, other values and prompts of another are refused."""
    if not isinstance(prompt, Prompt):
        raise ValueError(
            f"{name} is {shown(prompt)} ({type(prompt).__name__}): expected a Prompt; make one by lens.text(...), "
            "lens.speak(...) or lens.audio(...)"
        )
    if prompt.vocabulary and prompt.vocabulary != vocabulary.hash:
        raise ValueError(
            f"{name} {prompt.id} was built with the vocabulary {prompt.vocabulary}, the lens reads {vocabulary.hash} "
            f"({vocabulary.family.name}): its ids are other words there; build it with this lens"
        )
    largest = max((*prompt.ids, *prompt.answer_ids, *prompt.foil_ids))
    if largest >= vocabulary.size:
        raise ValueError(
            f"{name} {prompt.id} holds the id {largest}, but the lens has {vocabulary.size} rows: build it with this "
            "lens"
        )
    there = {"subject": prompt.subject.positions, "answer": prompt.answer_ids, "foil": prompt.foil_ids}
    missing = [need for need in needs if not there[need]]
    if missing:
        raise ValueError(
            f"{name} {prompt.id} has no {' and no '.join(missing)}, which this method needs: give "
            f"{' and '.join(f'{need}=…' for need in missing)} when it is built"
        )
    return prompt
