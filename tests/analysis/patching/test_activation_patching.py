"""Activation patching against plain hooks, the identities of the method, other lengths and modalities, planted
circuits."""

import itertools
import json

import numpy as np
import pytest
import torch

import spiritlens as sl
from spiritlens.analysis.patching.activation_patching import activation_patch, back_patch
from spiritlens.analysis.patching.grid import Patch
from spiritlens.analysis.patching.patch_values import RunSpec, patch_values
from spiritlens.models.planted.planted import planted
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions.corruption import corrupted_embeddings
from spiritlens.runs.corruptions.noise import Noise
from spiritlens.runs.scoring import scorers
from spiritlens.runs.sweep.plan import Action
from spiritlens.runs.sweep.recorded import RunPair
from spiritlens.runs.sweep.sweep import plan_sweep
from tests.analysis.tracing_lens import make_prompt, one_head_lens, spoken_prompt, text_prompt, tiny_lens

TOLERANCE = 1e-10
L = 3
HOOKS = {
    "resid_pre": "blocks.{}.hook_resid_pre",
    "resid_mid": "blocks.{}.hook_resid_mid",
    "resid_post": "blocks.{}.hook_resid_post",
    "attn_out": "blocks.{}.hook_attn_out",
    "mlp_out": "blocks.{}.hook_mlp_out",
    **{name: "blocks.{}.attn.hook_" + name for name in ("q", "k", "v", "z", "pattern")},
}
QUIET = {"progress": "none", "metrics": ("probability", "logit_difference")}


@pytest.fixture(scope="module", params=[4, 2], ids=["MHA", "GQA"])
def lens(request):
    return tiny_lens(request.param)


@pytest.fixture(scope="module")
def circuits():
    return {name: planted(name) for name in ("fact machine", "or pair", "and pair")}


def other_prompt():
    """The text prompt with another subject."""
    return make_prompt((1, 30, 7, 21, 19, 5, 24, 13), (-1, -1, 0, 1, 2, 2, 3, 4), (4, 5), (12,), (6,))


def measured(lens, prompt, logits):
    """[probability, logit difference] of the prompt's answer at the last position."""
    last = logits[0, -1]
    answer, foil = prompt.answer_ids[0], prompt.foil_ids[0]
    return np.array([float(last.softmax(-1)[answer]), float(last[answer] - last[foil])])


def naive(lens, prompt, base, source, component, layers, positions, head=None):
    """One plain hooked pass: `base` with a component's values of `source` at the same positions."""
    model = lens.backend.model
    _, taken = model.run_with_cache(source.tokens)

    def put(x, hook):
        x = x.clone()
        if component == "pattern":
            heads = range(x.shape[1]) if head is None else [head]
            for h, position in itertools.product(heads, positions):
                x[:, h, position] = taken[hook.name][:, h, position]
            return x
        for position in positions:
            where = (slice(None), position) if head is None else (slice(None), position, head)
            x[where] = taken[hook.name][where]
        return x

    name = HOOKS[component]
    with torch.no_grad():
        return measured(
            lens, prompt, model.run_with_hooks(base.tokens, fwd_hooks=[(name.format(layer), put) for layer in layers])
        )


@pytest.mark.parametrize("direction", ["denoising", "noising"])
def test_every_component_layer_and_position_equals_one_hooked_pass(lens, direction):
    prompt, other = text_prompt(), other_prompt()
    components = ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "q", "k", "v", "z", "pattern")
    found = activation_patch(lens, [prompt], [other], components, direction=direction, **QUIET)
    base, source = (other, prompt) if direction == "denoising" else (prompt, other)
    for (row, component), layer, position in itertools.product(enumerate(components), range(L), (3, 4, 5, 7)):
        slow = naive(lens, prompt, base, source, component, [layer], [position])
        cell = found["restored"].values[0, row, layer, position, 0]
        assert np.allclose(cell, slow, atol=TOLERANCE, rtol=0), (component, layer, position)
    assert np.allclose(
        found["clean"].values[0], measured(lens, prompt, lens.backend.forward(prompt.tokens)), atol=TOLERANCE
    )
    assert np.allclose(
        found["corrupted"].values[0, 0], measured(lens, prompt, lens.backend.forward(other.tokens)), atol=TOLERANCE
    )
    assert float(found["noise_floor"].max()) < TOLERANCE


