"""Tensors, vectors and functions as interventions: each verb against a plain hooked pass of TransformerLens."""

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from either_kind import own_hooks
from tracing_lens import spoken_prompt, text_prompt, tiny_lens

import spiritlens as sl
from spiritlens.models.planted.planted import planted
from spiritlens.runs.corruptions.corruption import corrupted_embeddings
from spiritlens.runs.interventions import Intervention, ablate, add, apply, corrupt, replace_with, restore, swap
from spiritlens.runs.run import run
from spiritlens.runs.sites import Site

TOLERANCE = 1e-10
WIDTHS = {"resid_pre": 24, "resid_mid": 24, "attn_out": 24, "mlp_out": 24, "resid_post": 24}
HEADS = {"q": 4, "k": 2, "v": 2, "z": 4}


@pytest.fixture(scope="module")
def lens():
    return tiny_lens(n_kv_heads=2)


def hook_of(component: str, layer: int = 1) -> str:
    return f"blocks.{layer}.{'attn.' if component in 'zqkv' else ''}hook_{component}"


def slow(lens, prompt, *changes, samples: int = 1, embeddings=None) -> torch.Tensor:
    """Logits of TransformerLens's own pass; a change is a component, a layer, an index and a function."""
    hooks = [] if embeddings is None else [("hook_embed", lambda x, hook: embeddings)]
    for component, layer, index, function in changes:

        def hook(x, hook, index=index, function=function):
            x = x.clone()
            x[index] = function(x[index].clone())
            return x

        hooks.append((hook_of(component, layer), hook))
    with lens.model.hooks(fwd_hooks=own_hooks(lens.model, hooks)):
        return lens.model(prompt.tokens.expand(samples, -1))


def same(found, logits: torch.Tensor) -> bool:
    return bool((found.logits - logits).abs().max() < TOLERANCE)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("component", WIDTHS)
@pytest.mark.parametrize("at", [(5,), (4, 5, -1), (7, 2)])
def test_a_tensor_a_vector_and_a_function_at_a_span(lens, component, at) -> None:
    prompt = text_prompt()
    index = (slice(None), list(at))
    for shape in ((24,), (1, 24), (len(at), 24), (1, len(at), 24)):
        values = drawn(*shape)
        found = (
            run(lens, prompt, replace_with(component, 1, at, values)),
            run(lens, prompt, add(component, 1, at, values)),
        )
        assert same(found[0], slow(lens, prompt, (component, 1, index, lambda here, values=values: values)))
        assert same(found[1], slow(lens, prompt, (component, 1, index, lambda here, values=values: here + values)))
    turned = run(lens, prompt, apply(component, 1, at, torch.tanh))
    assert same(turned, slow(lens, prompt, (component, 1, index, torch.tanh)))
    assert abs(turned.effect) > 1e-9


@pytest.mark.parametrize("component", HEADS)
@pytest.mark.parametrize("head", [None, 0, 1])
def test_heads(lens, component, head) -> None:
    prompt, at = spoken_prompt(), (4, 5, 6)
    n_heads = HEADS[component]
    index = (slice(None), list(at)) if head is None else (slice(None), list(at), head)
    shapes = ((6,), (3, 6), (1, 3, 6)) if head is not None else ((6,), (n_heads, 6), (3, 1, 6), (3, n_heads, 6))
    for shape in shapes:
        values = drawn(*shape)
        for verb, function in (
            (replace_with, lambda here, values=values: values.expand(here.shape)),
            (add, lambda here, values=values: here + values),
        ):
            found = run(lens, prompt, verb(component, 1, at, values, head=head))
            assert same(found, slow(lens, prompt, (component, 1, index, function)))
    seen: list[tuple[int, ...]] = []

    def halved(here):
        seen.append(tuple(here.shape))
        return here / 2

    found = run(lens, prompt, apply(component, 1, at, halved, head=head))
    assert same(found, slow(lens, prompt, (component, 1, index, lambda here: here / 2)))
    assert set(seen) == {(1, 3, 6) if head is not None else (1, 3, n_heads, 6)}


