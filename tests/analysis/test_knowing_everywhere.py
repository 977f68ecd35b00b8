"""`known` means the same in every method: the rule of the lens, which each result tells."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import xarray as xr
from test_metrics_everywhere import other_prompt
from tracing_lens import TinyLens, text_prompt, tiny_lens

import spiritlens as sl
from spiritlens.analysis.attribution.attribution_patching import attribution_patch
from spiritlens.analysis.attribution.edge_attribution import attribute_edges
from spiritlens.analysis.heads.attention_knockout import Blocked, attention_knockout
from spiritlens.analysis.heads.head_knockout import head_knockout
from spiritlens.analysis.patching.activation_patching import activation_patch, back_patch
from spiritlens.analysis.paths.path_patching import path_patch
from spiritlens.analysis.tracing.causal_tracing import causal_trace
from spiritlens.prompts.prompt import Prompt

QUIET = {"metrics": ("logit",), "progress": "none"}
NOISE = sl.Noise(0.1)
METHODS: dict[str, Callable[[TinyLens, Prompt], xr.Dataset]] = {
    "causal_trace": lambda lens, prompt: causal_trace(lens, [prompt], ("resid_pre",), NOISE, samples=1, **QUIET),
    "attribution_patch": lambda lens, prompt: attribution_patch(lens, [prompt], NOISE, samples=1, progress="none"),
    "attribute_edges": lambda lens, prompt: attribute_edges(lens, [prompt], NOISE, samples=1, progress="none"),
    "activation_patch": lambda lens, prompt: activation_patch(lens, [prompt], [other_prompt()], **QUIET),
    "back_patch": lambda lens, prompt: back_patch(lens, [prompt], NOISE, **QUIET),
    "head_knockout": lambda lens, prompt: head_knockout(lens, [prompt], "zero", **QUIET),
    "attention_knockout": lambda lens, prompt: attention_knockout(lens, [prompt], (Blocked("subject"),), **QUIET),
    "path_patch": lambda lens, prompt: path_patch(lens, [prompt], [other_prompt()], **QUIET),
}


@pytest.fixture(scope="module")
def lens() -> TinyLens:
    return tiny_lens()


def asking(lens: TinyLens, knowing: "sl.prompts.Knowing") -> TinyLens:
    other = TinyLens(lens.inside)
    object.__setattr__(other, "knowing", knowing)
    return other


@pytest.mark.parametrize("method", METHODS)
def test_a_method_marks_facts_by_the_rule_of_the_lens_and_says_so(lens: TinyLens, method: str) -> None:
    """The second likeliest answer is known by the first two tokens, and not exactly."""
    logits = lens.backend.model(text_prompt().tokens)[0, -1, 3:30]
    prompt = text_prompt((int(logits.topk(2).indices[1]) + 3,))
    two = sl.prompts.Knowing("top k", k=2)
    found, plain = METHODS[method](asking(lens, two), prompt), METHODS[method](lens, prompt)
    assert found["known"].values.tolist() == [1]
    assert plain["known"].values.tolist() == [0]
    assert sl.prompts.Knowing.read(found.attrs["knowing"]) == two
    assert sl.prompts.Knowing.read(plain.attrs["knowing"]) == sl.prompts.Knowing()
    for name in plain.data_vars:
        xr.testing.assert_equal(found[name].drop_vars("known"), plain[name].drop_vars("known"))


def test_a_folder_of_another_rule_is_refused_and_one_of_before_goes_on(tmp_path) -> None:
    planted = sl.planted()
    lens, prompts = planted.lens, planted.prompts[:1]
    other = replace(lens, knowing=sl.prompts.Knowing("top k", k=2))

    def trace(one: "sl.Lens") -> xr.Dataset:
        return causal_trace(one, prompts, ("resid_pre",), NOISE, samples=1, folder=tmp_path, **QUIET)

    before = trace(lens)
    assert '"knowing"' not in (tmp_path / "config.json").read_text(), "as versions wrote it that knew one rule"
    xr.testing.assert_identical(trace(lens), before)
    with pytest.raises(ValueError, match=r"trace\.knowing: 'not set' there, 'top 2' here"):
        trace(other)


def test_results_of_before_are_by_the_exact_rule(tmp_path) -> None:
    planted = sl.planted()
    effects = causal_trace(planted.lens, planted.prompts[:1], ("resid_pre",), NOISE, samples=1, **QUIET)
    del effects.attrs["knowing"]
    path = sl.effects.save(effects, tmp_path / "old.nc")
    assert "knowing" not in sl.effects.load(path).attrs
    text = sl.dashboard(sl.effects.load(path), tmp_path / "page", facts="all").read_text(encoding="utf-8")
    assert "its answer is the likeliest text token of the untouched run" in text