def test_every_head_equals_one_hooked_pass_and_missing_key_value_heads_are_absent(lens):
    prompt, other = text_prompt(), other_prompt()
    components = ("q", "k", "v", "z", "pattern", "result")
    found = activation_patch(lens, [prompt], [other], components, at="role", heads="each", **QUIET)
    roles = {str(role): place for place, role in enumerate(found["role"].values)}
    for role, (row, component), layer, head in itertools.product(
        ("subject", "last word"), enumerate(components), range(L), range(4)
    ):
        cell = found["restored"].values[0, row, layer, roles[role], head, 0]
        if component in ("k", "v") and head >= lens.backend.n_kv_heads:
            assert np.isnan(cell).all()
            assert found["status"].values[0, row, layer, roles[role], head] == 3
            continue
        hooked = "z" if component == "result" else component
        slow = naive(lens, prompt, other, prompt, hooked, [layer], other.span(role).positions, head)
        assert np.allclose(cell, slow, atol=TOLERANCE, rtol=0), (component, role, layer, head)


def cell_values(lens, prompt, base, source, *patches):
    """The engine's [probability, logit difference] of patches between two runs."""
    text_ids = lens.vocabulary.text_ids.tolist()
    (scorer,) = scorers(QUIET["metrics"], prompt.answer_ids, prompt.foil_ids, text_ids, lens.backend.device)
    found = patch_values(lens.backend, RunSpec(base), RunSpec(source), patches, scorer, clean=torch.zeros(1, 1, 50))
    return found.values[:, 0].numpy()


def test_restoring_the_residual_stream_everywhere_gives_the_clean_run(lens):
    prompt, other = text_prompt(), other_prompt()
    clean = measured(lens, prompt, lens.backend.forward(prompt.tokens))
    streams = [
        Patch(component, (layer,), tuple(range(8)))
        for component, layer in itertools.product(("resid_pre", "resid_mid", "resid_post"), range(L))
    ]
    assert np.allclose(cell_values(lens, prompt, other, prompt, *streams), clean, atol=TOLERANCE)
    last = activation_patch(lens, [prompt], [other], ("resid_post",), at="role", **QUIET)
    final = last["restored"].sel(component="resid_post", layer=L - 1, role="last word").values[0, 0]
    assert np.allclose(final, last["clean"].values[0], atol=TOLERANCE)


def test_positions_before_the_first_difference_are_exact(lens):
    found = activation_patch(lens, [text_prompt()], [other_prompt()], ("resid_pre", "mlp_out"), **QUIET)
    before = found.isel(pos=slice(0, 4))
    assert (before["status"] == 1).all()
    assert np.allclose(before["restored"] - before["corrupted"], 0, atol=0)
    assert (found.isel(pos=4, component=0)["status"] == 0).all()


def test_all_heads_together_are_the_attention_output(lens):
    found = activation_patch(lens, [text_prompt()], [other_prompt()], ("z", "attn_out"), **QUIET)
    difference = found["restored"].sel(component="z").values - found["restored"].sel(component="attn_out").values
    assert np.abs(difference).max() < TOLERANCE


def test_windows_equal_several_hooks_and_one_layer_is_a_window_of_one(lens):
    prompt, other = text_prompt(), other_prompt()
    found = activation_patch(lens, [prompt], [other], ("mlp_out",), window=2, **QUIET)
    slow = naive(lens, prompt, other, prompt, "mlp_out", [0, 1], [5])
    assert np.allclose(found["restored"].sel(component="mlp_out", layer=1).values[0, 5, 0], slow, atol=TOLERANCE)
    assert '"1": [0, 1]' in found.attrs["window_layers"]


