"""Continuations under interventions: what the model goes on to say when something is changed in its prompt.

Interventions hold at the positions of the prompt that they name, and nowhere else, while every new token is generated.
The model is causal, so the states at the prompt's positions are the same in each of its passes: they are changed in the
first one, and the later ones read them from its keys and values. New tokens are computed as ever, from what is left.

One continuation is made; a corruption or a resampled value is that of noise sample 0 of the seed, as `run` has it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from spiritlens.arguments import told_keywords, whole
from spiritlens.components import hook_name
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompt
from spiritlens.models.lens import Lens
from spiritlens.models.protocol import HookFunction
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.interventions import Intervention
from spiritlens.runs.placing import corrupted_of, given_interventions, inner_hooks
from spiritlens.terms import AnswerModality


@told_keywords
@plain_torch
def generate(
    lens: Lens,
    prompt: Prompt | str,
    *interventions: Intervention,
    max_new_tokens: int = 20,
    modality: AnswerModality = "text",
    temperature: float = 0.0,
    seed: int = 0,
) -> str:
    """The model's continuation in one modality under interventions (see the module); without any, `Lens.generate`.

    Returns the text. Raises ValueError for a prompt of another vocabulary, or interventions that do not fit it.
    """
    lens = given_lens(lens)
    hooks = _hooks(lens, prompt, interventions, whole("seed", seed, at_least=0)) if interventions else []
    with lens.backend.hooked(hooks):
        return lens.generate(prompt, max_new_tokens, modality, temperature, seed)


def _hooks(
    lens: Lens, prompt: Prompt | str, interventions: Sequence[Intervention], seed: int
) -> list[tuple[str, HookFunction]]:
    """The interventions as hooks on the first pass, which is the one that reads the prompt."""
    if isinstance(prompt, str):
        raise ValueError("interventions name positions of a prompt: give lens.text(...) instead of its text")
    prompt = given_prompt(lens, prompt)
    placed = given_interventions(lens, prompt, interventions)
    tokens = torch.tensor([prompt.ids], device=lens.backend.device)
    embeddings = corrupted_of(lens, prompt, placed, (), 1, seed)
    hooks = inner_hooks(lens.backend, prompt, placed, (tokens, embeddings), 1, seed)
    if embeddings is not None:
        hooks.insert(0, (hook_name("resid_pre", 0), _beginning_with(embeddings)))  # generation embeds without a hook
    return [(name, _once(function)) for name, function in hooks]


def _beginning_with(embeddings: Tensor) -> HookFunction:
    """The embeddings of a prompt, before those of a marker that opens another modality."""
    return lambda found: torch.cat([embeddings, found[:, embeddings.shape[1] :]], dim=1)


def _once(function: HookFunction) -> HookFunction:
    """The function at its first call, nothing later."""
    called: list[bool] = []

    def hook(activation: Tensor) -> Tensor:
        if called:
            return activation
        called.append(True)
        return function(activation)

    return hook
