"""The logit lens: what the model would say if it stopped after a layer.

Final norm and unembedding are applied to the residual stream of every state, here over text ids, also at positions that
hold speech. After the last block these are the model's own logits.

Axes: ``prompt state pos`` with ``state`` 0 … L (0 is the embedding, l what leaves block l − 1); ``rank`` counts from 1.
Source: nostalgebraist 2020; text-only ranks and word alignment are this project's.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Int
from torch import Tensor

from spiritlens.analysis.grid.results import model_attributes
from spiritlens.arguments import told_keywords, whole
from spiritlens.components import hook_name
from spiritlens.effects.measures import LENS_SCHEMA
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompts
from spiritlens.models.lens import Lens
from spiritlens.models.protocol import LensModel
from spiritlens.prompts.prompt import Prompt


@plain_torch
def residual_states(model: LensModel, tokens: Int[Tensor, "1 pos"]) -> Float[Tensor, "state pos d_model"]:
    """The residual stream ``[state pos d_model]`` of one sequence: the embedding, then what leaves each block."""
    names = [hook_name("resid_pre", layer) for layer in range(model.n_layers)]
    names.append(hook_name("resid_post", model.n_layers - 1))
    cache = model.cache(tokens, names)
    return torch.stack([cache[name][0] for name in names])


@told_keywords
@plain_torch
def logit_lens(lens: Lens, prompts: Sequence[Prompt], *, top: int = 5) -> xr.Dataset:
    """Top text tokens at every state and position, and the rank of the word that stands there.

    ``top_token [prompt state pos top]``, ``top_probability`` (over text ids), ``rank [prompt state pos]`` of the
    first text token of the position's own word, ``answer_rank [prompt state pos]``; NaN or "" where there is no word,
    no answer or no token. Prompts need no subject and no answer.
    """
    chosen = given_prompts(given_lens(lens), prompts, needs=())
    model, vocabulary = lens.backend, lens.vocabulary
    ids = vocabulary.text_ids.tolist()
    top = whole("top", top, at_least=1, at_most=len(ids))
    text_ids, column = torch.tensor(ids, device=model.device), {token: place for place, token in enumerate(ids)}
    shape = (len(chosen), model.n_layers + 1, max(map(len, chosen)))
    tokens = np.full((*shape, top), "", dtype="<U32")
    probabilities = np.full((*shape, top), np.nan)
    ranks, answers = np.full(shape, np.nan), np.full(shape, np.nan)
    for row, prompt in enumerate(chosen):
        targets = word_token_ids(lens, prompt)
        for state, resid in enumerate(residual_states(model, prompt.tokens)):
            logits = model.logits(resid)[:, text_ids]
            best = logits.softmax(-1).topk(top)
            here = (row, state, slice(0, len(prompt)))
            probabilities[here] = best.values.cpu().numpy()
            tokens[here] = [[vocabulary.label(ids[index]) for index in found] for found in best.indices.tolist()]
            ranks[here] = _ranks(logits, column, targets)
            answers[here] = _ranks(logits, column, list(prompt.answer_ids[:1] or (None,)) * len(prompt))
    return xr.Dataset(
        {
            "top_token": (("prompt", "state", "pos", "top"), tokens),
            "top_probability": (("prompt", "state", "pos", "top"), probabilities),
            "rank": (("prompt", "state", "pos"), ranks),
            "answer_rank": (("prompt", "state", "pos"), answers),
        },
        coords={
            "state": np.arange(model.n_layers + 1),
            "prompt_id": ("prompt", np.array([prompt.id for prompt in chosen])),
            "modality": ("prompt", np.array([prompt.kind for prompt in chosen])),
            **{
                name: (("prompt", "pos"), np.array([_padded(prompt, name, shape[2]) for prompt in chosen]))
                for name in ("labels", "roles", "modalities")
            },
        },
        attrs={"schema": LENS_SCHEMA, **model_attributes(lens, 0, {"top": top})},
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


def _padded(prompt: Prompt, name: str, length: int) -> list[str]:
    values = list(getattr(prompt, name))
    return values + [""] * (length - len(values))
