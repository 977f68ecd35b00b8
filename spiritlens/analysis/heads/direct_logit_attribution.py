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

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from spiritlens.analysis.grid.results import array, model_attributes, prompt_columns
from spiritlens.arguments import check_choice, told_keywords
from spiritlens.components import hook_name
from spiritlens.effects.measures import ATTRIBUTION_SCHEMA
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompts
from spiritlens.models.lens import Lens
from spiritlens.models.protocol import LensModel
from spiritlens.prompts.prompt import Prompt
from spiritlens.terms import ROLES

Against = Literal["foil", "nothing", "mean"]
"""What the answer's logit is compared with: the foil's, nothing (the bare logit), or the mean over all ids."""
Source = Literal["none", "token", "role", "modality"]
"""How a head's part is split by where it read from."""
MODALITY_AXIS = ("none", "text", "speech")


@told_keywords
@plain_torch
def direct_logit_attribution(
    lens: Lens, prompts: Sequence[Prompt], *, against: Against = "foil", by: Source = "none"
) -> xr.Dataset:
    """Parts of the answer's logit (difference) at the last position, by writer.

    The dataset holds ``heads [prompt layer head]``, ``mlps [prompt layer]``, ``embedding``, ``remainder`` and
    ``total`` ``[prompt]``; with `by`, also ``heads_by_source [prompt layer head pos|role|modality]`` (sums to
    ``heads``; NaN: the prompt has no such source).
    """
    chosen = given_prompts(given_lens(lens), prompts)
    check_choice("against", against, Against)
    check_choice("by", by, Source)
    if against == "foil":
        _check_foils(chosen)
    model = lens.backend
    parts = [_one_prompt(model, prompt, _direction(model, prompt, against), by) for prompt in chosen]
    dataset = xr.Dataset(
        {
            "heads": (("prompt", "layer", "head"), np.stack([part["heads"] for part in parts])),
            "mlps": (("prompt", "layer"), np.stack([part["mlps"] for part in parts])),
            **{
                name: ("prompt", np.array([part[name] for part in parts]))
                for name in ("embedding", "remainder", "total")
            },
        },
        coords={
            "layer": np.arange(model.n_layers),
            "head": np.arange(model.n_heads),
            "prompt": np.arange(len(chosen)),
            **{
                name: ("prompt", np.array(values))
                for name, values in prompt_columns(chosen, [False] * len(chosen)).items()
                if name != "known"
            },
        },
        attrs={
            "schema": ATTRIBUTION_SCHEMA,
            "method": "direct logit attribution, final norm scale of the run",
            **model_attributes(lens, 0, {"against": against, "by": by}),
        },
    )
    return dataset if by == "none" else dataset.merge(_by_source(chosen, parts, by))


def _check_foils(prompts: Sequence[Prompt]) -> None:
    """Every prompt has a foil that differs from its answer where they begin."""
    for prompt in prompts:
        if not prompt.foil_ids:
            raise ValueError(
                f"prompt {prompt.id} has no foil to compare its answer '{prompt.answer}' with; give it one when it is "
                "built (foil=…), or ask with against='nothing' or against='mean'"
            )
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


def _one_prompt(model: LensModel, prompt: Prompt, direction: Tensor, by: Source) -> dict[str, np.ndarray]:
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


def _by_source(prompts: Sequence[Prompt], parts: Sequence[dict[str, np.ndarray]], by: Source) -> xr.Dataset:
    """The dataset of ``heads_by_source``, tokens padded with NaN or summed by role or modality."""
    n_layers, n_heads = parts[0]["sources"].shape[:2]
    axis = {"token": "pos", "role": "role", "modality": "source_modality"}[by]
    names = {"token": range(max(map(len, prompts))), "role": ROLES, "modality": MODALITY_AXIS}[by]
    result = np.full((len(prompts), n_layers, n_heads, len(names)), np.nan, dtype=parts[0]["sources"].dtype)
    for row, (prompt, part) in enumerate(zip(prompts, parts, strict=True)):
        groups = {"token": range(len(prompt)), "role": prompt.roles, "modality": prompt.modalities}[by]
        for column, name in enumerate(names):
            where = [position for position, group in enumerate(groups) if group == name]
            if where:
                result[row, :, :, column] = part["sources"][..., where].sum(-1)
    coordinates: dict[str, Any] = {axis: np.array(list(names))}
    if by == "token":
        labels = [list(prompt.labels) + [""] * (len(names) - len(prompt)) for prompt in prompts]
        roles = [list(prompt.roles) + [""] * (len(names) - len(prompt)) for prompt in prompts]
        coordinates |= {"token": (("prompt", "pos"), np.array(labels)), "role": (("prompt", "pos"), np.array(roles))}
    return xr.Dataset({"heads_by_source": (("prompt", "layer", "head", axis), result)}, coords=coordinates)
