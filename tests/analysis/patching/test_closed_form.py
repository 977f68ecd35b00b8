"""Patches that move one block only, by their closed form: against hooked passes, and parts that add up to the whole."""

import itertools

import numpy as np
import torch
from either_kind import run_hooked
from patching_by_hooks import HOOKS, QUIET, TOLERANCE, L, measured, other_prompt

from spiritlens.analysis.grid.grid import Draws, Grid
from spiritlens.analysis.patching.activation_patching import activation_patch
from spiritlens.runs.corruptions.corruption import corrupted_embeddings
from spiritlens.runs.corruptions.noise import Noise
from spiritlens.runs.sweep.plan import Action
from spiritlens.runs.sweep.recorded import RunPair
from spiritlens.runs.sweep.sweep import plan_sweep
from tests.analysis.tracing_lens import one_head_lens, text_prompt


def test_all_heads_together_are_the_attention_output(lens):
    found = activation_patch(lens, [text_prompt()], [other_prompt()], ("z", "attn_out"), **QUIET)
    difference = found["restored"].sel(component="z").values - found["restored"].sel(component="attn_out").values
    assert np.abs(difference).max() < TOLERANCE


def test_noise_samples_of_every_component_equal_one_hooked_pass_each(lens):
    prompt, samples = text_prompt(), 2
    components = ("resid_mid", "attn_out", "mlp_out", "q", "v", "z", "pattern")
    found = activation_patch(lens, [prompt], Noise(0.5), components, samples=Draws(samples, seed=4), **QUIET)
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
            slow = measured(lens, prompt, run_hooked(model, prompt.tokens, hooks))
        cell = found["restored"].values[0, row, layer, position, sample]
        assert np.allclose(cell, slow, atol=TOLERANCE, rtol=0), (component, layer, position, sample)


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
    found = activation_patch(lens, [text_prompt()], [other_prompt()], Grid(("z", "result"), heads="each"), **QUIET)
    whole = activation_patch(lens, [text_prompt()], [other_prompt()], ("attn_out",), **QUIET)
    assert found.sizes["head"] == 1
    for component in ("z", "result"):
        by_head = found["restored"].sel(component=component).isel(head=0)
        assert np.allclose(by_head, whole["restored"].isel(component=0), atol=TOLERANCE, rtol=0)
    assert float(np.ptp(whole["restored"].values)) > 1e-3
