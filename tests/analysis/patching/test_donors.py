"""Words of two prompts paired up, and pooling weights worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from patching_by_hooks import QUIET, TOLERANCE, L, measured, other_prompt, spoken_like_text

from spiritlens.analysis.grid.grid import Grid
from spiritlens.analysis.patching.activation_patching import activation_patch
from spiritlens.analysis.patching.donors import Donors, aligned_groups, noise_like, other_facts, pooled, pooling_weights
from spiritlens.models.planted.planted import planted
from spiritlens.prompts.prompt import Span
from spiritlens.runs.corruptions.corruption import corrupted_embeddings
from spiritlens.runs.corruptions.noise import Noise
from spiritlens.shapes import ShapeError
from tests.analysis.tracing_lens import make_prompt, spoken_prompt, text_prompt


@pytest.fixture(scope="module")
def machine():
    return planted("fact machine")


def rows(weights):
    return {position: row.nonzero()[:, 0].tolist() for position, row in enumerate(weights)}


def test_a_prompt_aligns_with_itself_position_by_position(machine):
    for prompt in (machine.prompts[0], machine.prompts[12]):
        assert torch.equal(pooling_weights(prompt, prompt), torch.eye(len(prompt), dtype=torch.float64))
        assert torch.equal(pooling_weights(prompt, prompt, "broadcast"), torch.eye(len(prompt), dtype=torch.float64))


def test_groups_partition_both_prompts_and_do_not_depend_on_the_direction(machine):
    written, spoken = machine.text("marlo"), machine.speech("tolda")
    there = aligned_groups(written, spoken)
    back = aligned_groups(spoken, written)
    assert {(ours, theirs) for ours, theirs in there} == {(theirs, ours) for ours, theirs in back}
    for side, prompt in enumerate((written, spoken)):
        covered = [position for pair in there for position in pair[side]]
        assert sorted(covered) == list(range(len(prompt)))


def test_words_pair_up_in_order_and_markers_with_markers(machine):
    written, spoken = machine.text("marlo"), machine.speech("tolda")
    pairs = dict(aligned_groups(written, spoken))
    assert pairs[(0,)] == (0,)
    assert pairs[(1,)] == (1,)  # [Text] and [Speech]
    assert pairs[(2,)] == tuple(spoken.span("the").positions)
    assert pairs[(5, 6)] == spoken.subject.positions
    assert pairs[(8,)] == (len(spoken) - 1,)


def test_a_read_out_at_the_last_word_belongs_to_the_final_marker(machine):
    plain = machine.lens.text("the colour of marlo is", "marlo", "red")
    marked = machine.speech("marlo")
    pairs = dict(aligned_groups(plain, marked))
    assert pairs[(len(plain) - 1,)] == (len(marked) - 1,)
    back = dict(aligned_groups(marked, plain))
    assert back[(len(marked) - 1,)] == (len(plain) - 1,)


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("last", {5: [16], 6: [16]}),
        ("mean", {5: [11, 12, 13, 14, 15, 16], 6: [11, 12, 13, 14, 15, 16]}),
        ("norm_matched", {5: [11, 12, 13, 14, 15, 16], 6: [11, 12, 13, 14, 15, 16]}),
        ("broadcast", {5: [11], 6: [14]}),
    ],
)
def test_each_pooling_rule_on_a_subject_of_two_pieces_and_six_units(machine, pooling, expected):
    weights = pooling_weights(machine.text("marlo"), machine.speech("tolda"), pooling)
    found = rows(weights)
    assert {position: found[position] for position in (5, 6)} == expected
    assert torch.allclose(weights.sum(-1), torch.ones(len(weights), dtype=weights.dtype))


def test_pooled_values_and_matched_norms():
    values = torch.arange(6.0, dtype=torch.float64).reshape(1, 3, 2)
    weights = torch.tensor([[0.5, 0.5, 0], [0, 0, 1]], dtype=torch.float64)
    assert torch.allclose(pooled(values, weights), torch.tensor([[[1.0, 2], [4, 5]]], dtype=torch.float64))
    own = torch.full((1, 2, 2), 3.0, dtype=torch.float64)
    matched = pooled(values, weights, own)
    assert torch.allclose(matched.norm(dim=-1), own.norm(dim=-1))
    assert torch.allclose(matched[0, 0] / matched[0, 0, 0], torch.tensor([1.0, 2], dtype=torch.float64))


def test_noise_keeps_norms_and_is_reproducible(machine):
    values = {"blocks.0.hook_resid_pre": torch.randn(2, 9, 4, dtype=torch.float64)}
    one, other = (noise_like(values, machine.prompts[0], seed)["blocks.0.hook_resid_pre"] for seed in (0, 1))
    again = noise_like(values, machine.prompts[0], 0)["blocks.0.hook_resid_pre"]
    assert torch.equal(one, again)
    assert not torch.allclose(one, other)
    assert torch.allclose(one.norm(dim=-1), values["blocks.0.hook_resid_pre"].norm(dim=-1))


def test_another_word_is_another_word_and_stays_the_same_for_a_seed(machine):
    prompt = machine.text("marlo")
    first = rows(pooling_weights(prompt, prompt, "last", "other word", seed=0))
    assert first == rows(pooling_weights(prompt, prompt, "last", "other word", seed=0))
    for position, place in first.items():
        if place:  # words only; markers and the beginning take nothing
            assert prompt.word_index[place[0]] != prompt.word_index[position]


def treated(prompt, donor, weights, control):
    """Pairs (donor positions due, donor positions of the control) of every word here."""
    return [
        (row.nonzero()[:, 0].tolist(), other.nonzero()[:, 0].tolist())
        for row, other in zip(weights, control, strict=True)
        if other.any()
    ]


def two_word_subject(spoken=False):
    """BOS [Text] w0 S S' w3 w3': a subject of two words, a last word of two pieces."""
    ids = (1, 31, 33, 35, 38, 41, 44, 30) if spoken else (1, 30, 7, 9, 16, 24, 13)
    return make_prompt(ids, (-1, -1, 0, 1, 2, 3, 3) + ((-1,) if spoken else ()), (3, 4))


@pytest.mark.parametrize("seed", range(40))
def test_the_control_is_never_the_treatment_nor_a_part_of_the_subject(seed):
    """Neither in a donor whose last word has two pieces (the read-out is one of them), nor where the subject has two
    words."""
    written, spoken = two_word_subject(), two_word_subject(spoken=True)
    for prompt, donor in ((written, written), (spoken, written), (written, spoken)):
        due = pooling_weights(prompt, donor, "mean")
        control = pooling_weights(prompt, donor, "mean", "other word", seed)
        pairs = treated(prompt, donor, due, control)
        assert len(pairs) >= 4
        for ours, theirs in pairs:
            words = [{donor.word_index[position] for position in positions} for positions in (ours, theirs)]
            assert not words[0] & words[1]
            assert not (set(ours) & set(donor.subject) and set(theirs) & set(donor.subject))


def test_a_donor_without_another_word_is_refused():
    alone = make_prompt((1, 30, 9, 16), (-1, -1, 0, 1), (2, 3))  # a subject of two words and nothing else
    with pytest.raises(
        ValueError, match=rf"finds no word in prompt {alone.id} beside the one at positions \(2,\), the subj"
    ):
        pooling_weights(alone, alone, "mean", "other word")


def test_other_facts_share_kind_relation_and_phrasing(machine):
    prompts = [machine.prompts[0], machine.prompts[12], machine.prompts[1], machine.prompts[13]]
    found = other_facts(prompts)
    assert [other.subject.name for other in found] == ["marne", "marne", "marlo", "marlo"] or all(
        other.kind == prompt.kind and other.subject.name != prompt.subject.name
        for other, prompt in zip(found, prompts, strict=True)
    )
    with pytest.raises(ValueError, match="finds no other subject"):
        other_facts(prompts[:2])
    same = replace(prompts[0], subject=Span(prompts[0].subject.name.upper(), prompts[0].subject.positions))
    with pytest.raises(ValueError, match="finds no other subject"):  # one subject in two spellings
        other_facts([prompts[0], same])


def test_bad_requests_are_refused(machine):
    written = text_prompt()
    with pytest.raises(ShapeError, match="argument 'pooling'"):
        pooling_weights(written, written, "first")
    other = make_prompt((1, 30, 7, 19, 5, 24, 13), (-1, -1, 0, 1, 1, 2, 3), (3, 4))
    with pytest.raises(ValueError, match=r"2 words before its subject and prompt .* has 1"):
        aligned_groups(written, other)


@pytest.mark.parametrize("pooling", ["last", "mean", "broadcast", "norm_matched"])
def test_values_of_a_written_word_enter_the_spoken_word_as_the_pooling_rule_says(lens, pooling):
    written, spoken = text_prompt(), spoken_like_text()
    counterfactual = make_prompt((*spoken.ids[:6], 42, 34, 42, 34, *spoken.ids[10:]), spoken.word_index, (6, 7, 8, 9))
    found = activation_patch(
        lens, [spoken], [counterfactual], Grid(("resid_post",), at="role"), donors=Donors([written], pooling), **QUIET
    )
    model = lens.backend.model
    _, taken = model.run_with_cache(written.tokens)
    for layer in range(L):
        name = f"blocks.{layer}.hook_resid_post"
        value = taken[name][0, [4, 5]]
        rows = {
            "last": value[[1, 1, 1, 1]],
            "mean": value.mean(0).expand(4, -1),
            "broadcast": value[[0, 0, 1, 1]],
            "norm_matched": value.mean(0).expand(4, -1),
        }[pooling]

        def put(x, hook, rows=rows):
            x = x.clone()
            own = x[0, [6, 7, 8, 9]]
            new = (
                rows * (own.norm(dim=-1, keepdim=True) / rows.norm(dim=-1, keepdim=True))
                if pooling == "norm_matched"
                else rows
            )
            x[0, [6, 7, 8, 9]] = new
            return x

        with torch.no_grad():
            slow = measured(lens, spoken, model.run_with_hooks(counterfactual.tokens, fwd_hooks=[(name, put)]))
        cell = found["restored"].sel(component="resid_post", layer=layer, role="subject").values[0, 0]
        assert np.allclose(cell, slow, atol=TOLERANCE), layer
    assert (found["status"].sel(role="final marker") == 0).all()


def test_a_prompt_as_its_own_donor_through_the_alignment_is_the_ordinary_patch(lens):
    spoken = spoken_like_text()
    counterfactual = make_prompt((*spoken.ids[:6], 42, 34, 42, 34, *spoken.ids[10:]), spoken.word_index, (6, 7, 8, 9))
    plain = activation_patch(lens, [spoken], [counterfactual], ("resid_pre", "z"), **QUIET)
    through = activation_patch(
        lens, [spoken], [counterfactual], ("resid_pre", "z"), donors=Donors([spoken], "broadcast"), **QUIET
    )
    assert np.allclose(plain["restored"], through["restored"], atol=TOLERANCE, equal_nan=True)


def test_a_pause_keeps_its_own_value_and_is_absent_by_itself(lens):
    """The donor has no pause: a role that holds one is patched at its words, the pause alone is no cell."""
    words = (-1, -1, 0, -1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, -1)
    spoken = make_prompt(spoken_like_text().ids, words, (6, 7, 8, 9))
    settings = {"donors": Donors([text_prompt()], "mean"), **QUIET}
    tokens = activation_patch(lens, [spoken], Noise(0.5), ("resid_post",), **settings)
    assert (tokens["status"].isel(pos=3) == 3).all()
    roles = activation_patch(lens, [spoken], Noise(0.5), Grid(("resid_post",), at="role"), **settings)
    model = lens.backend.model
    _, taken = model.run_with_cache(text_prompt().tokens)
    embeddings = corrupted_embeddings(lens, spoken, Noise(0.5), samples=1, seed=0)

    def put(x, hook):
        x = x.clone()
        x[0, 2] = taken[hook.name][0, 2]
        x[0, [4, 5]] = taken[hook.name][0, 3]
        return x

    hooks = [("hook_embed", lambda x, hook: embeddings), ("blocks.0.hook_resid_post", put)]
    with torch.no_grad():
        slow = measured(lens, spoken, model.run_with_hooks(spoken.tokens, fwd_hooks=hooks))
    cell = roles["restored"].sel(component="resid_post", layer=0, role="before subject").values[0, 0]
    assert np.allclose(cell, slow, atol=TOLERANCE)


def test_controls_take_other_values_and_noise_keeps_the_norm(lens):
    written, spoken = text_prompt(fact_id="a"), spoken_like_text()
    counterfactual = make_prompt((*spoken.ids[:6], 42, 34, 42, 34, *spoken.ids[10:]), spoken.word_index, (6, 7, 8, 9))
    runs = {
        control: activation_patch(
            lens,
            [spoken],
            [counterfactual],
            Grid(("resid_post",), at="role"),
            donors=Donors([written], "mean", control),
            **QUIET,
        )["restored"].sel(role="subject")
        for control in ("none", "other word", "noise")
    }
    assert not np.allclose(runs["none"], runs["other word"], atol=1e-6)
    assert not np.allclose(runs["none"], runs["noise"], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"control": "placebo"}, "control='placebo'"),
        ({"pooling": "first"}, "pooling='first': expected one of position, last"),
        ({"prompts": ()}, "donors is empty"),
        ({"layers": (1, 1)}, r"layers \(1, 1\) names a layer twice"),
        ({"layers": ("1",)}, r"layers\[0\]='1': expected a whole number"),
    ],
)
def test_donors_that_mean_nothing_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Donors(**change)


def test_patterns_need_equal_lengths(lens):
    with pytest.raises(ValueError, match="patterns are taken between prompts of equal length"):
        activation_patch(
            lens, [spoken_like_text()], Noise(0.1), ("pattern",), donors=Donors([text_prompt()], "mean"), **QUIET
        )


@pytest.mark.parametrize(
    "change", [{"pooling": "mean"}, {"control": "noise"}, {"control": "other word", "pooling": "mean"}]
)
def test_patterns_are_neither_pooled_nor_drawn(lens, change):
    with pytest.raises(ValueError, match="a pattern is taken row by row"):
        activation_patch(lens, [text_prompt()], [other_prompt()], ("pattern",), donors=Donors(**change), **QUIET)


def test_position_pooling_refuses_words_of_other_size(lens):
    with pytest.raises(ValueError, match="use 'last', 'mean', 'broadcast' or 'norm_matched'"):
        activation_patch(lens, [spoken_like_text()], Noise(0.1), donors=[text_prompt()], **QUIET)


def test_prompts_of_another_phrasing_do_not_align(lens):
    with pytest.raises(ValueError, match="align prompts of one phrasing"):
        activation_patch(lens, [spoken_prompt()], Noise(0.1), donors=Donors([text_prompt()], "mean"), **QUIET)
