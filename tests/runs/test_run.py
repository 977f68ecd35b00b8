"""Single runs: each verb against a plain hooked pass, and what a run shows."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from either_kind import run_hooked
from tracing_lens import spoken_prompt, text_prompt, tiny_lens

from spiritlens.models.planted.planted import planted
from spiritlens.runs.corruptions.corruption import corrupted_embeddings
from spiritlens.runs.corruptions.noise import Noise
from spiritlens.runs.corruptions.replacement import Replacement
from spiritlens.runs.interventions import ablate, apply, corrupt, freeze, restore, swap
from spiritlens.runs.run import run

TOLERANCE = 1e-10


@pytest.fixture(scope="module")
def lens():
    return tiny_lens(n_kv_heads=2)


def probability(logits: torch.Tensor) -> float:
    return float(logits[:, -1].softmax(-1)[:, 11].mean())


def hooked(lens, prompt, *hooks, samples: int = 1) -> torch.Tensor:
    return run_hooked(lens.backend.model, prompt.tokens.expand(samples, -1), hooks)


def put(positions, values):
    def hook(x, hook):
        x = x.clone()
        x[:, list(positions)] = values
        return x

    return hook


def test_a_clean_run_shows_the_likeliest_tokens(lens) -> None:
    prompt = text_prompt()
    found, logits = run(lens, prompt), lens.backend.model(prompt.tokens)
    assert (found.logits - logits).abs().max() < TOLERANCE
    assert found.metric("probability") == pytest.approx(probability(logits), abs=TOLERANCE)
    top = found.top(3)
    best = logits[0, -1].softmax(-1)[:46].topk(3)
    assert list(top.ids) == best.indices.tolist()
    assert list(top.probabilities) == pytest.approx(best.values.tolist())
    assert set(found.top(27, over="text").ids) == set(range(3, 30))
    assert "rank  token" in repr(top)
    assert repr(found).count("\n") >= 5
    with pytest.raises(ValueError, match="nothing is corrupted"):
        found.total_effect()


def test_corrupt_and_restore(lens) -> None:
    prompt = spoken_prompt()
    embeddings = corrupted_embeddings(lens, prompt, Noise(), samples=4, seed=2)
    noise = ("hook_embed", lambda x, hook: embeddings)
    _, clean = lens.backend.model.run_with_cache(prompt.tokens)
    name = "blocks.1.hook_resid_pre"
    expected = probability(hooked(lens, prompt, noise, (name, put((4, 5, 6, 7), clean[name][:, 4:8])), samples=4))
    corrupted = probability(hooked(lens, prompt, noise, samples=4))
    found = run(lens, prompt, corrupt(prompt.subject), restore("resid_pre", 1, prompt.subject), samples=4, seed=2)
    assert found.metric() == pytest.approx(expected, abs=TOLERANCE)
    assert found.effect == pytest.approx(expected - corrupted, abs=TOLERANCE)
    assert found.total_effect() == pytest.approx(probability(clean_logits(lens, prompt)) - corrupted, abs=TOLERANCE)
    assert found.effect_on("rank") == -(found.metric("rank") - float(found.corrupted["rank"].mean()))
    assert f"effect {found.effect:+.4f} of a total effect" in repr(found)


def clean_logits(lens, prompt) -> torch.Tensor:
    return lens.backend.model(prompt.tokens)


def test_freeze_holds_the_corrupted_value_of_the_same_sample(lens) -> None:
    prompt = text_prompt()
    embeddings = corrupted_embeddings(lens, prompt, Noise(), samples=3)
    noise = ("hook_embed", lambda x, hook: embeddings)
    _, clean = lens.backend.model.run_with_cache(prompt.tokens)
    with lens.backend.model.hooks(fwd_hooks=[noise]):
        _, corrupted = lens.backend.model.run_with_cache(prompt.tokens.expand(3, -1))
    first, second = "blocks.0.hook_resid_post", "blocks.1.hook_mlp_out"
    expected = hooked(
        lens,
        prompt,
        noise,
        (first, put((4, 5), clean[first][:, 4:6])),
        (second, put((5,), corrupted[second][:, [5]])),
        samples=3,
    )
    verbs = (corrupt(prompt.subject), restore("resid_post", 0, prompt.subject), freeze("mlp_out", 1, 5))
    assert run(lens, prompt, *verbs, samples=3).metric() == pytest.approx(probability(expected), abs=TOLERANCE)


@pytest.mark.parametrize(
    "component", ["resid_pre", "resid_mid", "attn_out", "mlp_out", "resid_post", "z", "q", "k", "v"]
)
def test_swap_takes_another_prompts_value(lens, component) -> None:
    prompt, donor = text_prompt(), spoken_prompt()
    name = f"blocks.1.{'attn.' if component in 'zqkv' else ''}hook_{component}"
    _, cache = lens.backend.model.run_with_cache(donor.tokens)
    head = 1 if component in ("z", "v") else None

    def hook(x, hook):
        x = x.clone()
        taken = cache[name][:, [7, 13]]
        if head is None:
            x[:, [5, 7]] = taken
        else:
            x[:, [5, 7], head] = taken[:, :, head]
        return x

    found = run(lens, prompt, swap(component, 1, (5, 7), donor, donor_at=(7, -1), head=head))
    expected = probability(hooked(lens, prompt, (name, hook)))
    assert found.metric() == pytest.approx(expected, abs=TOLERANCE)
    assert found.effect == pytest.approx(expected - probability(clean_logits(lens, prompt)), abs=TOLERANCE)
    assert abs(found.effect) > 1e-6


def test_swap_keeps_donor_positions_beside_their_own(lens) -> None:
    prompt, donor = text_prompt(), spoken_prompt()
    sorted_pairs = run(lens, prompt, swap("resid_pre", 1, (4, 7), donor, donor_at=(6, 13))).metric()
    for at, donor_at in [((7, 4), (13, 6)), ((-1, 4), (-1, 6))]:
        found = run(lens, prompt, swap("resid_pre", 1, at, donor, donor_at=donor_at)).metric()
        assert found == pytest.approx(sorted_pairs, abs=TOLERANCE)
    crossed = run(lens, prompt, swap("resid_pre", 1, (4, 7), donor, donor_at=(13, 6))).metric()
    assert abs(crossed - sorted_pairs) > 1e-6
    with pytest.raises(ValueError, match=r"puts 2 values into 1 position\(s\)"):
        run(lens, prompt, swap("resid_pre", 1, (7, -1), donor, donor_at=(6, 13)))


def test_the_order_of_interventions_at_different_sites_is_that_of_the_model(lens) -> None:
    prompt = text_prompt()
    verbs = [
        corrupt(prompt.subject),
        restore("resid_mid", 1, prompt.subject),
        restore("resid_pre", 1, prompt.subject),
        freeze("attn_out", 1, prompt.subject),
        freeze("mlp_out", 1, prompt.subject),
    ]
    orders = itertools.permutations(verbs[1:])
    found = {run(lens, prompt, verbs[0], *order, samples=2).metric() for order in orders}
    assert max(found) - min(found) < TOLERANCE
    without = run(lens, prompt, *verbs[:3], verbs[4], samples=2).metric()
    assert max(found) == pytest.approx(without, abs=TOLERANCE), "the attention output is replaced by resid_mid"


def test_two_corruptions_of_a_run_draw_their_own_noise(lens) -> None:
    """Equal scales at two text tokens: the two differences from the plain embeddings must not be one vector."""
    prompt, seen = text_prompt(), []

    def look(x, hook):
        seen.append(x)
        return x

    with lens.backend.model.hooks(fwd_hooks=[("blocks.0.hook_resid_pre", look)]):
        run(lens, prompt, corrupt((4,)), corrupt((6,)), samples=1)
    noise = seen[-1][0] - lens.backend.embed(prompt.tokens)[0]
    assert float(noise[4].norm()) > 0
    assert float(noise[6].norm()) > 0
    assert float((noise[4] - noise[6]).abs().max()) > 0.1 * float(noise[4].abs().max())


def test_ablations(lens) -> None:
    prompt, other = text_prompt(), spoken_prompt()
    name = "blocks.1.hook_mlp_out"
    _, cache = lens.backend.model.run_with_cache(other.tokens)
    zero = run(lens, prompt, ablate("mlp_out", 1, (4, 5)))
    assert zero.metric() == pytest.approx(probability(hooked(lens, prompt, (name, put((4, 5), 0.0)))), abs=TOLERANCE)
    mean = run(lens, prompt, ablate("mlp_out", 1, (4, 5), to="mean", reference=[other]))
    wanted = cache[name][0, 1:].mean(0)
    assert mean.metric() == pytest.approx(probability(hooked(lens, prompt, (name, put((4, 5), wanted)))), abs=TOLERANCE)
    drawn = run(lens, prompt, ablate("mlp_out", 1, 4, to="resample", reference=[other]), samples=5)
    assert drawn.n_samples == 5
    assert (
        drawn.metric()
        == run(lens, prompt, ablate("mlp_out", 1, 4, to="resample", reference=[other]), samples=5).metric()
    )
    possible = [probability(hooked(lens, prompt, (name, put((4,), row)))) for row in cache[name][0, 1:]]
    for value in drawn.values["probability"].tolist():
        assert min(abs(value - one) for one in possible) < TOLERANCE


def test_a_users_hook_takes_effect(lens) -> None:
    prompt, model = text_prompt(), lens.backend.model
    with model.hooks(fwd_hooks=[("blocks.0.hook_mlp_out", lambda x, hook: 2 * x)]):
        found, expected = run(lens, prompt).metric(), probability(model(prompt.tokens))
    assert found == pytest.approx(expected, abs=TOLERANCE)
    assert not any(point.fwd_hooks for point in model.hook_dict.values())


def test_hooks_are_gone_after_an_error(lens) -> None:

    def fails(here):
        raise KeyError("in the middle of the run")

    with pytest.raises(KeyError):
        run(lens, text_prompt(), swap("mlp_out", 1, 4, spoken_prompt(), donor_at=2), apply("mlp_out", 1, 5, fails))
    assert not any(point.fwd_hooks for point in lens.backend.model.hook_dict.values())


REFUSED = {
    "layer 3 is outside": lambda p: restore("resid_pre", 3, 4),
    "head 2 is outside the 2 heads of k": lambda p: restore("k", 1, 4, head=2),
    "outside the prompt's 8 tokens": lambda p: restore("resid_pre", 1, 8),
    "has no head axis": lambda p: restore("resid_pre", 1, 4, head=0),
    "component 'resid' is unknown": lambda p: restore("resid", 1, 4),
    "needs at least one position": lambda p: restore("resid_pre", 1, ()),
    "as many, or one for all": lambda p: swap("resid_pre", 1, (4, 5), spoken_prompt(), donor_at=(1, 2, 3)),
    "it has no position 20": lambda p: swap("resid_pre", 1, 4, spoken_prompt(), donor_at=20),
    "ablation to='max'": lambda p: ablate("resid_pre", 1, 4, to="max"),
    "run='dirty': expected one of clean, corrupted": lambda p: freeze("resid_pre", 1, 4, to="dirty"),
    "needs a corrupted run": lambda p: freeze("resid_pre", 1, 4),
    "never corrupted": lambda p: corrupt((0, 4)),
    "replaces units": lambda p: corrupt(p.subject, by=Replacement("shuffle")),
    "scale and law are those of noise": lambda p: corrupt(p.subject, scale=0.5, by=Replacement("shuffle")),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refusals(lens, message: str) -> None:
    prompt = text_prompt()
    with pytest.raises(ValueError, match=message):
        run(lens, prompt, REFUSED[message](prompt))


def test_no_samples_is_refused(lens) -> None:
    with pytest.raises(ValueError, match="samples=0: expected a whole number ≥ 1"):
        run(lens, text_prompt(), samples=0)


@pytest.mark.parametrize("seed", ["a", None, 1.5, 1.0, True, -1])
def test_a_seed_is_a_whole_number(lens, seed) -> None:
    with pytest.raises(ValueError, match=r"seed=.*: expected a whole number ≥ 0"):
        run(lens, text_prompt(), seed=seed)


def test_numpys_seed_is_the_same_seed(lens) -> None:
    prompt = text_prompt()
    one, other = (run(lens, prompt, corrupt(prompt.subject), samples=2, seed=seed) for seed in (3, np.int64(3)))
    assert one.metric() == other.metric()
    assert type(other.seed) is int


@pytest.mark.parametrize(
    ("interventions", "message"),
    [
        (([corrupt((4,))],), r"interventions\[0\] is .*put a \* before several"),
        ((corrupt((4,)), "restore"), r"interventions\[1\] is 'restore' \(str\): expected an Intervention"),
    ],
)
def test_what_is_no_intervention_of_this_lens_is_refused(lens, interventions, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(lens, text_prompt(), *interventions)


def test_prompts_of_another_vocabulary_give_no_values() -> None:
    circuit = planted()
    prompt = circuit.prompts[0]
    foreign = replace(circuit.prompts[1], vocabulary="another")
    refused = f"was built with the vocabulary another, the lens reads {circuit.lens.vocabulary.hash}"
    for intervention, name in (
        (swap("mlp_out", 1, 4, foreign), "donor"),
        (ablate("mlp_out", 1, 4, to="mean", reference=[prompt, foreign]), r"reference\[1\]"),
        (corrupt(prompt.subject, by=Replacement("symmetric", (foreign,))), r"donors\[0\]"),
    ):
        with pytest.raises(ValueError, match=f"{name} {foreign.id} {refused}"):
            run(circuit.lens, prompt, intervention)
    with pytest.raises(ValueError, match=f"prompt {foreign.id} {refused}"):
        run(circuit.lens, foreign)


def test_a_lens_and_a_prompt_are_asked_for(lens) -> None:
    with pytest.raises(ValueError, match=r"lens is 'embedded' \(str\): expected a Lens"):
        run("embedded", text_prompt())
    with pytest.raises(ValueError, match=r"prompt is 'the capital' \(str\): expected a Prompt"):
        run(lens, "the capital")
    with pytest.raises(ValueError, match=r"run has no argument sample=: did you mean samples=\?"):
        run(lens, text_prompt(), sample=3)


def test_closed_options_and_names_of_a_run(lens) -> None:
    found = run(lens, text_prompt())
    with pytest.raises(ValueError, match="over='x': expected one of full, text"):
        found.top(over="x")
    with pytest.raises(ValueError, match="k=0: expected a whole number ≥ 1"):
        found.top(0)
    for name in ("probabilty", "x"):
        with pytest.raises(ValueError, match=f"no metric '{name}': .* has probability, log_probability"):
            found.effect_on(name)
    assert len(found.top(10**6)) == 46


def test_a_site_may_be_named(lens) -> None:
    """Each prompt reads the name for itself, the donor of a swap too."""
    prompt, spoken = text_prompt(), spoken_prompt()
    for named, numbered in (
        (restore("resid_pre", 1, "subject last"), restore("resid_pre", 1, (5,))),
        (ablate("mlp_out", 1, "all but the beginning"), ablate("mlp_out", 1, range(1, 8))),
        (swap("resid_pre", 1, "last token", spoken), swap("resid_pre", 1, 7, spoken, 13)),
        (swap("resid_pre", 1, "subject +1", spoken, "subject"), swap("resid_pre", 1, range(3, 7), spoken, range(4, 8))),
    ):
        runs = [run(lens, prompt, corrupt("subject"), one, samples=2) for one in (named, numbered)]
        assert torch.equal(runs[0].logits, runs[1].logits), named.label
    assert restore("resid_pre", 1, "subject last").label == "restore resid_pre 1 at subject last"
    with pytest.raises(ValueError, match="swap puts 4 donor positions into 2"):
        run(lens, prompt, swap("resid_pre", 1, "subject", spoken))
    with pytest.raises(ValueError, match="no tokens of 'speech': use all"):
        run(lens, prompt, restore("resid_pre", 1, "speech"))
