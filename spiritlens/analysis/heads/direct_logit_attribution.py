"""Direct logit attribution: how much each head, MLP and the embedding write towards the answer.

The residual stream that the last position unembeds is a sum of what was written there: the embedding, z · W_O of every
head, every MLP. With the final norm's scale s held as it came out in the run, the read-out is linear,

    logit(answer) − logit(foil) = Σ over writers of  writer · (gain ∘ (W_U[answer] − W_U[foil])) / s,

so that the parts add up to the logit difference; what is left (biases of the attention output, rounding) is the
*remainder*. A head's part splits further by *source position*: z = Σ over positions of pattern × value, hence by
word, role and modality.

Axes: ``prompt layer head`` (heads), ``prompt layer`` (MLPs), ``prompt layer head pos`` or ``… role`` (source
positions). Units: logits. Sign: positive pushes towards the answer and away from the foil. It is no causal effect: it
ignores what later layers read.

Source: Elhage et al. 2021 (A mathematical framework for transformer circuits); Wang et al. 2022 (arXiv 2211.00593),
section 3.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from spiritlens.analysis.grid.each_prompt import Advance, Work, each_prompt
from spiritlens.analysis.grid.results import array, model_attributes, prompt_columns
from spiritlens.arguments import check_choice, told_keywords
from spiritlens.components import hook_name
from spiritlens.effects.measures import ATTRIBUTION_SCHEMA
from spiritlens.effects.shards import RunFolder
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompts
from spiritlens.models.lens import Lens
from spiritlens.models.protocol import LensModel
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.foils import runner_up
from spiritlens.terms import ROLES, Progress

Against = Literal["foil", "nothing", "mean"]
"""What the answer's logit is compared with: the foil's, nothing (the bare logit), or the mean over all ids."""
Source = Literal["none", "token", "role", "modality"]
"""How a head's part is split by where it read from."""
MODALITY_AXIS = ("none", "text", "speech")


@told_keywords
@plain_torch
def direct_logit_attribution(
    lens: Lens,
    prompts: Sequence[Prompt],
    *,
    against: Against = "foil",
    by: Source = "none",
    folder: str | Path | RunFolder | None = None,
    progress: Progress = "bar",
) -> xr.Dataset:
    """Parts of the answer's logit (difference) at the last position, by writer.

    A prompt without a foil is compared with the model's runner-up (`spiritlens.runs.foils`). `folder` keeps each
    finished prompt, and the same call goes on where it stopped; without it, Ctrl-C returns what is finished.

    Returns ``heads [prompt layer head]``, ``mlps [prompt layer]``, ``embedding``, ``remainder`` and ``total``
    ``[prompt]``; with `by`, also ``heads_by_source [prompt layer head pos|role|source_modality]`` (sums to ``heads``;
    NaN: the prompt has no such source). Raises ValueError for a foil that begins as the answer does, and a folder of
    other settings.
    """
    chosen = given_prompts(given_lens(lens), prompts)
    check_choice("against", against, Against)
    check_choice("by", by, Source)
    if against == "foil":
        chosen = tuple(prompt if prompt.foil_ids else runner_up(lens, prompt) for prompt in chosen)
        _check_foils(chosen)
    attributes = {
        "schema": ATTRIBUTION_SCHEMA,
        "method": "direct logit attribution, final norm scale of the run",
        **model_attributes(lens, 0, {"against": against, "by": by}),
    }

    def measure(place: int, advance: Advance) -> xr.Dataset:
        prompt = chosen[place]
        parts = _parts(lens.backend, prompt, _direction(lens.backend, prompt, against), by)
        found = _dataset(lens.backend, prompt, parts, attributes)
        return found if by == "none" else found.merge(_by_source(prompt, parts["sources"], by))

    work = Work(chosen, measure, attributes, "direct attribution")
    return each_prompt(work, folder=folder, progress=progress)


def _dataset(
    model: LensModel, prompt: Prompt, parts: Mapping[str, np.ndarray], attributes: Mapping[str, str | int | float]
) -> xr.Dataset:
    """One prompt's parts, by writer."""
    columns = prompt_columns([prompt], [False])
    return xr.Dataset(
        {
            "heads": (("prompt", "layer", "head"), parts["heads"][None]),
            "mlps": (("prompt", "layer"), parts["mlps"][None]),
            **{name: ("prompt", np.array([parts[name]])) for name in ("embedding", "remainder", "total")},
        },
        coords={
            "layer": np.arange(model.n_layers),
            "head": np.arange(model.n_heads),
            "prompt": np.arange(1),
            **{name: ("prompt", np.array(values)) for name, values in columns.items() if name != "known"},
        },
        attrs=dict(attributes),
    )


