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
