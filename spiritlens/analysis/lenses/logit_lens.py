"""The logit lens: what the model would say if it stopped after a layer.

Final norm and unembedding are applied to the residual stream of every state, here over text ids, also at positions that
hold speech. After the last block these are the model's own logits.

Axes: ``prompt state pos`` with ``state`` 0 … L (0 is the embedding, l what leaves block l − 1); ``rank`` counts from 1.
Source: nostalgebraist 2020; text-only ranks and word alignment are this project's.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Int
from torch import Tensor

from spiritlens.analysis.grid.each_prompt import Advance, Work, each_prompt
from spiritlens.analysis.grid.results import heard_columns, model_attributes
from spiritlens.arguments import told_keywords, whole
from spiritlens.components import hook_name
from spiritlens.effects.measures import LENS_SCHEMA
from spiritlens.effects.shards import RunFolder
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompts
from spiritlens.models.lens import Lens
from spiritlens.models.protocol import LensModel
from spiritlens.out_of_memory import of_slices
from spiritlens.prompts.prompt import Prompt
from spiritlens.terms import Progress


@plain_torch
def residual_states(model: LensModel, tokens: Int[Tensor, "1 pos"]) -> Float[Tensor, "state pos d_model"]:
    """The residual stream ``[state pos d_model]`` of one sequence: the embedding, then what leaves each block."""
    names = [hook_name("resid_pre", layer) for layer in range(model.n_layers)]
    names.append(hook_name("resid_post", model.n_layers - 1))
    cache = model.cache(tokens, names)
    return torch.stack([cache[name][0] for name in names])


@told_keywords
@plain_torch
def logit_lens(
    lens: Lens,
    prompts: Sequence[Prompt],
    *,
    top: int = 5,
    folder: str | Path | RunFolder | None = None,
    progress: Progress = "bar",
) -> xr.Dataset:
    """Top text tokens at every state and position, and the rank of the word that stands there.

    `folder` keeps each finished prompt, and the same call goes on where it stopped; without it, Ctrl-C returns what is
    finished. Prompts need no subject and no answer.

    Returns ``top_token [prompt state pos top]``, ``top_probability`` (over text ids), ``rank [prompt state pos]`` of
    the first text token of the position's own word, ``answer_rank [prompt state pos]``; NaN or "" where there is no
    word, no answer or no token. Raises ValueError for more top tokens than there are text ids, and a folder of other
    settings.
    """
    chosen = given_prompts(given_lens(lens), prompts, needs=())
    top = whole("top", top, at_least=1, at_most=len(lens.vocabulary.text_ids))
    attributes = {"schema": LENS_SCHEMA, **model_attributes(lens, 0, {"top": top})}

    def measure(place: int, advance: Advance) -> xr.Dataset:
        return _one_prompt(lens, chosen[place], top).assign_attrs(attributes)

    return each_prompt(Work(chosen, measure, attributes, "logit lens"), folder=folder, progress=progress)


def _one_prompt(lens: Lens, prompt: Prompt, top: int) -> xr.Dataset:
    model, vocabulary = lens.backend, lens.vocabulary
    ids = vocabulary.text_ids.tolist()
    text_ids, column = torch.tensor(ids, device=model.device), {token: place for place, token in enumerate(ids)}
    shape = (1, model.n_layers + 1, len(prompt))
    tokens = np.full((*shape, top), "", dtype="<U32")
    probabilities = np.full((*shape, top), np.nan)
    ranks, answers = np.full(shape, np.nan), np.full(shape, np.nan)
    targets = word_token_ids(lens, prompt)
    for state, resid in enumerate(residual_states(model, prompt.tokens)):

        def read(rows: slice, state: int = state, resid: Tensor = resid) -> None:
            logits = model.logits(resid[rows])[:, text_ids]
            best = logits.softmax(-1).topk(top)
            probabilities[0, state, rows] = best.values.cpu().numpy()
            labels = [[vocabulary.label(ids[index]) for index in found] for found in best.indices.tolist()]
            tokens[0, state, rows] = labels
            ranks[0, state, rows] = _ranks(logits, column, targets[rows])
            answers[0, state, rows] = _ranks(logits, column, list(prompt.answer_ids[:1] or (None,)) * len(logits))

        of_slices(len(prompt), read)
    texts = {"labels": prompt.labels, "roles": prompt.roles, "modalities": prompt.modalities}
    return xr.Dataset(
        {
            "top_token": (("prompt", "state", "pos", "top"), tokens),
            "top_probability": (("prompt", "state", "pos", "top"), probabilities),
            "rank": (("prompt", "state", "pos"), ranks),
            "answer_rank": (("prompt", "state", "pos"), answers),
        },
        coords={
            "state": np.arange(model.n_layers + 1),
            "prompt_id": ("prompt", np.array([prompt.id])),
            "modality": ("prompt", np.array([prompt.kind])),
            **heard_columns([prompt]),
            **{name: (("prompt", "pos"), np.array([list(values)])) for name, values in texts.items()},
        },
    )


def word_token_ids(lens: Lens, prompt: Prompt) -> list[int | None]:
    """For every position, the first text token of the word that stands there (None: no word, or none that can be
    written)."""
    found: dict[int, int | None] = {-1: None}
    for index, word in enumerate(prompt.words):
        try:
            found[index] = lens.vocabulary.answer_ids(word)[0]
        except ValueError:
            found[index] = None
    return [found[index] for index in prompt.word_index]


def _state(name: str, state: int, n_layers: int) -> int:
    found = whole(name, state)
    if not 0 <= found <= n_layers:
        raise ValueError(f"{name} is {found}; states are 0 (embedding) to {n_layers} (after the last block)")
    return found


def _ranks(logits: Tensor, column: Mapping[int, int], targets: Sequence[int | None]) -> np.ndarray:
    """Rank ``[pos]`` of each position's target among its logits ``[pos column]``, from 1, the worst one among ties; NaN
    without a target. `column` holds the column of each id."""
    where = [-1 if target is None else column.get(target, -1) for target in targets]
    chosen = torch.tensor([max(index, 0) for index in where], device=logits.device)
    values = logits.gather(1, chosen[:, None])
    ranks = (logits >= values).sum(-1).double().cpu().numpy()
    ranks[[index for index, found in enumerate(where) if found < 0]] = np.nan
    return np.asarray(ranks)
