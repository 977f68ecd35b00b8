"""Head knock-out against plain hooks, its reference values, and pairs of heads of which one is enough."""

import itertools
import json

import numpy as np
import pytest
import torch

from spiritlens.analysis.heads.head_knockout import Ablation, Reference, head_knockout
from spiritlens.models.planted.planted import planted
from spiritlens.prompts.spans import EVERYWHERE
from spiritlens.runs.metrics import Metric
from tests.analysis.tracing_lens import make_prompt, spoken_prompt, text_prompt, tiny_lens

TOLERANCE = 1e-10
QUIET = {"progress": "none", "metrics": ("probability", "logit_difference")}


@pytest.fixture(scope="module", params=[4, 2], ids=["MHA", "GQA"])
def lens(request):
    return tiny_lens(request.param)


def by_hand(lens, prompt, heads, positions, value):
    """[probability, logit difference] with z of the heads replaced by value(layer, head, position)."""

    def put(x, hook):
        x = x.clone()
        layer = int(hook.name.split(".")[1])
        for at, head in heads:
            if at == layer:
                for position in positions:
                    x[0, position, head] = value(layer, head, position)
        return x

    hooks = [(f"blocks.{layer}.attn.hook_z", put) for layer in {layer for layer, _ in heads}]
    with torch.no_grad():
        last = lens.backend.model.run_with_hooks(prompt.tokens, fwd_hooks=hooks)[0, -1]
    answer, foil = prompt.answer_ids[0], prompt.foil_ids[0]
    return [float(last.softmax(-1)[answer]), float(last[answer] - last[foil])]


def test_zeroed_heads_equal_a_hook(lens):
    prompt = text_prompt()
    found = head_knockout(lens, [prompt], Ablation("zero", spans=(EVERYWHERE, "last token")), **QUIET)
    for layer, head in itertools.product(range(3), range(4)):
        for column, positions in enumerate((range(1, 8), [7])):
            slow = by_hand(lens, prompt, [(layer, head)], positions, lambda *_: 0.0)
            assert np.allclose(found["restored"].values[0, 0, layer, column, head, 0], slow, atol=TOLERANCE)
    everything = by_hand(lens, prompt, list(itertools.product(range(3), range(4))), range(1, 8), lambda *_: 0.0)
    assert np.allclose(found["corrupted"].values[0, 0], everything, atol=TOLERANCE)


def test_means_are_taken_over_tokens_of_the_same_role(lens):
    prompt = text_prompt()
    references = [text_prompt(), make_prompt((1, 30, 7, 21, 19, 5, 24, 13), (-1, -1, 0, 1, 2, 2, 3, 4), (4, 5), (12,))]
    caches = [lens.backend.model.run_with_cache(reference.tokens)[1] for reference in references]
    found = head_knockout(lens, [prompt], Ablation("mean", reference=references, spans=("subject",)), **QUIET)

    def mean(layer, head, position):
        values = [cache[f"blocks.{layer}.attn.hook_z"][0, at, head] for cache in caches for at in (4, 5)]
        return torch.stack(values).mean(0)

    slow = by_hand(lens, prompt, [(1, 2)], [4, 5], mean)
    assert np.allclose(found["restored"].values[0, 0, 1, 0, 2, 0], slow, atol=TOLERANCE)


def test_resampled_values_come_from_the_reference_and_differ_by_sample(lens):
    prompt, reference = spoken_prompt(), [spoken_prompt(answer_ids=(12,))]
    pool = Reference(lens.backend, reference, "resample")
    values = lens.backend.cache(reference[0].tokens, ["blocks.0.attn.hook_z"])["blocks.0.attn.hook_z"][0, 4:8]
    drawn = pool.values(prompt, (4,), samples=8, seed=0)[:, 0, 0]
    assert all(any(torch.equal(one, value) for value in values) for one in drawn)
    assert not all(torch.equal(drawn[0], one) for one in drawn)
    found = head_knockout(lens, [prompt], Ablation("resample", reference=reference), samples=3, **QUIET)
    again = head_knockout(lens, [prompt], Ablation("resample", reference=reference), samples=3, **QUIET)
    assert found.sizes["sample"] == 3
    assert np.array_equal(found["restored"], again["restored"])
    single = head_knockout(lens, [prompt], Ablation("resample", reference=reference), samples=1, **QUIET)
    assert np.allclose(single["restored"].values[..., 0, :], found["restored"].values[..., 0, :], atol=TOLERANCE)


