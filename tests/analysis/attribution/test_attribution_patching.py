"""Attribution of nodes: finite differences, exactness where the model is linear, completeness."""

import itertools

import numpy as np
import pytest
import torch
from either_kind import run_hooked
from patching_by_hooks import L, other_prompt

from spiritlens.analysis.attribution.attribution_patching import attribution_patch, relevance_patch
from spiritlens.analysis.attribution.edge_attribution import attribute_edges
from spiritlens.analysis.grid.grid import Grid
from spiritlens.analysis.patching.activation_patching import activation_patch
from spiritlens.analysis.paths.nodes import Sender
from spiritlens.analysis.paths.paths import Paths
from spiritlens.components import hook_name
from spiritlens.models.planted.planted import planted
from spiritlens.runs.backward import differentiate
from spiritlens.runs.corruptions.noise import Noise
from tests.analysis.tracing_lens import spoken_prompt, text_prompt

QUIET = {"progress": "none"}


def attributions(dataset):
    return (dataset["restored"] - dataset["corrupted"]).isel(prompt=0, sample=0, metric=0)


def test_an_attribution_is_the_slope_of_the_patch(lens):
    """Moving an activation a millionth of the way towards the source changes the metric by a millionth of the
    attribution."""
    prompt, other = text_prompt(), other_prompt()
    model = lens.backend.model
    _, clean = model.run_with_cache(prompt.tokens)
    _, corrupted = model.run_with_cache(other.tokens)
    streams = ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out")
    whole = attribution_patch(lens, [prompt], [other], streams, **QUIET)
    heads = attribution_patch(lens, [prompt], [other], ("q", "k", "v", "z"), **QUIET)
    answer, foil, step = prompt.answer_ids[0], prompt.foil_ids[0], 1e-6

    def slope(name, position, head=None):
        def move(x, hook):
            x = x.clone()
            where = (0, position) if head is None else (0, position, head)
            x[where] += step * (clean[name] - corrupted[name])[where]
            return x

        values = []
        for hooks in ([], [(name, move)]):
            with torch.no_grad():
                last = run_hooked(model, other.tokens, hooks)[0, -1]
            values.append(float(last[answer] - last[foil]))
        return (values[1] - values[0]) / step

    for component, layer, position in itertools.product(streams, range(L), (4, 5, 7)):
        found = float(attributions(whole).sel(component=component, layer=layer).isel(pos=position))
        assert found == pytest.approx(slope(f"blocks.{layer}.hook_{component}", position), abs=1e-5)
    for component, head in itertools.product(("q", "k", "v", "z"), (0, 1, 3)):
        cell = attributions(heads).sel(component=component, layer=1).isel(pos=5, head=head)
        if component in ("k", "v") and head >= lens.backend.n_kv_heads:
            assert np.isnan(cell)
            continue
        assert float(cell) == pytest.approx(slope(f"blocks.1.attn.hook_{component}", 5, head), abs=1e-5)


def test_metrics_over_text_ids_have_slopes_too(lens):
    prompt, other = text_prompt(), other_prompt()
    model, name, step = lens.backend.model, "blocks.1.hook_resid_pre", 1e-6
    _, clean = model.run_with_cache(prompt.tokens)
    _, corrupted = model.run_with_cache(other.tokens)

    def move(x, hook):
        x = x.clone()
        x[0, 5] += step * (clean[name] - corrupted[name])[0, 5]
        return x

    values = []
    for hooks in ([], [(name, move)]):
        with torch.no_grad():
            last = run_hooked(model, other.tokens, hooks)[0, -1]
        values.append(float(last[3:30].log_softmax(-1)[prompt.answer_ids[0] - 3]))  # the text ids are 3 … 29
    slope = (values[1] - values[0]) / step
    metrics = ("text_log_probability", "text_probability")
    found = attribution_patch(lens, [prompt], [other], ("resid_pre",), metrics=metrics, **QUIET)
    cell = (found["restored"] - found["corrupted"]).isel(prompt=0, sample=0, component=0, layer=1, pos=5)
    assert float(cell[0]) == pytest.approx(slope, abs=1e-5)
    assert float(cell[1]) == pytest.approx(np.exp(values[0]) * slope, abs=1e-5)
    edges = attribute_edges(lens, [prompt], [other], Paths(senders=[Sender("embed")]), metrics=metrics, **QUIET)
    assert np.isfinite(edges["completeness_residual"]).all()


def test_sites_sum_their_positions_and_noising_turns_the_direction(lens):
    prompt, other = text_prompt(), other_prompt()
    tokens = attribution_patch(lens, [prompt], [other], ("mlp_out",), **QUIET)
    roles = attribution_patch(lens, [prompt], [other], Grid(("mlp_out",), at="role"), **QUIET)
    subject = attributions(tokens).isel(pos=[4, 5]).sum("pos")
    assert np.allclose(attributions(roles).sel(role="subject"), subject, atol=1e-12)
    noised = attribution_patch(lens, [prompt], [other], Grid(("mlp_out",), direction="noising"), **QUIET)
    assert np.allclose(noised["clean"], tokens["clean"])
    assert not np.allclose(noised["restored"] - noised["clean"], tokens["restored"] - tokens["corrupted"], atol=1e-6)