def test_noising_a_whole_layer_is_denoising_of_the_rest(lens):
    """resid_pre of a layer taken from the corrupted run at X = the corrupted run with the complement restored."""
    prompt, other = text_prompt(), other_prompt()
    for layer, component in itertools.product(range(L), ("resid_pre", "resid_mid", "resid_post")):
        noised = cell_values(lens, prompt, prompt, other, Patch(component, (layer,), (4, 7)))
        rest = cell_values(lens, prompt, other, prompt, Patch(component, (layer,), (0, 1, 2, 3, 5, 6)))
        assert np.allclose(noised, rest, atol=TOLERANCE)
    by_span = activation_patch(
        lens, [prompt], [other], ("resid_pre",), at="span", spans=("position 4",), direction="noising", **QUIET
    )
    alone = cell_values(lens, prompt, prompt, other, Patch("resid_pre", (1,), (4,)))
    assert np.allclose(by_span["restored"].values[0, 0, 1, 0], alone, atol=TOLERANCE)


def test_noise_samples_are_runs_of_their_own(lens):
    prompt = text_prompt()
    found = activation_patch(lens, [prompt], Noise(0.5), ("resid_pre",), samples=3, at="role", **QUIET)
    assert found.sizes["sample"] == 3
    whole = found["restored"].sel(component="resid_pre", layer=0, role="subject").values[0]
    assert np.allclose(whole, found["clean"].values, atol=TOLERANCE)
    assert found["corrupted"].values.std(axis=1).max() > 1e-4


def test_a_donors_value_stands_in_every_noise_sample(lens):
    """Noising: the clean run gets the donor's one value, whatever the samples of the corrupted run are."""
    prompt, donor, noise = text_prompt(), other_prompt(), Noise(0.4)
    settings = {"donors": [donor], "direction": "noising", "samples": 3, "seed": 2, **QUIET}
    found = activation_patch(lens, [prompt], noise, ("resid_pre", "z"), **settings)
    assert found["restored"].dims[-2:] == ("sample", "metric")
    for (row, component), layer, position in itertools.product(enumerate(("resid_pre", "z")), range(L), (4, 5, 7)):
        slow = naive(lens, prompt, prompt, donor, component, [layer], [position])
        values = found["restored"].values[0, row, layer, position]
        assert np.allclose(values, np.broadcast_to(slow, (3, 2)), atol=TOLERANCE)
    embeddings = corrupted_embeddings(lens, prompt, noise, samples=3, seed=2)
    for sample in range(3):
        put = [("hook_embed", lambda x, hook, sample=sample: embeddings[sample : sample + 1])]
        logits = lens.backend.model.run_with_hooks(prompt.tokens, fwd_hooks=put)
        assert np.allclose(found["corrupted"].values[0, sample], measured(lens, prompt, logits), atol=TOLERANCE)
    one = activation_patch(lens, [prompt], noise, ("resid_pre", "z"), **{**settings, "samples": 1})
    assert np.array_equal(found["restored"].isel(sample=0), one["restored"].isel(sample=0))


def test_a_donors_value_of_another_layer_stands_in_every_noise_sample(lens):
    prompt, donor = text_prompt(), other_prompt()
    settings = {"donors": [donor], "direction": "noising", "samples": 2, "at": "span", "spans": ("subject",), **QUIET}
    found = back_patch(lens, [prompt], Noise(0.4), source_layers=(0, 2), **settings)
    with_counterfactual = back_patch(lens, [prompt], [donor], source_layers=(0, 2), **{**settings, "samples": 1})
    for sample in range(2):
        assert np.allclose(
            found["restored"].isel(sample=sample), with_counterfactual["restored"].isel(sample=0), atol=TOLERANCE
        )


