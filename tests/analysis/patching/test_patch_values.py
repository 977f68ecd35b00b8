"""The engine of activation patching against plain hooked passes, samples, donors and users' own hooks."""

import itertools
import json

import numpy as np
import pytest
import torch
from patching_by_hooks import QUIET, TOLERANCE, L, measured, naive, naive_cells, other_prompt

from spiritlens.analysis.grid.grid import Draws, Grid
from spiritlens.analysis.patching.activation_patching import activation_patch, back_patch
from spiritlens.analysis.patching.donors import Donors
from spiritlens.analysis.patching.grid import Patch
from spiritlens.analysis.patching.patch_values import RunSpec, patch_values
from spiritlens.runs.corruptions.corruption import corrupted_embeddings
from spiritlens.runs.corruptions.noise import Noise
from spiritlens.runs.scoring import scorers
from tests.analysis.tracing_lens import TinyLens, text_prompt


@pytest.mark.parametrize("direction", ["denoising", "noising"])
def test_every_component_layer_and_position_equals_a_hooked_pass(lens, direction):
    prompt, other = text_prompt(), other_prompt()
    components = ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "q", "k", "v", "z", "pattern")
    found = activation_patch(lens, [prompt], [other], Grid(components, direction=direction), **QUIET)
    base, source = (other, prompt) if direction == "denoising" else (prompt, other)
    positions = (3, 4, 5, 7)
    cells = [(component, [layer], [at], None) for component in components for layer in range(L) for at in positions]
    slow = naive_cells(lens, prompt, base, source, cells).reshape(len(components), L, len(positions), 2)
    values = found["restored"].values[0, :, :, positions, 0].transpose(1, 2, 0, 3)
    assert np.allclose(values, slow, atol=TOLERANCE, rtol=0)
    assert np.allclose(
        found["clean"].values[0], measured(lens, prompt, lens.backend.forward(prompt.tokens)), atol=TOLERANCE
    )
    assert np.allclose(
        found["corrupted"].values[0, 0], measured(lens, prompt, lens.backend.forward(other.tokens)), atol=TOLERANCE
    )
    assert float(found["noise_floor"].max()) < TOLERANCE


def test_every_head_equals_a_hooked_pass_and_missing_key_value_heads_are_absent(lens):
    prompt, other = text_prompt(), other_prompt()
    components = ("q", "k", "v", "z", "pattern", "result")
    found = activation_patch(lens, [prompt], [other], Grid(components, at="role", heads="each"), **QUIET)
    roles = {str(role): place for place, role in enumerate(found["role"].values)}
    cells, values = [], []
    for role, (row, component), layer, head in itertools.product(
        ("subject", "last word"), enumerate(components), range(L), range(4)
    ):
        cell = found["restored"].values[0, row, layer, roles[role], head, 0]
        if component in ("k", "v") and head >= lens.backend.n_kv_heads:
            assert np.isnan(cell).all()
            assert found["status"].values[0, row, layer, roles[role], head] == 3
            continue
        hooked = "z" if component == "result" else component
        cells.append((hooked, [layer], other.span(role).positions, head))
        values.append(cell)
    assert np.allclose(values, naive_cells(lens, prompt, other, prompt, cells), atol=TOLERANCE, rtol=0)


def test_rows_of_the_slow_twin_are_passes_of_their_own(lens):
    prompt, other = text_prompt(), other_prompt()
    components = ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "q", "k", "v", "z", "pattern")
    cells = [(component, [0, 1], [4, 7], None) for component in components]
    cells += [(component, [1], [5], 1) for component in ("q", "k", "v", "z", "pattern")]
    together = naive_cells(lens, prompt, other, prompt, cells)
    alone = [naive(lens, prompt, other, prompt, *cell) for cell in cells]
    assert np.allclose(together, alone, atol=TOLERANCE, rtol=0)


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
    last = activation_patch(lens, [prompt], [other], Grid(("resid_post",), at="role"), **QUIET)
    final = last["restored"].sel(component="resid_post", layer=L - 1, role="last word").values[0, 0]
    assert np.allclose(final, last["clean"].values[0], atol=TOLERANCE)


def test_positions_before_the_first_difference_are_exact(lens):
    found = activation_patch(lens, [text_prompt()], [other_prompt()], ("resid_pre", "mlp_out"), **QUIET)
    before = found.isel(pos=slice(0, 4))
    assert (before["status"] == 1).all()
    assert np.allclose(before["restored"] - before["corrupted"], 0, atol=0)
    assert (found.isel(pos=4, component=0)["status"] == 0).all()


