"""Continuations in one modality, with the bans of the official package.

SpiritLM's package asks for an output modality and forbids the tokens of the other: a written continuation may not
hold markers, units, pitch or style tokens; a spoken one may hold units only. Rows of the embedding that no token uses
are never generated. `continue_prompts` runs TransformerLens's own generation with a hook on the logits that holds the
banned ids at −∞; generation stops at the end-of-sequence token, which is allowed in every modality. Prompts of one
length are rows of one batch, so that no padding comes between a prompt and what follows it.

Source: the behaviour of ``Spiritlm.generate`` of the official SpiritLM package (arXiv 2402.05755), read, not copied.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spiritlens.arguments import check_choice, number, shown, whole
from spiritlens.environment import plain_torch
from spiritlens.models.batches import MOST_ROWS, same_lengths
from spiritlens.models.blocks.placed_hooks import Place, PlacedHooks
from spiritlens.out_of_memory import in_halves
from spiritlens.prompts.building.build import build_prompt
from spiritlens.prompts.building.question import Question
from spiritlens.prompts.building.segments import TextSegment
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.vocabulary.vocabulary import Vocabulary
from spiritlens.terms import AnswerModality

ALLOWED = {"text": ("text",), "speech": ("unit", "pitch", "style"), "any": ("text", "unit", "pitch", "style", "marker")}


def allowed_ids(vocabulary: Vocabulary, modality: AnswerModality) -> np.ndarray:
    """Whether each embedding row may be generated ``[id]``: the modality's tokens and the end of the sequence."""
    allowed = np.isin(vocabulary.families_by_id, ALLOWED[modality])
    if modality == "speech" and not allowed.any():
        raise ValueError(f"family {vocabulary.family.name} has no speech units to generate; use modality='text'")
    if vocabulary.eos_id is not None:
        allowed[vocabulary.eos_id] = True
    return np.asarray(allowed)


@plain_torch
def continue_prompts(
    model: Any,
    vocabulary: Vocabulary,
    prompts: Sequence[Prompt | str],
    max_new_tokens: int = 20,
    modality: AnswerModality = "text",
    temperature: float = 0.0,
    seed: int = 0,
) -> tuple[str, ...]:
    """The continuation of each prompt, without it, stripped if text, in the order of the prompts.

    A string with markers is read as it is, one without as the written prompt that `Lens.text` makes of it; both in the
    family's case. Prompt and continuation must fit into the model's context.

    Temperature 0 takes the likeliest token each time; above it sampling draws from ``seed``, anew for each prompt. A
    string that ends in the other modality gets the marker of the wanted one first, as the official package does.
    """
    check_choice("modality", modality, AnswerModality)
    new_tokens = whole("max_new_tokens", max_new_tokens, at_least=1)
    heat = number("temperature", temperature, at_least=0, below=math.inf)
    seed = whole("seed", seed, at_least=0)
    banned = torch.from_numpy(~allowed_ids(vocabulary, modality)).to(model.W_E.device)
    rows = [_prompt_ids(vocabulary, prompt) for prompt in prompts]
    rows = [[*ids, *_marker_between(vocabulary, ids, modality)] for ids in rows]
    for ids in rows:
        _check_room(model, len(ids), new_tokens)

    def ban(logits: Tensor) -> Tensor:
        return logits.masked_fill(banned, -torch.inf)

    def generate(places: Sequence[int]) -> dict[int, list[int]]:
        new = _generated(model, vocabulary, [rows[place] for place in places], new_tokens, heat, seed)
        return dict(zip(places, new, strict=True))

    found = [""] * len(rows)
    with PlacedHooks(model, [Place("unembed.hook_out", model.hook_dict["unembed.hook_out"], ban)]):
        for places in same_lengths([len(ids) for ids in rows], 1 if heat else MOST_ROWS):
            for place, ids in in_halves(places, generate).items():
                text = vocabulary.decode(ids)
                found[place] = text if modality == "speech" else text.strip()
    return tuple(found)


def _generated(
    model: Any, vocabulary: Vocabulary, rows: list[list[int]], new_tokens: int, heat: float, seed: int
) -> list[list[int]]:
    """The new ids of rows of one length, by TransformerLens's generation with its cache of keys and values."""
    gpus = [model.W_E.device] if model.W_E.device.type == "cuda" else []
    with torch.no_grad(), torch.random.fork_rng(gpus):
        torch.manual_seed(seed)
        tokens = model.generate(
            torch.tensor(rows, device=model.W_E.device),
            max_new_tokens=new_tokens,
            do_sample=heat > 0,
            temperature=heat or 1.0,
            eos_token_id=vocabulary.eos_id,
            stop_at_eos=vocabulary.eos_id is not None,
            verbose=False,
        )
    return [[int(index) for index in row if int(index) != vocabulary.eos_id] for row in tokens[:, len(rows[0]) :]]


def _check_room(model: Any, length: int, new_tokens: int) -> None:
    room = model.cfg.n_ctx - length + 1  # the last token is generated, not read
    if new_tokens > room:
        raise ValueError(
            f"max_new_tokens={new_tokens}: after the {length} tokens of the prompt the model's context of "
            f"{model.cfg.n_ctx} has room for {max(room, 0)}; {f'ask for at most {room}' if room > 0 else 'shorten it'}"
        )


def _refuse_unknown_units(vocabulary: Vocabulary, string: str) -> None:
    """A unit that the family lacks would be read as letters."""
    for stream in vocabulary.family.all_streams():
        for unit in stream.numbers(string):
            if not stream.offset <= unit < stream.offset + stream.count:
                raise ValueError(
                    f"prompt={shown(string)}: {stream.template.format(unit)} is none of the {stream.count} "
                    f"{stream.name}s of family {vocabulary.family.name}, and would be read as letters"
                )


def _prompt_ids(vocabulary: Vocabulary, prompt: Prompt | str) -> list[int]:
    """The ids of a prompt of this vocabulary, or of a string: as it is with markers, else as a written prompt."""
    if isinstance(prompt, str):
        ids = vocabulary.encode(prompt)
        _refuse_unknown_units(vocabulary, prompt)
        marked = {"marker", "unit", "pitch", "style"}.intersection(vocabulary.family_of_ids(ids).tolist())
        if not ids:
            raise ValueError(f"prompt={shown(prompt)} gives no token to continue; write its first word")
        if not prompt.strip() or marked:
            return ids
        return list(build_prompt(vocabulary, [TextSegment(prompt)], Question()).ids)
    if not isinstance(prompt, Prompt):
        raise ValueError(f"prompt={shown(prompt)} ({type(prompt).__name__}): expected a Prompt or a string")
    return list(prompt.ids)


def _marker_between(vocabulary: Vocabulary, ids: list[int], modality: AnswerModality) -> list[int]:
    """The marker that opens the wanted modality, where the prompt ends in the other one."""
    last = str(vocabulary.families_by_id[ids[-1]]) if ids else "bos"
    spoken = last in ("unit", "pitch", "style")
    if modality == "text" and spoken and vocabulary.text_marker_id is not None:
        return [vocabulary.text_marker_id]
    marker = vocabulary.family.speech_open
    if modality != "speech" or spoken or not marker or ids[-1:] == [vocabulary.speech_marker_id]:
        return []
    return vocabulary.opening(marker) if last == "bos" else [vocabulary.marker_id(marker)]