def test_samples_and_memory_budgets_change_nothing(lens):
    """Every component over noise samples: with little memory, and each component alone."""
    components = ("resid_mid", "attn_out", "mlp_out", "q", "k", "z", "pattern")
    settings = {"contrast": Noise(0.5), "samples": 2, "at": "role", **QUIET}
    together = activation_patch(lens, [text_prompt()], components=components, **settings)
    small = activation_patch(lens, [text_prompt()], components=components, memory_budget=1, **settings)
    assert np.allclose(together["restored"], small["restored"], atol=TOLERANCE, rtol=0, equal_nan=True)
    for component in components:
        alone = activation_patch(lens, [text_prompt()], components=(component,), **settings)
        both = together.sel(component=[component])
        assert np.allclose(both["restored"], alone["restored"], atol=TOLERANCE, rtol=0, equal_nan=True)
        assert np.array_equal(both["status"], alone["status"])


def test_noise_samples_of_every_component_equal_one_hooked_pass_each(lens):
    prompt, samples = text_prompt(), 2
    components = ("resid_mid", "attn_out", "mlp_out", "q", "v", "z", "pattern")
    found = activation_patch(lens, [prompt], Noise(0.5), components, samples=samples, seed=4, **QUIET)
    model = lens.backend.model
    embeddings = corrupted_embeddings(lens, prompt, Noise(0.5), samples=samples, seed=4)
    _, taken = model.run_with_cache(prompt.tokens)
    for (row, component), layer, position, sample in itertools.product(
        enumerate(components), range(L), (4, 7), range(samples)
    ):

        def put(x, hook, component=component, position=position):
            x = x.clone()
            where = (slice(None), slice(None), position) if component == "pattern" else (slice(None), position)
            x[where] = taken[hook.name][where]
            return x

        hooks = [
            ("hook_embed", lambda x, hook, sample=sample: embeddings[sample : sample + 1]),
            (HOOKS[component].format(layer), put),
        ]
        with torch.no_grad():
            slow = measured(lens, prompt, model.run_with_hooks(prompt.tokens, fwd_hooks=hooks))
        cell = found["restored"].values[0, row, layer, position, sample]
        assert np.allclose(cell, slow, atol=TOLERANCE, rtol=0), (component, layer, position, sample)


def test_a_users_own_hook_takes_effect_in_every_cell(lens):
    """A hook at an absolute position that reads another one, against plain hooked passes beside it."""
    prompt, other = text_prompt(), other_prompt()
    components = ("resid_pre", "resid_post", "attn_out", "mlp_out", "q", "k", "v", "z", "pattern")
    model = lens.backend.model
    untouched = activation_patch(lens, [prompt], [other], components, **QUIET)

    def bend(x, hook):
        x = x.clone()
        x[:, 6] = (x[:, 6] + x[:, 4]).tanh()
        return x

    names = ("blocks.1.hook_resid_pre", "blocks.1.hook_mlp_out")
    for name in names:
        model.add_hook(name, bend)
    try:
        found = activation_patch(lens, [prompt], [other], components, **QUIET)
        by_head = activation_patch(lens, [prompt], [other], ("z", "pattern", "q"), heads="each", **QUIET)
        for (row, component), layer, position in itertools.product(enumerate(components), range(L), (1, 4, 6, 7)):
            slow = naive(lens, prompt, other, prompt, component, [layer], [position])
            cell = found["restored"].values[0, row, layer, position, 0]
            assert np.allclose(cell, slow, atol=TOLERANCE, rtol=0), (component, layer, position)
        for (row, component), layer, head in itertools.product(enumerate(("z", "pattern", "q")), range(L), range(4)):
            slow = naive(lens, prompt, other, prompt, component, [layer], [6], head)
            assert np.allclose(by_head["restored"].values[0, row, layer, 6, head, 0], slow, atol=TOLERANCE, rtol=0)
    finally:
        for name in names:
            model.hook_dict[name].remove_hooks()
    assert np.abs(found["restored"] - untouched["restored"]).max() > 1e-3