def _check_foils(prompts: Sequence[Prompt]) -> None:
    """Every foil differs from the answer where they begin."""
    for prompt in prompts:
        if prompt.foil_ids[0] == prompt.answer_ids[0]:
            raise ValueError(
                f"answer and foil of prompt {prompt.id} begin with the same token, so that every part would be 0; "
                "give another foil"
            )


def _direction(model: LensModel, prompt: Prompt, against: Against) -> Tensor:
    """gain ∘ (W_U[answer] − W_U[against]), ``[d_model]``, in float32 or better."""
    w_u = model.w_u
    precise = torch.float64 if w_u.dtype == torch.float64 else torch.float32
    direction = w_u[:, prompt.answer_ids[0]].to(precise)
    if against == "foil":
        direction = direction - w_u[:, prompt.foil_ids[0]].to(precise)
    elif against == "mean":
        direction = direction - w_u.to(precise).mean(dim=1)
    return direction * model.norm_gain("ln_final").to(precise)


def _parts(model: LensModel, prompt: Prompt, direction: Tensor, by: Source) -> dict[str, np.ndarray]:
    layers = range(model.n_layers)
    names = {
        (component, layer): hook_name(component, layer)
        for layer in layers
        for component in ("z", "mlp_out", *(("v",) if by != "none" else ()))
    }
    patterns = {layer: hook_name("pattern", layer) for layer in layers if by != "none"}
    ends = [hook_name("resid_pre", 0), hook_name("resid_post", model.n_layers - 1)]
    cache = model.cache(prompt.tokens, [*names.values(), *patterns.values(), *ends])
    final = cache[ends[1]][0, -1]
    reading = direction / model.norm_scale(final).to(direction.dtype)
    by_head = [model.w_o(layer).to(reading.dtype) @ reading for layer in layers]  # [head d_head]
    heads = torch.stack(
        [(cache[names["z", layer]][0, -1].to(reading.dtype) * by_head[layer]).sum(-1) for layer in layers]
    )
    mlps = torch.stack([cache[names["mlp_out", layer]][0, -1].to(reading.dtype) @ reading for layer in layers])
    embedding = cache[ends[0]][0, -1].to(reading.dtype) @ reading
    total = final.to(reading.dtype) @ reading
    found = {
        "heads": heads,
        "mlps": mlps,
        "embedding": embedding,
        "total": total,
        "remainder": total - heads.sum() - mlps.sum() - embedding,
    }
    if by != "none":
        found["sources"] = torch.stack(
            [
                _read_from(cache[patterns[layer]][0, :, -1], cache[names["v", layer]][0], by_head[layer])
                for layer in layers
            ]
        )
    return {name: array(value) for name, value in found.items()}


def _read_from(pattern: Tensor, values: Tensor, by_head: Tensor) -> Tensor:
    """Parts ``[head pos]`` of pattern × value: pattern ``[head pos]``, values ``[pos kv_head d_head]``."""
    per_head = values.to(by_head.dtype).repeat_interleave(len(by_head) // values.shape[1], dim=1)
    return pattern.to(by_head.dtype) * torch.einsum("phd,hd->hp", per_head, by_head)


def _by_source(prompt: Prompt, parts: np.ndarray, by: Source) -> xr.Dataset:
    """The dataset of ``heads_by_source``, from parts ``[layer head pos]``: by token, or summed by role or modality."""
    axis = {"token": "pos", "role": "role", "modality": "source_modality"}[by]
    names = {"token": range(len(prompt)), "role": ROLES, "modality": MODALITY_AXIS}[by]
    groups = {"token": range(len(prompt)), "role": prompt.roles, "modality": prompt.modalities}[by]
    result = np.full((1, *parts.shape[:2], len(names)), np.nan, dtype=parts.dtype)
    for column, name in enumerate(names):
        where = [position for position, group in enumerate(groups) if group == name]
        if where:
            result[0, :, :, column] = parts[..., where].sum(-1)
    coordinates: dict[str, Any] = {axis: np.array(list(names))}
    if by == "token":
        texts = {"token": prompt.labels, "role": prompt.roles}
        coordinates |= {name: (("prompt", "pos"), np.array([list(values)])) for name, values in texts.items()}
    return xr.Dataset({"heads_by_source": (("prompt", "layer", "head", axis), result)}, coords=coordinates)