def test_several_samples(lens) -> None:
    """Under noise each sample has its own activation; a tensor may have an axis for them."""
    prompt, samples = spoken_prompt(), 3
    noisy = run(lens, prompt, corrupt(prompt.subject), samples=samples, seed=5)
    embeddings = corrupted_embeddings(lens, prompt, sl.Noise(), samples=samples, seed=5)
    assert same(noisy, slow(lens, prompt, samples=samples, embeddings=embeddings))
    values, index = drawn(samples, 2, 24), (slice(None), [4, 5])
    for verb, function in ((replace_with, lambda here: values), (add, lambda here: here + values)):
        found = run(lens, prompt, corrupt(prompt.subject), verb("mlp_out", 0, (4, 5), values), samples=samples, seed=5)
        change = ("mlp_out", 0, index, function)
        assert same(found, slow(lens, prompt, change, samples=samples, embeddings=embeddings))
    found = run(lens, prompt, corrupt(prompt.subject), apply("z", 0, 6, torch.sin, head=1), samples=samples, seed=5)
    change = ("z", 0, (slice(None), [6], 1), torch.sin)
    assert same(found, slow(lens, prompt, change, samples=samples, embeddings=embeddings))


def test_interventions_at_one_layer_follow_the_model_and_at_one_site_their_order(lens) -> None:
    prompt, vector = text_prompt(), drawn(24)
    index = (slice(None), [4, 5])
    verbs = (
        add("mlp_out", 1, (4, 5), vector),
        apply("attn_out", 1, (4, 5), lambda here: 2 * here),
        replace_with("v", 1, (4, 5), drawn(6, seed=1)),
        add("resid_post", 1, (4, 5), -vector),
    )
    expected = slow(
        lens,
        prompt,
        ("v", 1, index, lambda here: drawn(6, seed=1).expand(here.shape)),
        ("attn_out", 1, index, lambda here: 2 * here),
        ("mlp_out", 1, index, lambda here: here + vector),
        ("resid_post", 1, index, lambda here: here - vector),
    )
    for order in itertools.permutations(verbs):
        assert same(run(lens, prompt, *order), expected)
    doubled, raised = apply("mlp_out", 1, (4, 5), lambda here: 2 * here), add("mlp_out", 1, (4, 5), vector)
    first = slow(lens, prompt, ("mlp_out", 1, index, lambda here: 2 * here + vector))
    second = slow(lens, prompt, ("mlp_out", 1, index, lambda here: 2 * (here + vector)))
    assert same(run(lens, prompt, doubled, raised), first)
    assert same(run(lens, prompt, raised, doubled), second)
    for component in ("resid_mid", "mlp_out"):  # values put in win over what was there
        late = run(lens, prompt, add(component, 1, 4, vector), restore(component, 1, 4))
        assert same(late, lens.model(prompt.tokens))


def test_a_clean_value_as_a_tensor_is_a_restoration(lens) -> None:
    prompt = text_prompt()
    _, cache = lens.model.run_with_cache(prompt.tokens)
    values = cache["blocks.1.hook_resid_pre"][0, 4:6]
    verbs = restore("resid_pre", 1, prompt.subject), replace_with("resid_pre", 1, prompt.subject, values)
    by_verb, by_hand = (run(lens, prompt, corrupt(prompt.subject), verb, samples=3) for verb in verbs)
    by_verb_values = by_verb.values["probability"].tolist()  # the hand's are of TransformerLens's own pass: rounding
    assert by_hand.values["probability"].tolist() == pytest.approx(by_verb_values, rel=1e-10)
    zeros = run(lens, prompt, replace_with("mlp_out", 1, 4, torch.zeros(24)))
    assert same(zeros, run(lens, prompt, ablate("mlp_out", 1, 4)).logits)


