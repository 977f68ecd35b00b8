"""Direct logit attribution, attention mass, detectors, rankings: sums, hand-worked cases, planted circuits."""

import numpy as np
import pytest
import torch
import xarray as xr

import spiritlens as sl
from spiritlens.analysis.heads.attention_mass import DETECTORS, attention_mass, detector_scores
from spiritlens.analysis.heads.direct_logit_attribution import direct_logit_attribution
from spiritlens.models.planted.planted import planted
from tests.analysis.tracing_lens import spoken_prompt, text_prompt, tiny_lens

TOLERANCE = 1e-10


@pytest.fixture(scope="module", params=[4, 2], ids=["MHA", "GQA"])
def lens(request):
    return tiny_lens(request.param)


@pytest.fixture(scope="module")
def machine():
    return planted("fact machine")


def measure(values):
    layers, heads = np.shape(values)
    return xr.DataArray(
        np.asarray(values, dtype=float), dims=("layer", "head"), coords={"layer": range(layers), "head": range(heads)}
    )


# ---- direct logit attribution ---------------------------------------------------------------------------------------


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


def test_a_foil_is_needed_where_the_answer_is_compared_with_it(lens):
    with pytest.raises(ValueError, match="has no foil"):
        direct_logit_attribution(lens, [text_prompt(foil_ids=())])
    with pytest.raises(ValueError, match="begin with the same token"):
        direct_logit_attribution(lens, [text_prompt(answer_ids=(11, 5), foil_ids=(11, 6))])
    with pytest.raises(ValueError, match="against='all'"):
        direct_logit_attribution(lens, [text_prompt()], against="all")
    with pytest.raises(ValueError, match="by='word': expected one of none, token"):
        direct_logit_attribution(lens, [text_prompt()], by="word")


# ---- attention mass and detectors -----------------------------------------------------------------------------------


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


# ---- rankings -------------------------------------------------------------------------------------------------------


def test_ranking_orders_heads_and_skips_those_not_measured():
    table = sl.heads.rank(measure([[0.1, -3.0], [2.0, np.nan]]))
    assert table["name"].tolist() == ["L1H0", "L0H0", "L0H1"]
    assert table["rank"].tolist() == [1, 2, 3]
    assert sl.heads.rank(measure([[0.1, -3.0], [2.0, np.nan]]), top=1, by="magnitude")["name"].tolist() == ["L0H1"]


def test_overlap_of_a_measure_with_itself_and_with_its_opposite():
    values = measure(np.arange(8.0).reshape(2, 4))
    same, opposite = sl.heads.overlap(values, values, top=2), sl.heads.overlap(values, -values, top=2)
    assert (same["shared"], same["jaccard"]) == (2, 1.0)
    assert same["spearman"] == pytest.approx(1)
    assert same["p"] == pytest.approx(1 / 28)  # 1 / (8 over 2)
    assert same["chance"] == pytest.approx(0.5)
    assert (opposite["shared"], opposite["names"]) == (0, "")
    assert opposite["spearman"] == pytest.approx(-1)
    assert opposite["p"] == pytest.approx(1)


def test_comparison_lists_the_best_heads_of_either_side():
    first, second = measure([[3.0, 0.0], [1.0, 2.0]]), measure([[0.0, 9.0], [1.0, 2.0]])
    table = sl.heads.compare_rankings(first, second, ("T2T", "S2T"), top=1)
    assert table["name"].tolist() == ["L0H0", "L0H1"]
    assert table["rank S2T"].tolist() == [4, 1]
    assert table["value T2T"].tolist() == [3.0, 0.0]


def test_measures_must_have_the_axes_of_heads():
    with pytest.raises(ValueError, match="axes layer and head"):
        sl.heads.rank(xr.DataArray(np.zeros(3), dims="layer"))
    with pytest.raises(ValueError, match="all values are NaN"):
        sl.heads.rank(measure([[np.nan, np.nan]]))
    with pytest.raises(ValueError, match="share 1 heads"):
        sl.heads.overlap(measure([[1.0, np.nan]]), measure([[1.0, 2.0]]))
