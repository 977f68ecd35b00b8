"""Head knock-out against plain hooks, its reference values, and pairs of heads of which one is enough."""

import itertools

import numpy as np
import pytest
import torch

from spiritlens.analysis.head_knockout import EVERYWHERE, Reference, head_knockout
from spiritlens.models.planted_circuits import planted
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
        last = lens.inside.model.run_with_hooks(prompt.tokens, fwd_hooks=hooks)[0, -1]
    answer, foil = prompt.answer_ids[0], prompt.foil_ids[0]
    return [float(last.softmax(-1)[answer]), float(last[answer] - last[foil])]


def test_zeroed_heads_equal_a_hook(lens):
    prompt = text_prompt()
    found = head_knockout(lens, [prompt], "zero", spans=(EVERYWHERE, "last token"), **QUIET)
    for layer, head in itertools.product(range(3), range(4)):
        for column, positions in enumerate((range(1, 8), [7])):
            slow = by_hand(lens, prompt, [(layer, head)], positions, lambda *_: 0.0)
            assert np.allclose(found["restored"].values[0, 0, layer, column, head, 0], slow, atol=TOLERANCE)
    everything = by_hand(lens, prompt, list(itertools.product(range(3), range(4))), range(1, 8), lambda *_: 0.0)
    assert np.allclose(found["corrupted"].values[0, 0], everything, atol=TOLERANCE)


def test_means_are_taken_over_tokens_of_the_same_role(lens):
    prompt = text_prompt()
    references = [text_prompt(), make_prompt((1, 30, 7, 21, 19, 5, 24, 13), (-1, -1, 0, 1, 2, 2, 3, 4), (4, 5), (12,))]
    caches = [lens.inside.model.run_with_cache(reference.tokens)[1] for reference in references]
    found = head_knockout(lens, [prompt], "mean", reference=references, spans=("subject",), **QUIET)

    def mean(layer, head, position):
        values = [cache[f"blocks.{layer}.attn.hook_z"][0, at, head] for cache in caches for at in (4, 5)]
        return torch.stack(values).mean(0)

    slow = by_hand(lens, prompt, [(1, 2)], [4, 5], mean)
    assert np.allclose(found["restored"].values[0, 0, 1, 0, 2, 0], slow, atol=TOLERANCE)


def test_resampled_values_come_from_the_reference_and_differ_by_sample(lens):
    prompt, reference = text_prompt(), [spoken_prompt()]
    pool = Reference(lens.inside, reference, "resample")
    values = lens.inside.cache(reference[0].tokens, ["blocks.0.attn.hook_z"])["blocks.0.attn.hook_z"][0, 4:8]
    drawn = [pool.value(prompt, 4, sample, seed=0)[0] for sample in range(8)]
    assert all(any(torch.equal(one, value) for value in values) for one in drawn)
    assert not all(torch.equal(drawn[0], one) for one in drawn)
    found = head_knockout(lens, [prompt], "resample", reference=reference, samples=3, **QUIET)
    again = head_knockout(lens, [prompt], "resample", reference=reference, samples=3, **QUIET)
    assert found.sizes["sample"] == 3
    assert np.array_equal(found["restored"], again["restored"])
    single = head_knockout(lens, [prompt], "resample", reference=reference, samples=1, **QUIET)
    assert np.allclose(single["restored"].values[..., 0, :], found["restored"].values[..., 0, :], atol=TOLERANCE)


def test_a_head_at_its_own_value_is_no_knock_out(lens):
    """A reference of one prompt with one token per role gives that token back."""
    prompt = text_prompt()
    found = head_knockout(lens, [prompt], "mean", reference=[prompt], spans=("last token",), **QUIET)
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
        ({"kind": "random"}, "knock-out kind 'random' is unknown"),
        ({"samples": 0}, "samples is 0"),
        ({"groups": {"found": [(5, 0)]}}, "group 'found' names L5H0"),
        ({"reference": []}, "need reference prompts"),
        ({"spans": ("nowhere",)}, "no span 'nowhere'"),
    ],
)
def test_bad_requests_are_refused(lens, change, message):
    with pytest.raises(ValueError, match=message):
        head_knockout(lens, [text_prompt()], **{**QUIET, **change})
