"""The other run of a comparison: a counterfactual prompt of equal length, or a corruption of the prompt itself.

Both come down to token embeddings ``[sample pos d_model]`` that stand in the prompt's place, position by position; a
counterfactual prompt is one sample. Prompts of different length are compared through their words
(`spiritlens.analysis.donors`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions import Corruption, corrupted_embeddings

if TYPE_CHECKING:
    from spiritlens.models.lens import Lens

Contrast: TypeAlias = Sequence[Prompt] | Corruption
"""One counterfactual prompt per prompt, or a corruption that all prompts get."""


def contrast_embeddings(
    lens: "Lens", prompt: Prompt, contrast: Prompt | Corruption, samples: int, seed: int, forced: Sequence[int] = ()
) -> Tensor:
    """Embeddings ``[sample pos d_model]`` of the other run, with the forced tokens of the answer after it."""
    if not isinstance(contrast, Prompt):
        return corrupted_embeddings(lens, prompt, contrast, samples=samples, seed=seed, forced=forced)
    if len(contrast) != len(prompt):
        raise ValueError(
            f"prompt {prompt.id} has {len(prompt)} tokens and its counterfactual {contrast.id} has {len(contrast)}; "
            "they must be equally long here: use another counterfactual, or Replacement(donors=…), which fits units"
        )
    tokens = torch.tensor([[*contrast.ids, *forced]], device=lens.inside.device)
    return lens.inside.embed(tokens)


def contrasts_of(prompts: Sequence[Prompt], contrast: Contrast) -> tuple[Prompt | Corruption, ...]:
    """One contrast per prompt."""
    if isinstance(contrast, Prompt):
        raise ValueError("give one counterfactual per prompt, as a sequence; write [counterfactual]")
    if not isinstance(contrast, Sequence):
        return (contrast,) * len(prompts)
    if len(contrast) != len(prompts):
        raise ValueError(f"{len(contrast)} counterfactuals for {len(prompts)} prompts; give one for each")
    return tuple(contrast)


def describe_contrast(contrast: Contrast) -> str:
    """The contrast in words, for the attributes of a result."""
    return "counterfactual prompts" if isinstance(contrast, Sequence) else contrast.describe()
