"""Direct logit attribution: parts that add up to the logit difference, and a planted mover."""

import numpy as np
import pytest

from spiritlens.analysis.heads.direct_logit_attribution import direct_logit_attribution
from spiritlens.runs.foils import runner_up
from tests.analysis.tracing_lens import spoken_prompt, text_prompt

TOLERANCE = 1e-10


@pytest.mark.parametrize("against", ["foil", "nothing", "mean"])
def test_parts_add_up_to_the_logit_difference(lens, against):
    prompts = [text_prompt(), spoken_prompt()]
    found = direct_logit_attribution(lens, prompts, against=against)
    for row, prompt in enumerate(prompts):
        last = lens.backend.forward(prompt.tokens)[0, -1]
        wanted = last[prompt.answer_ids[0]]
        wanted = wanted - {"foil": last[prompt.foil_ids[0]], "nothing": 0, "mean": last.mean()}[against]
        assert float(found["total"][row]) == pytest.approx(float(wanted), abs=TOLERANCE)
        parts = found["heads"][row].sum() + found["mlps"][row].sum() + found["embedding"][row] + found["remainder"][row]
        assert float(parts) == pytest.approx(float(wanted), abs=TOLERANCE)
        assert abs(float(found["remainder"][row])) < TOLERANCE


@pytest.mark.parametrize("by", ["token", "role", "modality"])
def test_source_positions_add_up_to_the_head(lens, by):
    prompts = [text_prompt(), spoken_prompt()]
    found = direct_logit_attribution(lens, prompts, by=by)
    axis = {"token": "pos", "role": "role", "modality": "source_modality"}[by]
    assert np.allclose(found["heads_by_source"].sum(axis), found["heads"], atol=TOLERANCE)
    if by == "role":
        assert np.isnan(found["heads_by_source"].isel(prompt=0).sel(role="final marker")).all()  # no such role, not 0
    if by == "token":
        assert np.isnan(found["heads_by_source"].isel(prompt=0, pos=slice(8, None))).all()


def test_only_the_planted_mover_writes_the_answer_and_it_reads_the_subject(machine):
    prompts = [machine.prompts[2], machine.prompts[15]]
    found = direct_logit_attribution(machine.lens, prompts, by="role")
    mover = machine.truth.movers[0]
    others = found["heads"].copy()
    assert (others.sel(layer=mover.layer, head=mover.head) > 20).all()
    others.loc[{"layer": mover.layer, "head": mover.head}] = 0
    assert np.abs(others).max() < 1e-3
    assert np.abs(found["mlps"]).max() < 1e-3
    read = found["heads_by_source"].sel(layer=mover.layer, head=mover.head)
    assert np.allclose(read.sel(role="subject"), found["heads"].sel(layer=mover.layer, head=mover.head), atol=1e-3)


def test_a_prompt_without_a_foil_is_compared_with_the_runner_up(lens):
    found = direct_logit_attribution(lens, [text_prompt(foil_ids=()), text_prompt()], progress="none")
    other = runner_up(lens, text_prompt(foil_ids=()))
    assert (found["foil_rule"].values.tolist(), found["foil"].values[0]) == (["runner-up", "own"], other.foil)
    last = lens.backend.forward(other.tokens)[0, -1]
    assert float(found["total"][0]) == pytest.approx(float(last[11] - last[other.foil_ids[0]]), abs=TOLERANCE)


def test_bad_requests_are_refused(lens):
    with pytest.raises(ValueError, match="begin with the same token"):
        direct_logit_attribution(lens, [text_prompt(answer_ids=(11, 5), foil_ids=(11, 6))])
    with pytest.raises(ValueError, match="against='all'"):
        direct_logit_attribution(lens, [text_prompt()], against="all")
    with pytest.raises(ValueError, match="by='word': expected one of none, token"):
        direct_logit_attribution(lens, [text_prompt()], by="word")
