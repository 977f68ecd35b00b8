"""Attention mass and detectors: sums, hand-worked cases, a planted head."""

import numpy as np
import pytest
import torch

import spiritlens as sl
from spiritlens.analysis.heads.attention_mass import DETECTORS, attention_mass, detector_scores
from tests.analysis.tracing_lens import spoken_prompt, text_prompt

TOLERANCE = 1e-10


def test_mass_from_a_role_sums_to_one_and_weighs_its_tokens_equally(lens):
    prompt = spoken_prompt()
    found = attention_mass(lens, [prompt, text_prompt()])
    present = found["mass"].isel(prompt=0).sel(query=["bos", "subject", "final marker"])
    assert np.allclose(present.sum("key"), 1, atol=TOLERANCE)
    _, cache = lens.backend.model.run_with_cache(prompt.tokens)
    by_hand = cache["blocks.1.attn.hook_pattern"][0, 2, 4:8, 2:4].sum(-1).mean()
    assert float(found["mass"].sel(layer=1, head=2, query="subject", key="before subject")[0]) == pytest.approx(
        float(by_hand)
    )
    assert np.isnan(found["mass"].isel(prompt=1).sel(query="final marker")).all()


def test_mass_between_modalities(machine):
    found = attention_mass(machine.lens, [machine.prompts[0], machine.prompts[12]], by="modality")
    mover = machine.truth.movers[0]
    assert found["mass"].sel(layer=mover.layer, head=mover.head).dims == ("prompt", "query", "key")
    by_role = attention_mass(machine.lens, [machine.prompts[0], machine.prompts[12]])
    read = by_role["mass"].sel(layer=mover.layer, head=mover.head, query="final marker", key="subject")
    assert np.allclose(read, 1, atol=1e-6)


def test_detectors_on_a_pattern_worked_out_by_hand():
    """Tokens a b c a b c in two words; one head always looks one back, one looks right after the last same token."""
    ids, words = [5, 6, 7, 5, 6, 7], [0, 0, 0, 1, 1, 1]
    previous, induction = torch.zeros(6, 6), torch.zeros(6, 6)
    for query, (one, other) in enumerate([(0, 0), (0, 1), (1, 2), (2, 1), (3, 2), (4, 3)]):
        previous[query, one] = 1
        induction[query, other] = 1
    scores = detector_scores(torch.stack([previous, induction])[None].double(), ids, words)[0]
    named = {name: scores[:, column].tolist() for column, name in enumerate(DETECTORS)}
    assert named["previous_token"] == pytest.approx([1, 0])
    assert named["induction"] == pytest.approx([0, 1])
    assert named["duplicate"] == pytest.approx([0, 0])
    assert named["word_start"] == pytest.approx([0.5, 0.25])  # 1, 2 should look at 0 and 4, 5 at 3
    assert named["previous_word_end"] == pytest.approx([1 / 3, 1 / 3])  # 3, 4, 5 should look at 2
    assert named["beginning"] == pytest.approx([1 / 5, 0])


def test_a_detector_without_occasion_is_missing_not_zero():
    scores = detector_scores(torch.full((1, 1, 3, 3), 1 / 3, dtype=torch.float64), [5, 6, 7])
    assert torch.isnan(scores[0, 0, DETECTORS.index("duplicate")])
    assert torch.isnan(scores[0, 0, DETECTORS.index("word_start")])


def test_detectors_of_prompts_have_one_row_each(lens):
    found = sl.heads.detectors(lens, [text_prompt(), spoken_prompt()])
    assert found["score"].dims == ("prompt", "layer", "head", "detector")
    assert float(found["score"].max()) <= 1 + TOLERANCE
    assert list(found["detector"].values) == list(DETECTORS)


def test_the_planted_merge_head_looks_at_the_subject_only(machine):
    prompt = machine.prompts[12]
    found = attention_mass(machine.lens, [prompt])
    merge = machine.truth.merge
    patterns = machine.lens.backend.cache(prompt.tokens, [f"blocks.{merge.layer}.attn.hook_pattern"])
    row = patterns[f"blocks.{merge.layer}.attn.hook_pattern"][0, merge.head, prompt.subject.last]
    assert torch.allclose(row[list(prompt.subject)], torch.full((6,), 1 / 6, dtype=row.dtype), atol=1e-6)
    assert float(
        found["mass"].sel(layer=merge.layer, head=merge.head, query="last word", key="bos")[0]
    ) == pytest.approx(1)
