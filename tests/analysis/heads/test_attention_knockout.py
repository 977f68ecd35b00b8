"""Attention knock-out against shorter prompts and plain hooks, and on planted circuits."""

import json

import numpy as np
import pytest
import torch

from spiritlens.analysis.heads.attention_knockout import Blocked, attention_knockout
from spiritlens.models.planted.planted import planted
from spiritlens.runs.foils import runner_up
from spiritlens.runs.metrics import Metric
from tests.analysis.tracing_lens import spoken_prompt, text_prompt, tiny_lens

TOLERANCE = 1e-10
QUIET = {"progress": "none", "metrics": ("probability", "logit_difference")}


@pytest.fixture(scope="module", params=[4, 2], ids=["MHA", "GQA"])
def lens(request):
    return tiny_lens(request.param)


def measured(prompt, last):
    answer, foil = prompt.answer_ids[0], prompt.foil_ids[0]
    return [float(last.softmax(-1)[answer]), float(last[answer] - last[foil])]


def masked_run(lens, prompt, layers, queries, keys, heads=range(4)):
    """Keys hidden by hand: scores set to a huge negative number before the softmax, in a plain hooked pass."""

    def hide(scores, hook):
        scores = scores.clone()
        for query in queries:
            for key in keys:
                scores[:, list(heads), query, key] = -1e30
        return scores

    hooks = [(f"blocks.{layer}.attn.hook_attn_scores", hide) for layer in layers]
    with torch.no_grad():
        return lens.backend.model.run_with_hooks(prompt.tokens, fwd_hooks=hooks)[0, -1]


