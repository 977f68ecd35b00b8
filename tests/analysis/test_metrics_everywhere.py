"""A metric means the same in every analysis: ranks are taken among trained ids, which rows of padding are not."""

from collections.abc import Callable

import pytest
import xarray as xr
from tracing_lens import TinyLens, make_prompt, text_prompt, tiny_lens

from spiritlens.analysis.heads.attention_knockout import Blocked, attention_knockout
from spiritlens.analysis.heads.head_knockout import head_knockout
from spiritlens.analysis.patching.activation_patching import activation_patch
from spiritlens.analysis.paths.path_patching import path_patch
from spiritlens.analysis.tracing.causal_tracing import causal_trace
from spiritlens.prompts.prompt import Prompt

QUIET = {"metrics": ("rank",), "progress": "none"}
N_TRAINED = 46


def other_prompt() -> Prompt:
    return make_prompt((1, 30, 7, 21, 17, 18, 24, 13), (-1, -1, 0, 1, 2, 2, 3, 4), (4, 5))


@pytest.fixture(scope="module")
def lens() -> TinyLens:
    return tiny_lens()


ANALYSES: dict[str, Callable[[TinyLens, Prompt], xr.DataArray]] = {
    "causal_trace": lambda lens, prompt: causal_trace(lens, [prompt], ("resid_pre",), samples=1, **QUIET).clean,
    "activation_patch": lambda lens, prompt: activation_patch(lens, [prompt], [other_prompt()], **QUIET).clean,
    "head_knockout": lambda lens, prompt: head_knockout(lens, [prompt], "zero", **QUIET).clean,
    "attention_knockout": lambda lens, prompt: attention_knockout(lens, [prompt], (Blocked("subject"),), **QUIET).clean,
    "path_patch": lambda lens, prompt: path_patch(lens, [prompt], [other_prompt()], **QUIET).base,
}


@pytest.mark.parametrize("analysis", ANALYSES)
def test_ranks_are_among_trained_ids(lens, analysis) -> None:
    logits = lens.backend.model(text_prompt().tokens)[0, -1]
    answer = int(logits[3:30].argmin()) + 3
    among_trained, among_all = (1 + int((some > logits[answer]).sum()) for some in (logits[:N_TRAINED], logits))
    assert among_trained < among_all, "a row of padding is likelier than this answer"
    found = ANALYSES[analysis](lens, text_prompt(answer_ids=(answer,)))
    assert float(found.squeeze()) == among_trained
