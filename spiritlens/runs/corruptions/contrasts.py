"""The other run of a comparison: a counterfactual prompt of equal length, or a corruption of the prompt itself.

Both come down to token embeddings ``[sample pos d_model]`` that stand in the prompt's place, position by position; a
counterfactual prompt is one sample. Prompts of different length are compared through their words
(`spiritlens.analysis.patching.donors`).
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from spiritlens.arguments import shown
from spiritlens.models.given import given_each
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions.corruption import Corruption, corrupted_embeddings, corruption_attributes
from spiritlens.runs.corruptions.given import CORRUPTIONS, given_corruption, is_corruption

Contrast: TypeAlias = Sequence[Prompt] | Corruption
"""One counterfactual prompt per prompt, or a corruption that all prompts get."""


def contrast_embeddings(
    lens: Lens, prompt: Prompt, contrast: Prompt | Corruption, samples: int, seed: int, forced: Sequence[int] = ()
) -> Tensor:
    """Embeddings ``[sample pos d_model]`` of the other run, with the forced tokens of the answer after it."""
    if not isinstance(contrast, Prompt):
        return corrupted_embeddings(lens, prompt, contrast, samples=samples, seed=seed, forced=forced)
    check_length(prompt, contrast)
    tokens = torch.tensor([[*contrast.ids, *forced]], device=lens.backend.device)
    return lens.backend.embed(tokens)


def check_length(prompt: Prompt, contrast: Prompt | Corruption) -> None:
    """Refuse a counterfactual prompt of another length."""
    if isinstance(contrast, Prompt) and len(contrast) != len(prompt):
        raise ValueError(
            f"prompt {prompt.id} has {len(prompt)} tokens and its counterfactual {contrast.id} has {len(contrast)}; "
            "they must be equally long here: use another counterfactual, or Replacement(donors=…), which fits units"
        )


def given_contrast(lens: Lens, prompts: Sequence[Prompt], contrast: Any) -> Contrast:
    """The contrast of these prompts: a corruption (a noise with its scale in numbers), or as many counterfactual
    prompts of this lens."""
    if isinstance(contrast, Prompt):
        raise ValueError(
            "contrast is one prompt: give one counterfactual per prompt, as a list; write [counterfactual]"
        )
    if is_corruption(contrast):
        return given_corruption(lens, contrast, prompts[0], name="contrast")
    if isinstance(contrast, (str, bytes)) or not isinstance(contrast, Iterable):
        raise ValueError(
            f"contrast={shown(contrast)} ({type(contrast).__name__}): expected one counterfactual Prompt for each "
            f"prompt, as a list, or {CORRUPTIONS}"
        )
    others = given_each(lens, contrast, "contrast")
    if len(others) != len(prompts):
        raise ValueError(f"{len(others)} counterfactuals for {len(prompts)} prompts; give one for each")
    return others


def contrasts_of(prompts: Sequence[Prompt], contrast: Contrast) -> tuple[Prompt | Corruption, ...]:
    """One contrast per prompt."""
    return tuple(contrast) if isinstance(contrast, Sequence) else (contrast,) * len(prompts)


def contrast_attributes(contrast: Contrast) -> dict[str, str | float]:
    """The contrast in words, and a noise's scale and law, for the attributes of a result."""
    if isinstance(contrast, Sequence):
        return {"corruption": "counterfactual prompts"}
    return corruption_attributes(contrast)


def contrast_settings(contrast: Contrast) -> dict[str, Any]:
    """The contrast's settings as JSON values; prompts by their ids."""
    if isinstance(contrast, Sequence):
        return {"counterfactuals": [prompt.id for prompt in contrast]}
    return dict(contrast.settings())