@pytest.mark.parametrize("direction", ["denoising", "noising"])
def test_integrated_gradients_of_the_embeddings_are_complete(lens, direction):
    """Gauss–Legendre nodes converge faster than any power of 1/steps; in float64 nothing but rounding is left."""
    prompt, other = text_prompt(), other_prompt()
    runs = [
        attribution_patch(lens, [prompt], [other], Grid(("resid_pre",), direction=direction), steps=steps, **QUIET)
        for steps in (6, 12, 24, 96)
    ]
    residuals = [abs(run["completeness_residual"].item()) for run in runs]
    assert residuals[1] < 0.1 * residuals[0]
    assert residuals[2] < 0.1 * residuals[1]
    assert residuals[3] < 1e-10
    gap = (runs[3]["clean"] - runs[3]["corrupted"]).item() * (1 if direction == "denoising" else -1)
    base = "corrupted" if direction == "denoising" else "clean"
    embedded = (runs[3]["restored"] - runs[3][base]).isel(prompt=0, sample=0, metric=0).sel(layer=0).sum()
    assert float(embedded) == pytest.approx(gap, abs=1e-10)


def test_heads_together_are_the_sum_of_each(lens):
    """And stand beside whole outputs: all of z is attn_out, to first order too."""
    settings = {"contrast": [other_prompt()], "metrics": ("logit_difference", "probability"), **QUIET}
    each = attribution_patch(lens, [text_prompt()], grid=("k", "z"), **settings)
    together = attribution_patch(lens, [text_prompt()], grid=Grid(("k", "z", "attn_out"), heads="together"), **settings)
    assert "head" not in together.dims
    base = together["corrupted"]
    summed = (each["restored"] - base).sum("head")
    for component, same in (("k", "k"), ("z", "z"), ("attn_out", "z")):
        one = together["restored"].sel(component=component) - base
        assert np.allclose(one, summed.sel(component=same).transpose(*one.dims), atol=1e-12)


def test_several_noise_samples_are_attributed_each_by_itself(lens):
    found = attribution_patch(
        lens, [spoken_prompt()], Noise(0.3), ("resid_pre",), samples=3, metrics=("probability",), **QUIET
    )
    assert found.sizes["sample"] == 3
    assert found["corrupted"].std() > 0


def test_attribution_finds_the_planted_fact_mlp_and_movers():
    circuit = planted("fact machine")
    prompts = [circuit.prompts[0], circuit.prompts[16]]
    others = [circuit.counterfactual(prompt) for prompt in prompts]
    estimated = attribution_patch(circuit.lens, prompts, others, Grid(("z",), at="role"), steps=20, **QUIET)
    exact = activation_patch(
        circuit.lens, prompts, others, Grid(("z",), at="role", heads="each"), metrics=("logit_difference",), **QUIET
    )
    for row in range(2):
        end = (
            (estimated["restored"] - estimated["corrupted"])
            .isel(prompt=row, sample=0, metric=0, component=0)
            .sel(role="final marker")
        )
        assert np.unravel_index(int(end.values.argmax()), end.shape) == (6, 1)
    assert float((exact["restored"] - exact["corrupted"]).sel(layer=6, head=1, role="final marker").min()) > 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grid": ("pattern",)}, "components \\('pattern',\\)"),
        ({"grid": ("z", "mlp_out")}, "mix heads and whole outputs"),
        ({"grid": Grid(("resid_pre",), heads="each")}, "heads='each' goes with q, k, v, z"),
        ({"grid": Grid(window=3)}, "window=3, which this method does not know"),
        ({"metrics": ("rank",)}, "metric 'rank' has no useful gradient"),
        ({"steps": 0}, "steps=0: expected a whole number ≥ 1"),
    ],
)
def test_bad_settings_are_refused(lens, change, message):
    with pytest.raises(ValueError, match=message):
        attribution_patch(lens, [text_prompt()], [other_prompt()], **{**QUIET, **change})


@pytest.mark.parametrize("direction", ["denoising", "noising"])
def test_relevance_patching_is_the_difference_times_relps_gradient_of_the_clean_run(lens, direction):
    prompt, other, model = text_prompt(), other_prompt(), lens.backend
    grid = Grid(("resid_pre", "attn_out", "mlp_out"), direction=direction)
    effects = relevance_patch(lens, [prompt], [other], grid, **QUIET)
    assert effects.attrs["method"] == "relevance patching (RelP)"
    names = [hook_name(component, layer) for component in grid.components for layer in range(L)]
    clean, corrupted = (model.cache(each.tokens, names) for each in (prompt, other))
    answer, foil = prompt.answer_ids[0], prompt.foil_ids[0]
    slopes = differentiate(model, prompt.tokens, names, lambda x: x[0, -1, answer] - x[0, -1, foil], "relp").gradients
    sign = 1 if direction == "denoising" else -1
    start = effects["corrupted"] if direction == "denoising" else effects["clean"]
    found = (effects["restored"] - start).isel(prompt=0, sample=0, metric=0)
    for component, layer in itertools.product(grid.components, range(L)):
        name = hook_name(component, layer)
        expected = sign * ((clean[name] - corrupted[name]) * slopes[name]).sum(-1)[0]
        assert np.abs(found.sel(component=component, layer=layer).values - expected.numpy()).max() < 1e-10


def test_relevance_patching_refuses_what_its_rule_holds_constant(lens):
    with pytest.raises(ValueError, match="component 'q': RelP holds attention patterns constant"):
        relevance_patch(lens, [text_prompt()], [other_prompt()], ("q",), **QUIET)
