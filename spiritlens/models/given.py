"""What public functions are given first: a lens, and prompts that belong to it.

Token ids mean something in one vocabulary only. A prompt carries its vocabulary's hash, and one that was built with
another is refused here, before the model runs on ids that are other words to it. A prompt made by hand, without a hash,
is taken at its word as long as its ids are rows of the model.

``needs`` is what each prompt must have. Most methods need a subject and an answer; one that serves prompts without says
``needs=()``.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from spiritlens.arguments import listed, shown
from spiritlens.models.lens import Lens
from spiritlens.prompts.given import Need, prompt_of
from spiritlens.prompts.prompt import Prompt


def given_lens(lens: Any) -> Lens:
    """The lens; anything else is refused with what to pass instead."""
    if isinstance(lens, Lens):
        return lens
    remedy = "pass its .lens" if isinstance(getattr(lens, "lens", None), Lens) else "load one by spiritlens.load(...)"
    if hasattr(lens, "hook_dict"):
        remedy = "a bare model lacks a vocabulary; pass the Lens that holds it (spiritlens.load)"
    raise ValueError(f"lens is {shown(lens, 40)} ({type(lens).__name__}): expected a Lens; {remedy}")


def given_prompt(lens: Lens, prompt: Any, name: str = "prompt", needs: Sequence[Need] = ()) -> Prompt:
    """A prompt of this lens that has what is needed; anything else is refused."""
    return prompt_of(lens.vocabulary, prompt, name, needs)


def given_prompts(
    lens: Lens, prompts: Iterable[Prompt], name: str = "prompts", needs: Sequence[Need] = ("subject", "answer")
) -> tuple[Prompt, ...]:
    """The prompts of this lens as a tuple, read once; none, a single one, and one given twice are refused."""
    chosen = given_each(lens, prompts, name, needs)
    seen: set[str] = set()
    for prompt in chosen:
        if prompt.id in seen:
            raise ValueError(f"prompt {prompt.id} is given twice in {name}; give each prompt once")
        seen.add(prompt.id)
    return chosen


def given_each(
    lens: Lens, prompts: Iterable[Prompt], name: str, needs: Sequence[Need] = ("subject", "answer")
) -> tuple[Prompt, ...]:
    """Prompts of this lens that stand beside others, as donors and counterfactuals do: one may be given twice."""
    found = listed(name, prompts, of=Prompt)
    return tuple(given_prompt(lens, prompt, f"{name}[{place}]", needs) for place, prompt in enumerate(found))
