"""A first look says how far its estimates agree with exact cells, by rule and component."""

import numpy as np
import pytest
from tracing_lens import spoken_prompt, text_prompt

from spiritlens.analysis.grid.grid import Draws, Grid
from spiritlens.analysis.tracing.first_look import first_look
from spiritlens.analysis.tracing.screen import attribution_patching
from spiritlens.analysis.tracing.settings import given_trace_settings
from spiritlens.runs.corruptions.noise import Noise
from spiritlens.runs.metrics import METRIC_NAMED


def test_first_look_prints_its_agreement(lens) -> None:
    prompts = [text_prompt(), spoken_prompt()]
    look = first_look(lens, prompts, ("resid_pre",), corruption=Noise(1e-3), n_exact=2, top_k=5)
    assert min(look.correlations) > 0.99
    assert min(look.overlaps) >= 0.8
    assert "Attribution patching of 2 prompt(s), metric logit: an estimate, not a measurement" in repr(look)
    assert "top-5 overlap" in repr(look)


def test_both_rules_are_judged_whichever_is_asked_for(lens) -> None:
    prompts = [text_prompt(), spoken_prompt()]
    looks = {
        rule: first_look(lens, prompts, ("resid_pre", "mlp_out"), samples=2, rule=rule) for rule in ("gradient", "relp")
    }
    assert looks["gradient"].judged == looks["relp"].judged
    assert [(each.rule, each.component) for each in looks["relp"].judged] == [
        ("gradient", "resid_pre"), ("gradient", "mlp_out"), ("relp", "resid_pre"), ("relp", "mlp_out"),
    ]  # fmt: skip
    assert "RelP, mlp_out: " in repr(looks["gradient"])
    settings = given_trace_settings(lens, prompts, ("resid_pre", "mlp_out"), None, (METRIC_NAMED["logit"],), Draws(2))
    for place, prompt in enumerate(prompts):
        for rule, look in looks.items():
            assert np.array_equal(look.estimates[place], attribution_patching(lens, prompt, settings, rule), True)
    assert not np.allclose(looks["gradient"].estimates[0], looks["relp"].estimates[0], equal_nan=True)


def test_of_one_component_the_whole_is_judged_as_its_part(lens) -> None:
    look = first_look(lens, [text_prompt()], ("mlp_out",), samples=1, rule="relp", n_exact=1)
    assert look.judged[1].correlations == look.correlations
    assert look.judged[1].overlaps == look.overlaps


def test_keys_are_judged_by_the_gradient_alone(lens) -> None:
    look = first_look(lens, [text_prompt()], ("k", "v"), samples=1, n_exact=1)
    assert [(each.rule, each.component) for each in look.judged] == [
        ("gradient", "k"),
        ("gradient", "v"),
        ("relp", "v"),
    ]


def test_refusals(lens) -> None:
    with pytest.raises(ValueError, match="severing"):
        first_look(lens, [text_prompt()], Grid(("resid_pre",), sever="mlp"))
    with pytest.raises(ValueError, match="prompts is empty"):
        first_look(lens, [])
    with pytest.raises(ValueError, match="queries and keys"):
        first_look(lens, [text_prompt()], ("q",), rule="relp")
