"""Continuations under interventions against a hand-made loop, one whole pass of hooks per new token."""

import pytest
import torch
from either_kind import own_hooks

import spiritlens as sl
from spiritlens.models.lens import Lens
from spiritlens.models.planted.planted import planted
from spiritlens.models.planted.vocabulary import planted_vocabulary
from spiritlens.models.random_weights import random_config, random_lens_model
from spiritlens.runs.corruptions.corruption import corrupted_embeddings


@pytest.fixture(scope="module")
def machine():
    return planted()


@pytest.fixture(scope="module")
def lens():
    return sl.load()


@pytest.fixture(scope="module")
def random():
    """Random weights go on and on, and every change is heard."""
    vocabulary = planted_vocabulary()
    shape = random_config(n_layers=3, d_model=24, n_heads=4, n_kv_heads=2, d_mlp=40, d_vocab=vocabulary.size)
    return Lens(random_lens_model(shape, seed=3, dtype=torch.float64).model, vocabulary, name="random")


def by_hand(lens, ids, hooks, n_new: int, allowed) -> list[int]:
    """The likeliest allowed tokens, each from a whole pass with the hooks at the prompt's positions."""
    ids = list(ids)
    for _ in range(n_new):
        with lens.model.hooks(fwd_hooks=own_hooks(lens.model, hooks)):
            logits = lens.model(torch.tensor([ids]))
        best = allowed[int(logits[0, -1, allowed].argmax())]
        if best == lens.vocabulary.eos_id:
            break
        ids.append(best)
    return ids


def put(index, function):
    def hook(x, hook):
        x = x.clone()
        x[index] = function(x[index])
        return x

    return hook


def text_of(lens, ids, prompt) -> str:
    return lens.vocabulary.decode(ids[len(prompt) :]).strip()


def test_without_interventions_both_forms_are_one(lens) -> None:
    prompt = lens.text("The capital of France is")
    assert sl.generate(lens, prompt) == lens.generate(prompt) == lens.generate("The capital of France is")
    assert sl.generate(lens, "The capital of France is", max_new_tokens=1) == "paris"


@pytest.mark.parametrize("place", [-1, -2])
def test_interventions_hold_at_the_prompts_positions(random, place) -> None:
    """Of several layers and kinds, at positions in the middle: each later pass by hand places them again."""
    lens, prompt = random, random.text("the colour of marlo is")
    vector = 3 * torch.randn(lens.backend.d_model, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    allowed = lens.vocabulary.text_ids.tolist()
    at = [2, len(prompt) + place]
    verbs = (
        sl.add("resid_post", 0, at, vector),
        sl.apply("z", 1, at[1], lambda here: 0.5 * here, head=0),
        sl.ablate("mlp_out", 2, at),
        sl.add("resid_mid", 2, at[1], vector),
    )
    hooks = [
        ("blocks.0.hook_resid_post", put((slice(None), at), lambda here: here + vector)),
        ("blocks.1.attn.hook_z", put((slice(None), at[1], 0), lambda here: 0.5 * here)),
        ("blocks.2.hook_mlp_out", put((slice(None), at), torch.zeros_like)),
        ("blocks.2.hook_resid_mid", put((slice(None), at[1]), lambda here: here + vector)),
    ]
    wanted = by_hand(lens, prompt.ids, hooks, 8, allowed)
    found = sl.generate(lens, prompt, *verbs, max_new_tokens=8)
    assert found == text_of(lens, wanted, prompt)
    assert found != lens.generate(prompt, 8)
    assert len(found.split()) > 4
    assert not any(point._forward_hooks for point in lens.model.hook_dict.values())


def test_a_swapped_subject_is_what_the_planted_model_goes_on_to_tell(machine) -> None:
    prompt = machine.prompts[0]
    other = machine.counterfactual(prompt)
    layer, last = machine.truth.fact_layers["T2T"], prompt.subject.last
    swap = sl.swap("resid_post", layer, last, other, donor_at=other.subject.last)
    assert machine.lens.generate(prompt, 1) == prompt.answer
    assert sl.generate(machine.lens, prompt, swap, max_new_tokens=1) == other.answer


def test_a_corruption_is_that_of_the_first_sample(random, machine) -> None:
    lens, prompt = random, machine.prompts[0]
    allowed = lens.vocabulary.text_ids.tolist()
    answers = set()
    for seed in range(4):
        embeddings = corrupted_embeddings(lens, prompt, sl.Noise(), samples=1, seed=seed)
        index = (slice(None), slice(0, len(prompt)))
        wanted = by_hand(lens, prompt.ids, [("hook_embed", put(index, lambda here, e=embeddings: e))], 2, allowed)
        found = sl.generate(lens, prompt, sl.corrupt(prompt.subject), max_new_tokens=2, seed=seed)
        assert found == text_of(lens, wanted, prompt)
        answers.add(found)
    assert len(answers) > 1
    restored = sl.restore("resid_pre", 1, range(len(prompt)))
    assert sl.generate(machine.lens, prompt, sl.corrupt(prompt.subject), max_new_tokens=1) != prompt.answer
    assert sl.generate(machine.lens, prompt, sl.corrupt(prompt.subject), restored, max_new_tokens=1) == prompt.answer


def test_a_marker_may_follow_the_prompt(random) -> None:
    """Speech is asked for after writing: the marker that opens it is no position of the prompt."""
    vocabulary, prompt = random.vocabulary, random.text("the colour of marlo is", "marlo")
    embeddings = corrupted_embeddings(random, prompt, sl.Noise(), samples=1)
    hooks = [("hook_embed", put((slice(None), slice(0, len(prompt))), lambda here: embeddings))]
    wanted = by_hand(random, [*prompt.ids, vocabulary.speech_marker_id], hooks, 3, list(vocabulary.unit_ids))
    found = sl.generate(random, prompt, sl.corrupt(prompt.subject), modality="speech", max_new_tokens=3)
    assert found == vocabulary.decode(wanted[len(prompt) + 1 :])


def test_sampling_follows_the_seed_under_interventions(random) -> None:
    lens, prompt = random, random.text("the colour of marlo is", "marlo")
    verb = sl.ablate("mlp_out", 1, prompt.subject)
    drawn = [sl.generate(lens, prompt, verb, temperature=1.5, seed=seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda lens, verb: sl.generate(lens, "The capital", verb), r"name positions of a prompt: give lens.text"),
        (lambda lens, verb: sl.generate(lens, lens.text("The"), verb), r"outside the prompt's 3 tokens"),
        (lambda lens, verb: sl.generate(lens, lens.text("The"), [verb]), r"interventions\[0\] is .*put a \* before"),
        (lambda lens, verb: sl.generate(lens, lens.text("The"), seed=-1), "seed=-1: expected a whole number"),
        (lambda lens, verb: sl.generate("embedded", "The"), "expected a Lens"),
        (lambda lens, verb: sl.generate(lens, "The", modality="song"), "modality='song': expected one of text, speech"),
        (lambda lens, verb: sl.generate(lens, "The", max_tokens=1), r"no argument max_tokens=: did you mean max_new"),
    ],
)
def test_what_cannot_be_continued_is_refused(lens, call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call(lens, sl.ablate("mlp_out", 1, 7))