# ---- other lengths, other modalities ------------------------------------------------------------------------------


def spoken_like_text():
    """The written prompt's five words, each spoken as two units (the subject as four), read at a final marker."""
    words = (-1, -1, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, -1)
    ids = (1, 31, 33, 38, 35, 40, 35, 41, 32, 36, 44, 45, 33, 37, 30)
    return make_prompt(ids, words, (6, 7, 8, 9))


@pytest.mark.parametrize("pooling", ["last", "mean", "broadcast", "norm_matched"])
def test_values_of_a_written_word_enter_the_spoken_word_as_the_pooling_rule_says(lens, pooling):
    written, spoken = text_prompt(), spoken_like_text()
    counterfactual = make_prompt((*spoken.ids[:6], 42, 34, 42, 34, *spoken.ids[10:]), spoken.word_index, (6, 7, 8, 9))
    found = activation_patch(
        lens, [spoken], [counterfactual], ("resid_post",), donors=[written], at="role", pooling=pooling, **QUIET
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
        lens, [spoken], [counterfactual], ("resid_pre", "z"), donors=[spoken], pooling="broadcast", **QUIET
    )
    assert np.allclose(plain["restored"], through["restored"], atol=TOLERANCE, equal_nan=True)


def test_a_pause_keeps_its_own_value_and_is_absent_by_itself(lens):
    """The donor has no pause: a role that holds one is patched at its words, the pause alone is no cell."""
    words = (-1, -1, 0, -1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, -1)
    spoken = make_prompt(spoken_like_text().ids, words, (6, 7, 8, 9))
    settings = {"donors": [text_prompt()], "pooling": "mean", **QUIET}
    tokens = activation_patch(lens, [spoken], Noise(0.5), ("resid_post",), **settings)
    assert (tokens["status"].isel(pos=3) == 3).all()
    roles = activation_patch(lens, [spoken], Noise(0.5), ("resid_post",), at="role", **settings)
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
            ("resid_post",),
            donors=[written],
            at="role",
            pooling="mean",
            control=control,
            **QUIET,
        )["restored"].sel(role="subject")
        for control in ("none", "other word", "noise")
    }
    assert not np.allclose(runs["none"], runs["other word"], atol=1e-6)
    assert not np.allclose(runs["none"], runs["noise"], atol=1e-6)


def test_patterns_need_equal_lengths(lens):
    with pytest.raises(ValueError, match="patterns are taken between prompts of equal length"):
        activation_patch(
            lens, [spoken_like_text()], Noise(0.1), ("pattern",), donors=[text_prompt()], pooling="mean", **QUIET
        )


@pytest.mark.parametrize(
    "change", [{"pooling": "mean"}, {"control": "noise"}, {"control": "other word", "pooling": "mean"}]
)
def test_patterns_are_neither_pooled_nor_drawn(lens, change):
    with pytest.raises(ValueError, match="a pattern is taken row by row"):
        activation_patch(lens, [text_prompt()], [other_prompt()], ("pattern",), **QUIET, **change)


def test_position_pooling_refuses_words_of_other_size(lens):
    with pytest.raises(ValueError, match="use 'last', 'mean', 'broadcast' or 'norm_matched'"):
        activation_patch(lens, [spoken_like_text()], Noise(0.1), donors=[text_prompt()], **QUIET)


def test_prompts_of_another_phrasing_do_not_align(lens):
    with pytest.raises(ValueError, match="align prompts of one phrasing"):
        activation_patch(lens, [spoken_prompt()], Noise(0.1), donors=[text_prompt()], pooling="mean", **QUIET)


