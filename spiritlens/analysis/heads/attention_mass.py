"""Where heads look: attention mass between roles or modalities, and detectors of familiar kinds of heads.

*Mass* from group A to group B: attention that a token of A pays to all tokens of B together, averaged over the tokens
of A. Over B it sums to 1. *Detectors* average, over the tokens (queries) for which the wanted place exists, the
attention paid to it:

=================  ==================================================================================================
detector           the place that a token should look at
=================  ==================================================================================================
previous_token     the position before
duplicate          earlier positions with the same token
induction          the positions right after earlier ones with the same token
word_start         the first token of the own word (for the word's later tokens)
previous_word_end  the last token of the word before (in unit streams: across the word boundary)
beginning          the beginning of the sequence
=================  ==================================================================================================

Axes: ``prompt layer head query key`` and ``prompt layer head detector``; values from 0 to 1, NaN where no token
qualifies. Source: Olsson et al. 2022 (In-context learning and induction heads) for the first three; word detectors
are this project's.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Int
from torch import Tensor

from spiritlens.analysis.grid.each_prompt import Advance, Work, each_prompt
from spiritlens.analysis.grid.results import heard_columns, model_attributes
from spiritlens.arguments import check_choice, told_keywords
from spiritlens.components import hook_name
from spiritlens.effects.measures import MASS_SCHEMA
from spiritlens.effects.shards import RunFolder
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompts
from spiritlens.models.lens import Lens
from spiritlens.models.protocol import LensModel
from spiritlens.prompts.prompt import Prompt
from spiritlens.shapes import checked
from spiritlens.terms import ROLES, Progress

Detector = Literal["previous_token", "duplicate", "induction", "word_start", "previous_word_end", "beginning"]
DETECTORS: tuple[Detector, ...] = get_args(Detector)
GroupBy = Literal["role", "modality"]
KEY_GROUPS = {"role": ROLES, "modality": ("none", "text", "speech")}


@plain_torch
def attention_patterns(model: LensModel, tokens: Int[Tensor, "1 pos"]) -> Float[Tensor, "layer head pos pos"]:
    """Attention ``[layer head query key]`` of one sequence ``[1 pos]``, in float32 or better."""
    names = [hook_name("pattern", layer) for layer in range(model.n_layers)]
    cache = model.cache(tokens, names)
    patterns = torch.stack([cache[name][0] for name in names])
    return patterns if patterns.dtype == torch.float64 else patterns.float()


@told_keywords
@plain_torch
def attention_mass(
    lens: Lens,
    prompts: Sequence[Prompt],
    by: GroupBy = "role",
    *,
    folder: str | Path | RunFolder | None = None,
    progress: Progress = "bar",
) -> xr.Dataset:
    """Attention mass between roles or modalities.

    `folder` keeps each finished prompt, and the same call goes on where it stopped; without it, Ctrl-C returns what is
    finished. Prompts need no subject and no answer.

    Returns ``mass [prompt layer head query key]``, NaN where the prompt has no such query. Raises ValueError for
    prompts of another vocabulary, and a folder of other settings.
    """
    chosen = given_prompts(given_lens(lens), prompts, needs=())
    check_choice("by", by, GroupBy)
    groups, attributes = KEY_GROUPS[by], _attributes(lens, {"by": by})

    def measure(place: int, advance: Advance) -> xr.Dataset:
        prompt = chosen[place]
        patterns = attention_patterns(lens.backend, prompt.tokens)
        members = prompt.roles if by == "role" else prompt.modalities
        is_in = torch.tensor([[member == group for member in members] for group in groups], dtype=patterns.dtype)
        counts = is_in.sum(-1)
        mass = torch.einsum("aq,lhqk,bk->lhab", is_in / counts[:, None], patterns.cpu(), is_in)
        mass[..., counts == 0] = torch.nan
        return xr.Dataset(
            {"mass": (("prompt", "layer", "head", "query", "key"), mass.numpy()[None])},
            coords={**_coordinates(lens.backend, prompt), "query": list(groups), "key": list(groups)},
            attrs=attributes,
        )

    return each_prompt(Work(chosen, measure, attributes, "attention"), folder=folder, progress=progress)


@told_keywords
@plain_torch
def detectors(
    lens: Lens, prompts: Sequence[Prompt], *, folder: str | Path | RunFolder | None = None, progress: Progress = "bar"
) -> xr.Dataset:
    """Scores of all detectors.

    `folder` keeps each finished prompt, and the same call goes on where it stopped; without it, Ctrl-C returns what is
    finished. Prompts need no subject and no answer.

    Returns ``score [prompt layer head detector]``, NaN where no token qualifies. Raises ValueError for prompts of
    another vocabulary, and a folder of other settings.
    """
    chosen = given_prompts(given_lens(lens), prompts, needs=())
    attributes = _attributes(lens, {"detectors": list(DETECTORS)})

    def measure(place: int, advance: Advance) -> xr.Dataset:
        prompt = chosen[place]
        scores = detector_scores(attention_patterns(lens.backend, prompt.tokens), prompt.ids, prompt.word_index)
        return xr.Dataset(
            {"score": (("prompt", "layer", "head", "detector"), scores.numpy()[None])},
            coords={**_coordinates(lens.backend, prompt), "detector": list(DETECTORS)},
            attrs=attributes,
        )

    return each_prompt(Work(chosen, measure, attributes, "detectors"), folder=folder, progress=progress)


def _attributes(lens: Lens, config: Mapping[str, Any]) -> dict[str, str | int | float]:
    return {"schema": MASS_SCHEMA, **model_attributes(lens, 0, config)}


@checked
def detector_scores(
    patterns: Float[Tensor, "layer head pos pos"], ids: Sequence[int], word_index: Sequence[int] = ()
) -> Float[Tensor, "layer head detector"]:
    """Scores ``[layer head detector]`` of patterns ``[layer head query key]`` over tokens `ids` (words: −1 for
    none)."""
    words = list(word_index) or [-1] * len(ids)
    found = []
    for detector in DETECTORS:
        wanted = torch.tensor(_wanted(detector, list(ids), words), dtype=patterns.dtype)
        asked = wanted.any(-1)
        paid = (patterns.cpu() * wanted).sum(-1)[..., asked]
        found.append(paid.mean(-1) if bool(asked.any()) else torch.full_like(patterns[..., 0, 0].cpu(), torch.nan))
    return torch.stack(found, dim=-1)


def _wanted(detector: Detector, ids: list[int], words: list[int]) -> list[list[bool]]:
    """Which keys a detector wants of each query, ``[query key]``."""
    places = range(len(ids))
    starts = {word: words.index(word) for word in set(words)}
    ends = {word: len(words) - 1 - words[::-1].index(word) for word in set(words)}

    def previous_end(query: int) -> int:
        earlier = [word for word in words[:query] if word >= 0 and word != words[query]]
        return ends[earlier[-1]] if earlier and words[query] >= 0 else -1

    match detector:
        case "previous_token":
            return [[key == query - 1 for key in places] for query in places]
        case "duplicate":
            return [[key < query and ids[key] == ids[query] for key in places] for query in places]
        case "induction":
            return [
                [0 < key <= query and ids[key - 1] == ids[query] and key - 1 < query for key in places]
                for query in places
            ]
        case "word_start":
            return [
                [words[query] >= 0 and key == starts[words[query]] and key < query for key in places]
                for query in places
            ]
        case "previous_word_end":
            return [[key == previous_end(query) for key in places] for query in places]
        case "beginning":
            return [[key == 0 and query > 0 for key in places] for query in places]


def _coordinates(model: LensModel, prompt: Prompt) -> dict[str, object]:
    return {
        "layer": np.arange(model.n_layers),
        "head": np.arange(model.n_heads),
        "prompt_id": ("prompt", np.array([prompt.id])),
        "modality": ("prompt", np.array([prompt.kind])),
        "fact_id": ("prompt", np.array([prompt.fact_id])),
        **heard_columns([prompt]),
    }