def test_noising_a_whole_layer_is_denoising_of_the_rest(lens):
    """resid_pre of a layer taken from the corrupted run at X = the corrupted run with the complement restored."""
    prompt, other = text_prompt(), other_prompt()
    for layer, component in itertools.product(range(L), ("resid_pre", "resid_mid", "resid_post")):
        noised = cell_values(lens, prompt, prompt, other, Patch(component, (layer,), (4, 7)))
        rest = cell_values(lens, prompt, other, prompt, Patch(component, (layer,), (0, 1, 2, 3, 5, 6)))
        assert np.allclose(noised, rest, atol=TOLERANCE)
    by_span = activation_patch(
        lens, [prompt], [other], Grid(("resid_pre",), at="span", spans=("position 4",), direction="noising"), **QUIET
    )
    alone = cell_values(lens, prompt, prompt, other, Patch("resid_pre", (1,), (4,)))
    assert np.allclose(by_span["restored"].values[0, 0, 1, 0], alone, atol=TOLERANCE)


def test_noise_samples_are_runs_of_their_own(lens):
    prompt = text_prompt()
    found = activation_patch(lens, [prompt], Noise(0.5), Grid(("resid_pre",), at="role"), samples=3, **QUIET)
    assert found.sizes["sample"] == 3
    whole = found["restored"].sel(component="resid_pre", layer=0, role="subject").values[0]
    assert np.allclose(whole, found["clean"].values, atol=TOLERANCE)
    assert found["corrupted"].values.std(axis=1).max() > 1e-4


def test_a_donors_value_stands_in_every_noise_sample(lens):
    """Noising: the clean run gets the donor's one value, whatever the samples of the corrupted run are."""
    prompt, donor, noise = text_prompt(), other_prompt(), Noise(0.4)
    grid = Grid(("resid_pre", "z"), direction="noising")
    settings = {"donors": [donor], **QUIET}
    found = activation_patch(lens, [prompt], noise, grid, samples=Draws(3, seed=2), **settings)
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
    one = activation_patch(lens, [prompt], noise, grid, samples=Draws(1, seed=2), **settings)
    assert np.array_equal(found["restored"].isel(sample=0), one["restored"].isel(sample=0))


def test_a_donors_value_of_another_layer_stands_in_every_noise_sample(lens):
    prompt, donor = text_prompt(), other_prompt()
    grid = Grid(("resid_pre",), at="span", spans=("subject",), direction="noising")
    settings = {"donors": Donors([donor], layers=(0, 2)), **QUIET}
    found = back_patch(lens, [prompt], Noise(0.4), grid, samples=2, **settings)
    with_counterfactual = back_patch(lens, [prompt], [donor], grid, **settings)
    for sample in range(2):
        assert np.allclose(
            found["restored"].isel(sample=sample), with_counterfactual["restored"].isel(sample=0), atol=TOLERANCE
        )


def test_samples_and_memory_budgets_change_nothing(lens):
    """Every component over noise samples: with little memory, and each component alone."""
    components = ("resid_mid", "attn_out", "mlp_out", "q", "k", "z", "pattern")
    contrast, settings = Noise(0.5), {"samples": 2, **QUIET}
    together = activation_patch(lens, [text_prompt()], contrast, Grid(components, at="role"), **settings)
    little = TinyLens(lens.backend, memory_budget=1)
    small = activation_patch(little, [text_prompt()], contrast, Grid(components, at="role"), **settings)
    assert json.loads(small.attrs["config_json"])["memory_budget"] == 1
    assert np.allclose(together["restored"], small["restored"], atol=TOLERANCE, rtol=0, equal_nan=True)
    for component in components:
        alone = activation_patch(lens, [text_prompt()], contrast, Grid((component,), at="role"), **settings)
        both = together.sel(component=[component])
        assert np.allclose(both["restored"], alone["restored"], atol=TOLERANCE, rtol=0, equal_nan=True)
        assert np.array_equal(both["status"], alone["status"])


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
        by_head = activation_patch(lens, [prompt], [other], Grid(("z", "pattern", "q"), heads="each"), **QUIET)
        positions, of_heads = (1, 4, 6, 7), ("z", "pattern", "q")
        cells = [(component, [layer], [at], None) for component in components for layer in range(L) for at in positions]
        slow = naive_cells(lens, prompt, other, prompt, cells).reshape(len(components), L, len(positions), 2)
        values = found["restored"].values[0, :, :, positions, 0].transpose(1, 2, 0, 3)
        assert np.allclose(values, slow, atol=TOLERANCE, rtol=0)
        cells = [(component, [layer], [6], head) for component in of_heads for layer in range(L) for head in range(4)]
        slow = naive_cells(lens, prompt, other, prompt, cells).reshape(len(of_heads), L, 4, 2)
        assert np.allclose(by_head["restored"].values[0, :, :, 6, :, 0], slow, atol=TOLERANCE, rtol=0)
    finally:
        for name in names:
            model.hook_dict[name].remove_hooks()
    assert np.abs(found["restored"] - untouched["restored"]).max() > 1e-3