def about_another_subject():
    """The text prompt with other tokens for the subject."""
    return make_prompt((1, 30, 7, 21, 19, 5, 24, 13), (-1, -1, 0, 1, 2, 2, 3, 4), (4, 5), (12,))


def test_prompts_are_each_others_reference_and_never_their_own(lens):
    """Nor is one about the same subject: here the same one asked with another last word."""
    prompt, other = text_prompt(), about_another_subject()
    twin = make_prompt((1, 30, 7, 21, 9, 16, 24, 25), (-1, -1, 0, 1, 2, 2, 3, 4), (4, 5))
    found = head_knockout(lens, [prompt, other, twin], Ablation("mean", spans=("last token",)), **QUIET)
    for row, (one, references) in enumerate([(prompt, [other]), (other, [prompt, twin]), (twin, [other])]):
        given = head_knockout(lens, [one], Ablation("mean", reference=references, spans=("last token",)), **QUIET)
        assert np.allclose(found["restored"].values[row], given["restored"].values[0], atol=TOLERANCE)
        assert np.abs(given["restored"] - given["clean"]).max() > 1e-6
    config = json.loads(found.attrs["config_json"])
    assert (config["reference"], config["left_out"]) == ([prompt.id, other.id, twin.id], "same subject")


def test_a_prompt_alone_has_nothing_to_take_values_from(lens):
    for kind in ("mean", "resample"):
        with pytest.raises(ValueError, match="no reference prompt about another subject has tokens of that modality"):
            head_knockout(lens, [text_prompt()], kind, **QUIET)


def test_written_and_spoken_tokens_do_not_stand_in_for_each_other(lens):
    prompt, written, spoken = text_prompt(), about_another_subject(), spoken_prompt()

    def by(*references):
        return head_knockout(lens, [prompt], Ablation("mean", references, spans=("subject",)), **QUIET)

    assert np.allclose(by(written)["restored"], by(written, spoken)["restored"], atol=TOLERANCE)
    with pytest.raises(ValueError, match="no reference prompt has tokens of that modality; give prompts"):
        by(spoken)


def test_a_role_that_no_reference_has_takes_all_tokens_of_its_modality(lens):
    prompt = text_prompt()
    short = make_prompt((1, 30, 7, 19, 5, 13), (-1, -1, 0, 1, 1, 2), (3, 4))  # no word between subject and last word
    _, cache = lens.backend.model.run_with_cache(short.tokens)
    found = head_knockout(lens, [prompt], Ablation("mean", reference=[short], spans=("after subject",)), **QUIET)
    slow = by_hand(
        lens, prompt, [(1, 2)], [6], lambda layer, head, _: cache[f"blocks.{layer}.attn.hook_z"][0, 2:, head].mean(0)
    )
    assert np.allclose(found["restored"].values[0, 0, 1, 0, 2, 0], slow, atol=TOLERANCE)


def test_without_any_head_is_without_them_at_all_spans(lens):
    prompt = text_prompt()
    found = head_knockout(lens, [prompt], Ablation("zero", spans=("subject", "last token", "final marker")), **QUIET)
    everything = by_hand(lens, prompt, list(itertools.product(range(3), range(4))), (4, 5, 7), lambda *_: 0.0)
    assert np.allclose(found["corrupted"].values[0, 0], everything, atol=TOLERANCE)


