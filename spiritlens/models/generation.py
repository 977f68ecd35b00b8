"""Continuations in one modality, with the bans of the official package.

SpiritLM's package asks for an output modality and forbids the tokens of the other: a written continuation may not
hold markers, units, pitch or style tokens; a spoken one may hold units only. Rows of the embedding that no token uses
are never generated. `continue_prompt` runs TransformerLens's own generation with a hook on the logits that holds the
banned ids at −∞; generation stops at the end-of-sequence token, which is allowed in every modality.

Source: the behaviour of ``Spiritlm.generate`` of the official SpiritLM package (arXiv 2402.05755), read, not copied.
"""

from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor
from transformer_lens import HookedTransformer
from transformer_lens.hook_points import HookPoint

from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.vocabulary import Vocabulary

AnswerModality: TypeAlias = Literal["text", "speech", "any"]
"""What a continuation may hold: ``text`` pieces only, ``speech`` units only (pitch and style included), or ``any`` of
them and markers; never padding rows or special tokens."""

ALLOWED = {"text": ("text",), "speech": ("unit", "pitch", "style"), "any": ("text", "unit", "pitch", "style", "marker")}


def allowed_ids(vocabulary: Vocabulary, modality: AnswerModality) -> np.ndarray:
    """Whether each embedding row may be generated ``[id]``: the modality's tokens and the end of the sequence."""
    allowed = np.isin(vocabulary.families_by_id, ALLOWED[modality])
    if modality == "speech" and not allowed.any():
        raise ValueError(f"family {vocabulary.family.name} has no speech units to generate; use modality='text'")
    if vocabulary.eos_id is not None:
        allowed[vocabulary.eos_id] = True
    return np.asarray(allowed)


def continue_prompt(
    model: HookedTransformer,
    vocabulary: Vocabulary,
    prompt: Prompt | str,
    max_new_tokens: int = 20,
    modality: AnswerModality = "text",
    temperature: float = 0.0,
) -> str:
    """The continuation of a prompt (or of a prompt string with its markers), without the prompt, stripped if text.

    Temperature 0 takes the likeliest token each time; above it sampling draws from torch's random state. A string that
    ends in the other modality gets the marker of the wanted one first, as the official package does.
    """
    ids = list(prompt.ids) if isinstance(prompt, Prompt) else vocabulary.encode(prompt)
    ids += _marker_between(vocabulary, ids, modality)
    if not ids:
        raise ValueError("prompt='' gives no token to begin with: the vocabulary writes none; write at least one word")
    room = model.cfg.n_ctx + 1 - len(ids)  # the last token is not read again
    if max_new_tokens > room:
        raise ValueError(
            f"the prompt's {len(ids)} tokens and max_new_tokens={max_new_tokens} exceed the model's context of "
            f"{model.cfg.n_ctx}: {f'ask for at most {room}' if room > 0 else 'shorten the prompt'}"
        )
    banned = torch.from_numpy(~allowed_ids(vocabulary, modality)).to(model.W_E.device)

    def ban(logits: Tensor, hook: HookPoint) -> Tensor:
        return logits.masked_fill(banned, -torch.inf)

    with torch.no_grad(), model.hooks(fwd_hooks=[("unembed.hook_out", ban)]):
        tokens = model.generate(
            torch.tensor([ids], device=model.W_E.device),
            max_new_tokens=max_new_tokens,
            do_sample=temperature > 0,
            temperature=temperature or 1.0,
            eos_token_id=vocabulary.eos_id,
            stop_at_eos=vocabulary.eos_id is not None,
            verbose=False,
        )
    new = [int(index) for index in tokens[0, len(ids) :] if int(index) != vocabulary.eos_id]
    text = vocabulary.decode(new)
    return text if modality == "speech" else text.strip()


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