@pytest.mark.parametrize("component", ["resid_pre", "resid_post", "mlp_out", "k"])
def test_back_patching_equals_hooks_and_its_diagonal_is_the_ordinary_patch(lens, component):
    prompt, other = text_prompt(), other_prompt()
    grid = back_patch(lens, [prompt], [other], component, spans=("subject",), **QUIET)
    plain = activation_patch(lens, [prompt], [other], (component,), at="span", spans=("subject",), **QUIET)
    model = lens.backend.model
    _, taken = model.run_with_cache(prompt.tokens)
    for source, target in itertools.product(range(L), range(L)):
        value = taken[HOOKS[component].format(source)][:, [4, 5]]

        def put(x, hook, value=value):
            x = x.clone()
            x[:, [4, 5]] = value
            return x

        with torch.no_grad():
            logits = model.run_with_hooks(other.tokens, fwd_hooks=[(HOOKS[component].format(target), put)])
        cell = grid["restored"].sel(component=f"{component} from {source}", layer=target).values[0, 0, 0]
        assert np.allclose(cell, measured(lens, prompt, logits), atol=TOLERANCE)
        if source == target:
            assert np.allclose(cell, plain["restored"].values[0, 0, target, 0, 0], atol=TOLERANCE)


@pytest.mark.parametrize("component", ["pattern", "result"])
def test_what_belongs_to_its_own_layer_is_not_back_patched(lens, component):
    with pytest.raises(ValueError, match=f"component='{component}' cannot be moved between layers"):
        back_patch(lens, [text_prompt()], [other_prompt()], component, **QUIET)


def test_the_donors_that_were_used_are_stored(lens):
    prompt, second = text_prompt(), other_prompt()
    settings = {"components": ("resid_pre",), "at": "role", **QUIET}
    found = activation_patch(lens, [prompt, second], Noise(0.5), control="other fact", **settings)
    assert json.loads(found.attrs["config_json"])["donors"] == [second.id, prompt.id]
    plain = activation_patch(lens, [prompt, second], Noise(0.5), **settings)
    assert json.loads(plain.attrs["config_json"])["donors"] is None


# ---- planted circuits -----------------------------------------------------------------------------------------------


def relative(dataset, metric="probability"):
    """Indirect effect (or noising effect) of each cell, mean over samples."""
    effects = sl.effects.indirect(dataset)
    return effects.sel(metric=metric).mean("sample") if "sample" in effects.dims else effects.sel(metric=metric)


def test_heads_of_or_and_and_pairs_are_told_apart_by_direction(circuits):
    for name, denoised, noised in (("or pair", 1.0, 0.0), ("and pair", 0.0, 1.0)):
        circuit = circuits[name]
        prompts = [circuit.prompts[0], circuit.prompts[14]]
        others = [circuit.counterfactual(prompt) for prompt in prompts]
        for direction, size in (("denoising", denoised), ("noising", noised)):
            found = activation_patch(
                circuit.lens,
                prompts,
                others,
                ("z",),
                at="role",
                heads="each",
                direction=direction,
                metrics=("probability",),
                progress="none",
            )
            effect = np.abs(found["restored"] - (found["corrupted"] if direction == "denoising" else found["clean"]))
            at_end = effect.isel(sample=0, metric=0).sel(component="z", layer=6, role="final marker").values
            expected = [size if head in {mover.head for mover in circuit.truth.movers} else 0 for head in range(4)]
            assert np.allclose(at_end, [expected] * 2, atol=1e-3), (name, direction)