@pytest.mark.parametrize("window", [1, 2])
def test_each_window_equals_hiding_the_keys_by_hand(lens, window):
    prompt = spoken_prompt()
    edges = (Blocked("subject"), Blocked("before subject", "subject"))
    found = attention_knockout(lens, [prompt], edges, window=window, **QUIET)
    for layer in range(3):
        layers = [at for at in range(layer - window // 2, layer - window // 2 + window) if 0 <= at < 3]
        for column, (queries, keys) in enumerate([((len(prompt) - 1,), (4, 5, 6, 7)), ((4, 5, 6, 7), (2, 3))]):
            slow = measured(prompt, masked_run(lens, prompt, layers, queries, keys))
            assert np.allclose(found["restored"].values[0, 0, layer, column, 0], slow, atol=TOLERANCE)
    assert list(found["span_name"].values[0]) == ["subject → last token", "before subject → subject"]
    assert found.attrs["direction"] == "noising"
    assert float(found["noise_floor"].max()) < TOLERANCE


def test_hiding_a_position_from_everybody_everywhere_is_a_prompt_without_it(lens):
    """Keys cut in all layers from all later tokens: as if the tokens were not there, for those after them (rotary
    turns aside)."""
    prompt = text_prompt()
    tail = Blocked("subject", "after subject"), Blocked("subject", "last word")
    found = attention_knockout(lens, [prompt], tail, window=9, **QUIET)
    by_hand = masked_run(lens, prompt, range(3), (6, 7), (4, 5))
    assert np.allclose(found["corrupted"].values[0, 0], measured(prompt, by_hand), atol=TOLERANCE)


def test_single_heads_can_be_cut(lens):
    prompt = text_prompt()
    edge = Blocked("subject", "last token", heads={1: (2,)})
    found = attention_knockout(lens, [prompt], [edge], window=1, **QUIET)
    slow = measured(prompt, masked_run(lens, prompt, [1], (7,), (4, 5), heads=(2,)))
    assert np.allclose(found["restored"].values[0, 0, 1, 0, 0], slow, atol=TOLERANCE)
    assert np.allclose(found["restored"].values[0, 0, [0, 2], 0, 0], found["clean"].values[0], atol=TOLERANCE)
    assert json.loads(found.attrs["config_json"])["heads"] == [{"1": [2]}]


def test_rows_keep_summing_to_one(lens):
    """What is left of a row is renormalised: knock-out is before the softmax."""
    from spiritlens.analysis.heads.attention_knockout import cut_scores

    prompt, name = text_prompt(), "blocks.1.attn.hook_pattern"
    model = lens.backend
    with model.hooked([("blocks.1.attn.hook_attn_scores", cut_scores([((7, 4), (7, 5))], [None]))]):
        pattern = model.cache(prompt.tokens, [name])[name][0]
    assert torch.allclose(pattern.sum(-1), torch.ones(pattern.shape[:2], dtype=pattern.dtype), atol=TOLERANCE)
    assert float(pattern[:, 7, 4:6].abs().max()) == 0


def test_cutting_the_end_from_the_subject_kills_the_planted_fact_at_the_mover_only():
    circuit = planted("fact machine")
    prompts = [circuit.prompts[1], circuit.prompts[13]]
    found = attention_knockout(circuit.lens, prompts, window=1, metrics=("probability",), progress="none")
    kept = found["restored"].isel(component=0, sample=0, metric=0)
    names = list(found["span_name"].values[0])
    assert names == ["subject → last token", "relation → last token", "last word → last token", "speech → final marker"]
    mover = [float(layer != 6) for layer in range(8)]
    missing = [np.nan] * 8
    expected = [[mover, mover], [[1] * 8] * 2, [[1] * 8] * 2, [missing, mover]]  # nothing is spoken in the first prompt
    for column, values in enumerate(expected):
        assert np.allclose(kept.isel(span=column), values, atol=1e-3, equal_nan=True), names[column]


def test_sets_of_tokens_leave_a_query_its_own_key(lens):
    prompt = text_prompt()  # words at 2 … 7, the subject at 4 and 5
    edges = [Blocked("relation"), Blocked("positions 3 -2", "last word"), Blocked("text")]
    found = attention_knockout(lens, [prompt], edges, window=1, **QUIET)
    for column, keys in enumerate([(2, 3, 6), (3, 6), (2, 3, 4, 5, 6)]):
        slow = measured(prompt, masked_run(lens, prompt, [1], (7,), keys))
        assert np.allclose(found["restored"].values[0, 0, 1, column, 0], slow, atol=TOLERANCE), keys


def test_a_query_keeps_its_own_key_whatever_names_the_keys(lens):
    """A role, tokens by number; a last word of one token, read at that token, leaves nothing to cut."""
    prompt = text_prompt()
    nothing_left = [Blocked("last word"), Blocked("bos", "bos")]
    edges = [Blocked("subject", "subject"), Blocked("positions 5 6 7", "positions 6 7"), *nothing_left]
    found = attention_knockout(lens, [prompt], edges, window=1, **QUIET)
    slow = measured(prompt, masked_run(lens, prompt, [1], (5,), (4,)))
    assert np.allclose(found["restored"].values[0, 0, 1, 0, 0], slow, atol=TOLERANCE)

    def hide(scores, hook):
        scores = scores.clone()
        for query, key in ((6, 5), (7, 5), (7, 6)):
            scores[:, :, query, key] = -1e30
        return scores

    with torch.no_grad():
        last = lens.backend.model.run_with_hooks(prompt.tokens, fwd_hooks=[("blocks.1.attn.hook_attn_scores", hide)])
    assert np.allclose(found["restored"].values[0, 0, 1, 1, 0], measured(prompt, last[0, -1]), atol=TOLERANCE)
    assert (found["status"].isel(span=[2, 3]) == 3).all()
    assert found["n_tokens"].values[0].tolist() == [2, 3, 0, 0]


def test_a_prompt_with_none_of_the_edges_has_absent_cells_only(lens):
    written, spoken = text_prompt(), spoken_prompt()
    found = attention_knockout(lens, [written, spoken], [Blocked("speech", "final marker")], **QUIET)
    assert (found["status"].isel(prompt=0) == 3).all()
    assert (found["status"].isel(prompt=1) == 0).all()
    assert np.allclose(found["corrupted"].values[0, 0], found["clean"].values[0], atol=TOLERANCE)  # nothing was cut


def test_a_prompt_without_the_role_has_no_such_cell(lens):
    found = attention_knockout(lens, [text_prompt()], [Blocked("subject"), Blocked("subject", "final marker")], **QUIET)
    assert (found["status"].isel(span=1) == 3).all()
    assert np.isnan(found["restored"].isel(span=1)).all()


@pytest.mark.parametrize(
    ("edges", "change", "message"),
    [
        ([], {}, "edges is empty"),
        ([Blocked("subject")], {"window": 0}, "window=0: expected a whole number ≥ 1"),
        ([Blocked("nowhere")], {}, "no span 'nowhere'"),
    ],
)
def test_bad_requests_are_refused(lens, edges, change, message):
    with pytest.raises(ValueError, match=message):
        attention_knockout(lens, [text_prompt()], edges, **{**QUIET, **change})


def test_a_metric_of_ones_own_is_measured_as_the_built_in_one(lens):
    own = Metric("own logit", lambda logits, prompt: logits[:, 0, prompt.answer_ids[0]], unit="logits")
    found = attention_knockout(lens, [text_prompt()], metrics=("logit", own), progress="none")
    one, other = (found["restored"].sel(metric=name) for name in ("logit", "own logit"))
    assert np.array_equal(one, other, equal_nan=True)
    assert json.loads(found.attrs["config_json"])["own_metrics"].keys() == {"own logit"}


def test_a_prompt_without_a_foil_is_compared_with_the_runner_up(lens):
    found = attention_knockout(lens, [text_prompt(foil_ids=())], metrics=("logit_difference",), progress="none")
    assert found["foil_rule"].item() == "runner-up"
    assert found["foil"].item() == runner_up(lens, text_prompt(foil_ids=())).foil