def test_a_planted_fact_is_steered_to_another() -> None:
    """The difference of two subjects at the fact's layer, added to one of them, brings the other's answer."""
    machine = planted()
    prompt = machine.prompts[0]
    other = machine.counterfactual(prompt)
    name = f"blocks.{machine.truth.fact_layers['T2T']}.hook_resid_post"
    last = prompt.subject.last
    states = [machine.lens.model.run_with_cache(one.tokens)[1][name][0, last] for one in (prompt, other)]
    vector = states[1] - states[0]
    layer = machine.truth.fact_layers["T2T"]
    steered = sl.run(machine.lens, prompt, sl.add("resid_post", layer, last, vector))
    swapped = sl.run(machine.lens, prompt, swap("resid_post", layer, last, other, donor_at=other.subject.last))
    assert (steered.logits - swapped.logits).abs().max() < TOLERANCE
    assert steered.top(1).ids == other.answer_ids
    assert sl.run(machine.lens, prompt).top(1).ids == prompt.answer_ids


def test_numbers_of_another_dtype_and_gradients_are_brought_along(lens) -> None:
    prompt = text_prompt()
    values = torch.ones(24, dtype=torch.bfloat16, requires_grad=True)
    found = run(lens, prompt, add("mlp_out", 1, 4, values))
    assert same(found, slow(lens, prompt, ("mlp_out", 1, (slice(None), [4]), lambda here: here + 1)))
    assert not found.logits.requires_grad
    assert same(run(lens, prompt, add("mlp_out", 1, 4, np.ones(24))), found.logits)


def test_a_function_may_write_into_what_it_is_given(lens) -> None:
    def zeroed(here):
        here[:] = 0
        return here

    prompt = text_prompt()
    assert same(
        run(lens, prompt, apply("mlp_out", 1, (4, 5), zeroed)), run(lens, prompt, ablate("mlp_out", 1, (4, 5))).logits
    )


@dataclass(frozen=True)
class Doubled:
    """A user's value."""

    random: bool = False

    def values(self, site, runs):
        clean = runs.clean.values[site.hook][:, list(site.positions)]
        return lambda here: 2 * clean


def test_a_users_value_is_an_interventions(lens) -> None:
    prompt = text_prompt()
    found = run(lens, prompt, Intervention(Site("mlp_out", 1, (4, 5)), Doubled(), "doubled"))
    assert same(found, slow(lens, prompt, ("mlp_out", 1, (slice(None), [4, 5]), lambda here: 2 * here)))