def test_a_written_fact_moves_into_the_spoken_prompt_and_back_and_controls_do_not(circuits):
    """Cross-modal: the subject's state after the fact MLP carries the answer into the other modality's run."""
    circuit = circuits["fact machine"]
    subjects = circuit.subjects[:3]
    written, spoken = ([build(subject) for subject in subjects] for build in (circuit.text, circuit.speech))
    for receivers, donors in ((spoken, written), (written, spoken)):
        others = [circuit.counterfactual(prompt) for prompt in receivers]
        settings = {
            "at": "span",
            "spans": ("subject last", "last token"),
            "metrics": ("probability",),
            "progress": "none",
        }
        found = activation_patch(
            circuit.lens, receivers, others, ("resid_post",), donors=donors, pooling="last", **settings
        )
        recovered = found["restored"].isel(component=0, sample=0, metric=0)
        assert np.allclose(recovered.sel(layer=slice(2, 5)).isel(span=0), 1, atol=1e-3)
        assert np.allclose(recovered.sel(layer=[0, 6, 7]).isel(span=0), 0, atol=1e-3)
        assert np.allclose(recovered.sel(layer=slice(6, 7)).isel(span=1), 1, atol=1e-3)
        for control in ("other word", "other fact", "noise"):
            none = activation_patch(
                circuit.lens,
                receivers,
                others,
                ("resid_post",),
                donors=donors,
                pooling="last",
                control=control,
                **settings,
            )
            assert float(none["restored"].sel(layer=slice(2, 5)).isel(span=0).max()) < 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"components": ("resid",)}, "components \\('resid',\\): no 'resid' here; name one or more"),
        ({"components": ("resid_pre",), "heads": "each"}, "heads='each' goes with q, k, v"),
        ({"heads": "some"}, "heads='some'"),
        ({"direction": "sideways"}, "direction='sideways'"),
        ({"control": "placebo"}, "control='placebo'"),
        ({"pooling": "first"}, "pooling='first': expected one of position, last"),
        ({"window": 0}, "window=0: expected a whole number ≥ 1"),
        ({"samples": 0}, "samples=0: expected a whole number ≥ 1"),
        ({"donors": []}, "donors is empty"),
        ({"control": "other fact"}, "finds no other subject"),
    ],
)
def test_bad_settings_are_refused(lens, change, message):
    with pytest.raises(ValueError, match=message):
        activation_patch(lens, [text_prompt()], [other_prompt()], **{**QUIET, **change})


def test_one_prompt_alone_is_refused_with_the_remedy(lens):
    with pytest.raises(ValueError, match=r"prompts=.*expected several; write"):
        activation_patch(lens, text_prompt(), [other_prompt()], **QUIET)
    assert isinstance(other_prompt(), Prompt)


def test_queries_keys_and_values_of_a_layer_together_are_its_attention_output(lens):
    """All q, k and v of a layer patched give the source's attention output; patterns and values do too (by hooks)."""
    prompt, other = text_prompt(), other_prompt()
    model = lens.backend.model
    _, taken = model.run_with_cache(prompt.tokens)
    every = tuple(range(8))
    programs = [{1: tuple(Action(name, every) for name in "qkv")}, {1: (Action("attn_out", every),)}]
    pair = RunPair(other.tokens, None, lens.backend.embed(prompt.tokens))
    sweep = plan_sweep(lens.backend, programs, 8, pair.first_changed(lens.backend))
    together = sweep.run(lens.backend, pair.record(lens.backend, sweep.names, 1), lambda logits: logits[:, 0]).values
    hooks = [(f"blocks.1.attn.hook_{name}", lambda x, hook: taken[hook.name].clone()) for name in ("pattern", "v")]
    with torch.no_grad():
        slow = model.run_with_hooks(other.tokens, fwd_hooks=hooks)[0, -1]
    assert torch.allclose(together[0], together[1], atol=TOLERANCE, rtol=0)
    assert torch.allclose(together[0, 0], slow, atol=TOLERANCE, rtol=0)


def test_a_single_head_is_the_attention_output():
    lens = one_head_lens()
    found = activation_patch(lens, [text_prompt()], [other_prompt()], ("z", "result"), heads="each", **QUIET)
    whole = activation_patch(lens, [text_prompt()], [other_prompt()], ("attn_out",), **QUIET)
    assert found.sizes["head"] == 1
    for component in ("z", "result"):
        by_head = found["restored"].sel(component=component).isel(head=0)
        assert np.allclose(by_head, whole["restored"].isel(component=0), atol=TOLERANCE, rtol=0)
    assert float(np.ptp(whole["restored"].values)) > 1e-3
