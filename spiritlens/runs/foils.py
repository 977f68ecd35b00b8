"""Foils for prompts that have none: one rule for all methods.

Metrics such as `logit_difference` compare the answer with a *foil*. A prompt's own foil is used as it is; facts are
given one by seed from their relation's other answers (`spiritlens.prompts.facts.foils`). A prompt that has none
is compared with the model's *runner-up*: the text token, other than the answer's first, that the clean run finds
likeliest at the last position. It stands in the result's coordinate ``foil``, and ``foil_rule`` tells whose it is: the
prompt's ``own``, or the ``runner-up``.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch

from spiritlens.environment import plain_torch
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.metrics import Metric


def with_foils(lens: Lens, prompts: Sequence[Prompt], metrics: Sequence[Metric]) -> tuple[Prompt, ...]:
    """The prompts, those without a foil with the runner-up where a metric needs one."""
    if not any(metric.needs_foil for metric in metrics):
        return tuple(prompts)
    return tuple(prompt if prompt.foil_ids or not prompt.answer_ids else runner_up(lens, prompt) for prompt in prompts)


@plain_torch
def runner_up(lens: Lens, prompt: Prompt) -> Prompt:
    """The prompt with the likeliest other text token of its clean run as foil."""
    with torch.no_grad():
        logits = lens.backend.forward(prompt.tokens.to(lens.backend.device))[0, -1]
    others = [token for token in lens.vocabulary.text_ids.tolist() if token != prompt.answer_ids[0]]
    best = others[int(logits[torch.tensor(others, device=logits.device)].argmax())]
    foil = lens.vocabulary.label(best).replace("▁", " ").strip() or "▁"
    return replace(prompt, foil=foil, foil_ids=(best,), foil_rule="runner-up")