WANTED = r"wanted is \[sample=1 position=2 width=24\]"


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: replace_with("mlp_out", 1, (4, 5), [1.0]), r"tensor is \[1.0\] \(list\): expected a torch tensor"),
        (
            lambda: add("mlp_out", 1, 4, torch.ones(24, dtype=torch.int64)),
            r"vector is .*int64\): expected a torch tensor",
        ),
        (lambda: add("mlp_out", 1, 4, torch.full((24,), math.nan)), "vector holds values that are not finite"),
        (lambda: replace_with("mlp_out", 1, 4, torch.tensor(1.0)), r"the shape \(\); wanted is \[width\]"),
        (lambda: replace_with("mlp_out", 1, (4, 5), torch.ones(23)), rf"the tensor has the shape \(23,\); {WANTED}"),
        (lambda: add("mlp_out", 1, (4, 5), torch.ones(3, 24)), rf"the vector has the shape \(3, 24\); {WANTED}"),
        (lambda: add("mlp_out", 1, (4, 5), torch.ones(3, 2, 24)), rf"shape \(3, 2, 24\); {WANTED}"),
        (lambda: add("mlp_out", 1, (4, 5), torch.ones(1, 1, 2, 24)), rf"shape \(1, 1, 2, 24\); {WANTED}"),
        (lambda: add("z", 1, 4, torch.ones(3, 6)), r"wanted is \[sample=1 position=1 head=4 width=6\]"),
        (lambda: add("z", 1, 4, torch.ones(24), head=0), r"wanted is \[sample=1 position=1 width=6\]"),
        (lambda: apply("mlp_out", 1, 4, 2.0), r"function=2.0 \(float\): expected a function"),
        (
            lambda: apply("mlp_out", 1, (4, 5), lambda here: here[:, 0]),
            rf"returned a tensor \(1, 24\); .*{WANTED[10:]}",
        ),
        (lambda: apply("mlp_out", 1, (4, 5), lambda here: None), r"returned a NoneType; wanted is a tensor"),
        (lambda: apply("mlp_out", 1, (4, 5), lambda here: here / 0), "returned values that are not finite"),
        (lambda: add("embed", 0, 4, torch.ones(24)), r"changed by corrupt\(...\).*resid_pre of layer 0"),
        (lambda: add("mlp_out", 9, 4, torch.ones(24)), "layer 9 is outside"),
        (lambda: add("mlp_out", 1, 4, torch.ones(24), head=0), "has no head axis"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_is_wanted(lens, made, message) -> None:
    with pytest.raises(ValueError, match=message):
        run(lens, text_prompt(), made())
    assert not any(point._forward_hooks for point in lens.model.hook_dict.values())


@pytest.mark.parametrize("head", [None, 2])
def test_rows_of_a_pattern_are_restored_swapped_set_and_zeroed(lens, head) -> None:
    """Positions are queries; each verb against a plain hook on ``[row head query key]``."""
    prompt, at, layer = text_prompt(), [4, 6], 1
    index = (slice(None), slice(None) if head is None else head, at)
    noisy = corrupted_embeddings(lens, prompt, sl.Noise(1.0).resolved(lens), samples=2)
    name = f"blocks.{layer}.attn.hook_pattern"
    clean = lens.model.run_with_cache(prompt.tokens, names_filter=name)[1][name]

    def plain(function, embeddings=None, samples=1):
        def hook(x, hook):
            x = x.clone()
            x[index] = function(x[index].clone())
            return x

        before = [] if embeddings is None else [("hook_embed", lambda x, hook: embeddings)]
        with lens.model.hooks(fwd_hooks=[*before, (name, hook)]):
            return lens.model(prompt.tokens.expand(samples, -1))

    restored = run(lens, prompt, corrupt("subject", 1.0), restore("pattern", layer, at, head), samples=2)
    assert same(restored, plain(lambda x: clean[index].expand_as(x), noisy, 2))
    assert same(run(lens, prompt, ablate("pattern", layer, at, head)), plain(torch.zeros_like))
    row = torch.softmax(drawn(len(prompt)), 0)
    assert same(run(lens, prompt, replace_with("pattern", layer, at, row, head)), plain(lambda x: row.expand_as(x)))
    swapped = run(lens, prompt, swap("pattern", layer, at, prompt, head=head))
    assert same(swapped, plain(lambda x: clean[index].expand_as(x)))


def test_a_pattern_that_has_other_keys_is_refused(lens) -> None:
    prompt, longer = text_prompt(), spoken_prompt()
    with pytest.raises(ValueError, match="be as long as the prompt"):
        run(lens, prompt, swap("pattern", 1, 3, longer))
    with pytest.raises(ValueError, match="taken where they are put"):
        run(lens, prompt, swap("pattern", 1, 3, prompt, donor_at=4))
    with pytest.raises(ValueError, match="keys that this one does not have"):
        run(lens, prompt, ablate("pattern", 1, 3, to="mean"))


def test_a_pattern_row_reaches_over_an_answer_of_several_tokens(lens) -> None:
    """The answer's tokens follow the prompt, and the rows of the prompt do not look at them."""
    prompt = text_prompt()
    several = replace(prompt, answer_ids=(*prompt.answer_ids, prompt.answer_ids[0]))
    same_rows = run(lens, several, swap("pattern", 1, [4, 6], several))
    assert same(same_rows, run(lens, several).logits)
    assert same_rows.values["log_probability"].allclose(run(lens, several).values["log_probability"])
