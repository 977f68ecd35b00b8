"""The reference code's causal trace, as arguments of `causal_trace`.

They are keyword arguments::

    effects = sl.causal_trace(lens, prompts, **sl.tracing.rome(lens, prompts))

Block outputs (`resid_post`) and windows of 10 MLP or attention outputs (with `sever`: block outputs alone), its noise
stream (the same numbers for every prompt of equal shape), 3 × the standard deviation of the prompts' subject rows
(without the BOS row, which that code includes), 10 samples, probability over the full vocabulary, facts that the model
completes. What it lacks, clipping of averages, is left out on purpose.

Source: Meng et al. 2022 (arXiv 2202.05262), sections 2 and appendix B, and its code.
"""

from collections.abc import Sequence
from typing import TypedDict

from spiritlens.analysis.grid.grid import Grid, Sever
from spiritlens.arguments import told_keywords
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompts
from spiritlens.models.lens import Lens
from spiritlens.prompts.knowing import EXACT
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.answers import given_answers
from spiritlens.runs.corruptions.noise import Noise, noise_scale
from spiritlens.runs.likeliest import Over

ROME_WINDOW = 10


class RomeArguments(TypedDict):
    """Arguments of `causal_trace`."""

    grid: Grid
    corruption: Noise
    metrics: tuple[str, ...]
    samples: int


@told_keywords
@plain_torch
def rome(lens: Lens, prompts: Sequence[Prompt], sever: Sever = "none") -> RomeArguments:
    """The arguments by which `causal_trace` traces these prompts as the reference code does.

    Returns ``grid, corruption, metrics, samples``. Raises ValueError for prompts that the model does not know: by the
    rule ``exact``, those whose answer is not the likeliest of the full vocabulary, as in the reference code; by another
    rule of the lens, as it says.
    """
    prompts = given_prompts(given_lens(lens), prompts)
    components = ("resid_post", "mlp_out", "attn_out") if sever == "none" else ("resid_post",)
    grid = Grid(components, window=ROME_WINDOW, sever=sever)
    over: Over = "full" if lens.knowing == EXACT else "text"
    for prompt in prompts:
        (given,) = given_answers(lens, (prompt,), lens.knowing, over)
        if not given.known:
            raise ValueError(
                f"the model does not know prompt {prompt.id} ({prompt.kind}): it answers '{given.answer}', not "
                f"'{prompt.answer}', and the reference code traces what is known; leave it out (known_prompts(lens, "
                f"prompts, '{over}') tells which)"
            )
    noise = Noise(noise_scale(lens, prompts), stream="rome")
    return {"grid": grid, "corruption": noise, "metrics": ("probability",), "samples": 10}
