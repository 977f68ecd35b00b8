"""The check of a corruption that a method is given: ours or a user's, asked for once before the model runs."""

import json
from collections.abc import Sequence
from typing import Any

import torch

from spiritlens.arguments import shown, written
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions.corruption import Corruption, corrupted_embeddings

CORRUPTIONS = (
    "a corruption (sl.Noise(), sl.corruptions.Replacement(...), sl.corruptions.KnockOut(...), or a sl.Corruption of "
    "your own)"
)
"""What a corruption is, in words."""
METHODS = ("embeddings", "describe", "settings", "resolved")


def is_corruption(value: object) -> bool:
    """Whether a value has all that a corruption has; a class of corruptions is none itself."""
    return isinstance(value, Corruption) and not isinstance(value, type)


def checked_corruption(corruption: Any, name: str = "corruption") -> Corruption:
    """A corruption that says in words and in values of JSON what it is."""
    if not is_corruption(corruption):
        lacking = [method for method in METHODS if not hasattr(corruption, method)]
        half = lacking and hasattr(corruption, "embeddings")
        rule = f"it lacks {', '.join(lacking)}; derive it from sl.Corruption, which has them" if half else ""
        raise ValueError(
            f"{name}={shown(corruption)} ({type(corruption).__name__}): {rule or f'expected {CORRUPTIONS}'}"
        )
    found: Corruption = corruption
    try:
        json.dumps(dict(found.settings()), sort_keys=True)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"the settings of {name}={shown(corruption)} are no values of JSON, by which results are told apart "
            f"({error}): give it a method settings() that returns numbers and texts"
        ) from None
    written(f"{name}.describe()", found.describe())
    return found


def given_corruption(
    lens: Lens, corruption: Any, prompt: Prompt, positions: Sequence[int] | None = None, name: str = "corruption"
) -> Corruption:
    """A corruption resolved for this lens; asked twice about this prompt (at its subject, or at `positions`), it makes
    the same embeddings."""
    found = checked_corruption(checked_corruption(corruption, name).resolved(lens), name)
    once, again = (corrupted_embeddings(lens, prompt, found, positions=positions, samples=2) for _ in range(2))
    if not torch.equal(once, again):
        raise ValueError(
            f"{name}={shown(corruption)} made other embeddings when it was asked again with the same seed, so that no "
            "result could be had again: draw from a torch.Generator seeded by request.seed"
        )
    return found
