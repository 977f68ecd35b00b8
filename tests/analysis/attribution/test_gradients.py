"""Gradients along a path: in float32 at least, and where they are asked for."""

import numpy as np
import pytest
import torch
from patching_by_hooks import other_prompt

from spiritlens.analysis.attribution.attribution_patching import attribution_patch
from spiritlens.analysis.attribution.edge_attribution import attribute_edges
from spiritlens.analysis.attribution.gradients import Gradients, path_gradients
from spiritlens.analysis.paths.nodes import Receiver, Sender
from spiritlens.analysis.paths.paths import Paths
from spiritlens.runs.scoring import scorers
from tests.analysis.tracing_lens import text_prompt, tiny_lens

QUIET = {"progress": "none"}


def test_products_are_summed_in_float32_from_bfloat16():
    """4,099 products of 0.01 (0.010009765625 in bfloat16): a sum in bfloat16 could only be 41 or 41.25."""
    name, shape = "blocks.0.hook_resid_pre", (1, 1, 4099)
    activations = [{name: torch.full(shape, value, dtype=torch.bfloat16)} for value in (1.0, 2.0)]
    gradient = {name: torch.full(shape[1:], 0.01, dtype=torch.bfloat16).float()}
    found = Gradients(*activations, (gradient,), torch.zeros(1), torch.zeros(1)).attribution(name, 0)
    assert found.dtype == torch.float32
    assert float(found) == pytest.approx(4099 * 0.010009765625, abs=1e-3)


def test_gradients_along_a_path_are_averaged_in_float32():
    lens = tiny_lens(dtype=torch.bfloat16)
    prompt, other = text_prompt(), other_prompt()
    found = attribution_patch(lens, [prompt], [other], ("z",), steps=3, **QUIET)
    model, names = lens.backend, ["blocks.1.attn.hook_z"]
    (scorer,) = scorers(
        ("logit_difference",), prompt.answer_ids, prompt.foil_ids, lens.vocabulary.text_ids.tolist(), model.device
    )
    ends = model.embed(other.tokens), model.embed(prompt.tokens)
    gradients = path_gradients(model, prompt.tokens, *ends, names, scorer, steps=3)
    assert gradients.gradients[0][names[0]].dtype == torch.float32
    assert found["restored"].dtype == np.float64
    edges = attribute_edges(
        lens, [prompt], [other], Paths(senders=[Sender("z", 1, 2)], receivers=[Receiver("logits")]), **QUIET
    )
    assert np.isfinite(edges["patched"]).all()


def test_gradients_are_taken_where_asked(lens):
    """One step: the base run's own gradient, the same as the protocol gives for the base prompt."""
    prompt, other = text_prompt(), other_prompt()
    model = lens.backend
    (scorer,) = scorers(
        ("logit_difference",), prompt.answer_ids, prompt.foil_ids, lens.vocabulary.text_ids.tolist(), model.device
    )
    name = "blocks.1.hook_resid_pre"
    found = path_gradients(model, prompt.tokens, model.embed(other.tokens), model.embed(prompt.tokens), [name], scorer)
    direct = model.gradients(other.tokens, [name], lambda logits: scorer(logits[:, -1:]).sum())
    assert torch.allclose(found.gradients[0][name], direct[name][0], atol=1e-12)


@pytest.mark.parametrize(("rule", "n_passes"), [("gradient", 2), ("relp", 2), ("three steps", 3)])
def test_an_end_that_is_differentiated_is_not_run_once_more(rule, n_passes):
    """The two ends of the path, of which one is differentiated; nodes between the ends are a pass of their own."""
    lens, prompt, other, passes = tiny_lens(), text_prompt(), other_prompt(), []
    model, names = lens.backend, ["blocks.1.hook_resid_pre", "blocks.0.hook_mlp_out"]
    (scorer,) = scorers(
        ("logit_difference",), prompt.answer_ids, prompt.foil_ids, lens.vocabulary.text_ids.tolist(), model.device
    )
    base, source = model.embed(other.tokens), model.embed(prompt.tokens)
    how = {"steps": 3} if rule == "three steps" else {"relp_at": source if rule == "relp" else None}
    with model.hooked([("hook_embed", lambda value: passes.append(len(value)) or value)]):
        found = path_gradients(model, prompt.tokens, base, source, names, scorer, **how)
    assert len(passes) == n_passes
    for prompt_of, values, score in (
        (other, found.base, found.base_score),
        (prompt, found.source, found.source_score),
    ):
        for name, value in model.cache(prompt_of.tokens, names).items():
            torch.testing.assert_close(values[name], value, rtol=0, atol=1e-10)
        logits = model.forward(prompt_of.tokens)[:, -1:]
        torch.testing.assert_close(score, scorer(logits)[0], rtol=0, atol=1e-10)