def test_a_head_at_its_own_value_is_no_knock_out(lens):
    """A reference of one prompt with one token per role gives that token back."""
    prompt = text_prompt()
    found = head_knockout(lens, [prompt], Ablation("mean", reference=[prompt], spans=("last token",)), **QUIET)
    assert np.allclose(found["restored"].values[0, 0, :, 0, :, 0], found["clean"].values[0], atol=TOLERANCE)


def test_one_mover_of_an_or_pair_can_be_spared_but_not_both():
    circuit = planted("or pair")
    prompts = [circuit.prompts[0], circuit.prompts[12]]
    first, second = ((mover.layer, mover.head) for mover in circuit.truth.movers)
    groups = {"first": [first], "second": [second], "both": [first, second], "decoy": [(6, 2)]}
    found = head_knockout(circuit.lens, prompts, "zero", groups=groups, metrics=("probability",), progress="none")
    kept = found["restored"].isel(sample=0, metric=0, layer=0, span=0)
    for name, expected in {"first": 1, "second": 1, "both": 0, "decoy": 1}.items():
        assert np.allclose(kept.sel(component=name), expected, atol=1e-3), name
    assert "head" not in found.dims


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ablation": "random"}, "kind='random': expected one of zero"),
        ({"samples": 0}, "samples=0: expected a whole number ≥ 1"),
        ({"groups": {"found": [(5, 0)]}}, "group 'found' names L5H0"),
        ({"ablation": ["zero"]}, r"kind=\['zero'\]: expected one of zero"),
        ({"ablation": Ablation(spans=("nowhere",))}, "no span 'nowhere'"),
    ],
)
def test_bad_requests_are_refused(lens, change, message):
    with pytest.raises(ValueError, match=message):
        head_knockout(lens, [text_prompt()], **{**QUIET, **change})


def test_one_prompt_is_enough_without_a_reference(lens):
    """Zero needs no other prompt; what a mean needs is said before anything runs."""
    assert head_knockout(lens, [text_prompt()], "zero", **QUIET).sizes["prompt"] == 1
    with pytest.raises(ValueError, match=r"give prompts that have: Ablation\(…, reference=…\), or use kind='zero'"):
        head_knockout(lens, [text_prompt()], **QUIET)


def test_a_metric_of_ones_own_is_measured_as_the_built_in_one(lens):
    own = Metric("own logit", lambda logits, prompt: logits[:, 0, prompt.answer_ids[0]], unit="logits")
    found = head_knockout(lens, [text_prompt()], "zero", ("logit", own), progress="none")
    one, other = (found["restored"].sel(metric=name) for name in ("logit", "own logit"))
    assert np.array_equal(one, other)
    assert json.loads(found.attrs["config_json"])["own_metrics"].keys() == {"own logit"}


@pytest.mark.parametrize("kind", ["mean", "resample"])
def test_markers_of_either_modality_do_not_stand_in_for_each_other(kind):
    """Prompts of both modalities in one call give what each modality gives alone."""
    machine = planted()
    written, spoken = list(machine.prompts[:3]), list(machine.prompts[12:15])
    marked = Ablation(kind, spans=("modality marker", "final marker", "subject"))
    quiet = {"progress": "none", "metrics": ("logit_difference",), "samples": 2}
    both = head_knockout(machine.lens, [*written, *spoken], marked, **quiet)["restored"].values
    for rows, prompts in ((slice(0, 3), written), (slice(3, 6), spoken)):
        alone = head_knockout(machine.lens, prompts, marked, **quiet)["restored"].values
        np.testing.assert_allclose(both[rows], alone, atol=TOLERANCE)
    with pytest.raises(
        ValueError, match=r"'modality marker' \(a marker of T2T prompts\).*no reference prompt has tokens"
    ):
        head_knockout(machine.lens, written, Ablation(kind, spoken, ("modality marker",)), **quiet)
