"""Attribution of nodes and edges: finite differences, sums of edges, exactness where the model is linear,
completeness."""

import itertools

import numpy as np
import pytest
import torch

from spiritlens.analysis.attribution.attribution_patching import attribution_patch
from spiritlens.analysis.attribution.edge_attribution import edge_attribution
from spiritlens.analysis.attribution.gradients import Gradients, path_gradients
from spiritlens.analysis.patching.activation_patching import activation_patch
from spiritlens.analysis.paths.nodes import Receiver, Sender, all_senders
from spiritlens.analysis.paths.path_patching import path_patch
from spiritlens.effects.paths import path_change
from spiritlens.models.planted.planted import planted
from spiritlens.runs.corruptions.noise import Noise
from spiritlens.runs.scoring import scorers
from tests.analysis.tracing_lens import make_prompt, spoken_prompt, text_prompt, tiny_lens

L = 3
QUIET = {"progress": "none"}


@pytest.fixture(scope="module", params=[4, 2], ids=["MHA", "GQA"])
def lens(request):
    return tiny_lens(request.param)


def other_prompt():
    return make_prompt((1, 30, 7, 21, 19, 5, 24, 13), (-1, -1, 0, 1, 2, 2, 3, 4), (4, 5), (12,), (6,))


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
                last = model.run_with_hooks(other.tokens, fwd_hooks=hooks)[0, -1]
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
            last = model.run_with_hooks(other.tokens, fwd_hooks=hooks)[0, -1]
        values.append(float(last[3:30].log_softmax(-1)[prompt.answer_ids[0] - 3]))  # the text ids are 3 … 29
    slope = (values[1] - values[0]) / step
    metrics = ("text_log_probability", "text_probability")
    found = attribution_patch(lens, [prompt], [other], ("resid_pre",), metrics=metrics, **QUIET)
    cell = (found["restored"] - found["corrupted"]).isel(prompt=0, sample=0, component=0, layer=1, pos=5)
    assert float(cell[0]) == pytest.approx(slope, abs=1e-5)
    assert float(cell[1]) == pytest.approx(np.exp(values[0]) * slope, abs=1e-5)
    edges = edge_attribution(lens, [prompt], [other], senders=[Sender("embed")], metrics=metrics, **QUIET)
    assert np.isfinite(edges["completeness_residual"]).all()


def test_sites_sum_their_positions_and_noising_turns_the_direction(lens):
    prompt, other = text_prompt(), other_prompt()
    tokens = attribution_patch(lens, [prompt], [other], ("mlp_out",), **QUIET)
    roles = attribution_patch(lens, [prompt], [other], ("mlp_out",), at="role", **QUIET)
    subject = attributions(tokens).isel(pos=[4, 5]).sum("pos")
    assert np.allclose(attributions(roles).sel(role="subject"), subject, atol=1e-12)
    noised = attribution_patch(lens, [prompt], [other], ("mlp_out",), direction="noising", **QUIET)
    assert np.allclose(noised["clean"], tokens["clean"])
    assert not np.allclose(noised["restored"] - noised["clean"], tokens["restored"] - tokens["corrupted"], atol=1e-6)


@pytest.mark.parametrize("direction", ["denoising", "noising"])
def test_integrated_gradients_of_the_embeddings_are_complete(lens, direction):
    """Gauss–Legendre nodes converge faster than any power of 1/steps; in float64 nothing but rounding is left."""
    prompt, other = text_prompt(), other_prompt()
    runs = [
        attribution_patch(lens, [prompt], [other], ("resid_pre",), direction=direction, steps=steps, **QUIET)
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


def test_products_are_summed_in_float32_from_bfloat16():
    """4,099 products of 0.01 (0.010009765625 in bfloat16): a sum in bfloat16 could only be 41 or 41.25."""
    name, shape = "blocks.0.hook_resid_pre", (1, 1, 4099)
    activations = [{name: torch.full(shape, value, dtype=torch.bfloat16)} for value in (1.0, 2.0)]
    gradient = {name: torch.full(shape[1:], 0.01, dtype=torch.bfloat16).float()}
    found = Gradients(*activations, (gradient,), torch.zeros(1), torch.zeros(1)).attribution(name, 0)
    assert found.dtype == torch.float32
    assert float(found) == pytest.approx(4099 * 0.010009765625, abs=1e-3)


def test_gradients_along_a_path_are_averaged_in_float32():
    lens = tiny_lens(dtype=torch.bfloat16)
    prompt, other = text_prompt(), other_prompt()
    found = attribution_patch(lens, [prompt], [other], ("z",), steps=3, **QUIET)
    model, names = lens.backend, ["blocks.1.attn.hook_z"]
    (scorer,) = scorers(
        ("logit_difference",), prompt.answer_ids, prompt.foil_ids, lens.vocabulary.text_ids.tolist(), model.device
    )
    ends = model.embed(other.tokens), model.embed(prompt.tokens)
    gradients = path_gradients(model, prompt.tokens, *ends, names, scorer, steps=3)
    assert gradients.gradients[0][names[0]].dtype == torch.float32
    assert found["restored"].dtype == np.float64
    edges = edge_attribution(
        lens, [prompt], [other], senders=[Sender("z", 1, 2)], receivers=[Receiver("logits")], **QUIET
    )
    assert np.isfinite(edges["patched"]).all()


def test_edges_report_what_their_path_misses(lens):
    """The residual of edges is that of nodes: all edges of the embedding together, minus the whole difference."""
    prompt, other = text_prompt(), other_prompt()
    for steps in (3, 8):
        edges = edge_attribution(lens, [prompt], [other], senders=[Sender("embed")], steps=steps, **QUIET)
        nodes = attribution_patch(lens, [prompt], [other], ("resid_pre",), steps=steps, **QUIET)
        assert np.allclose(edges["completeness_residual"], nodes["completeness_residual"], atol=1e-10)
        gap = nodes["clean"].item() - nodes["corrupted"].item()
        assert float(path_change(edges).sum()) - gap == pytest.approx(edges["completeness_residual"].item(), abs=1e-10)


def test_edges_refuse_a_users_own_hook(lens):
    point = lens.backend.model.hook_dict["blocks.0.attn.hook_q"]
    point.add_hook(lambda x, hook: x)
    try:
        with pytest.raises(ValueError, match="a hook of your own would not take effect"):
            edge_attribution(lens, [text_prompt()], [other_prompt()], **QUIET)
    finally:
        point.remove_hooks()


def test_several_noise_samples_are_attributed_each_by_itself(lens):
    found = attribution_patch(
        lens, [spoken_prompt()], Noise(0.3), ("resid_pre",), samples=3, metrics=("probability",), **QUIET
    )
    assert found.sizes["sample"] == 3
    assert found["corrupted"].std() > 0


def test_edges_of_a_sender_add_up_to_the_node(lens):
    """Over all receivers, gradients through the receivers are the gradient of the stream: the node's first-order
    effect."""
    prompt, other = text_prompt(), other_prompt()
    senders = all_senders(lens.backend)
    edges = path_change(edge_attribution(lens, [prompt], [other], **QUIET)).isel(prompt=0, pos=0, metric=0)
    summed = edges.sum(["receiver_component", "receiver_layer", "receiver_head"])
    heads = attributions(attribution_patch(lens, [prompt], [other], ("z",), **QUIET)).sum("pos")
    mlps = attributions(attribution_patch(lens, [prompt], [other], ("mlp_out", "resid_pre"), **QUIET)).sum("pos")
    for sender in senders:
        cell = float(summed.sel(sender_component=sender.component, sender_layer=sender.layer, sender_head=sender.head))
        node = {
            "z": lambda s: heads.sel(component="z", layer=s.layer, head=s.head),
            "mlp_out": lambda s: mlps.sel(component="mlp_out", layer=s.layer),
            "embed": lambda s: mlps.sel(component="resid_pre", layer=0),
        }[sender.component](sender)
        assert cell == pytest.approx(float(node), abs=1e-10), str(sender)


def test_an_edge_is_the_slope_of_its_path(lens):
    """Edge attribution against path patching from a source a millionth of the way: noise of that size as the
    contrast."""
    prompt = text_prompt()
    size = 1e-6
    settings = {"base": "clean", "metrics": ("logit_difference",), "seed": 5, **QUIET}
    receivers = [Receiver("q_input", 1, 2), Receiver("v_input", 2, 0), Receiver("mlp_in", 1), Receiver("logits")]
    senders = [Sender("embed"), Sender("z", 0, 1), Sender("mlp_out", 0)]
    exact = path_patch(lens, [prompt], Noise(size), senders=senders, receivers=receivers, **settings)
    estimated = edge_attribution(lens, [prompt], Noise(size), senders=senders, receivers=receivers, **settings)
    one, other = path_change(exact).values, path_change(estimated).values
    assert np.array_equal(np.isnan(one), np.isnan(other))
    assert np.nanmax(np.abs(one)) > 1e-8
    assert np.allclose(one, other, atol=1e-5 * np.nanmax(np.abs(one)) + 1e-13, equal_nan=True)


def test_backward_edges_are_absent(lens):
    found = edge_attribution(
        lens,
        [text_prompt()],
        [other_prompt()],
        senders=[Sender("z", 2, 0)],
        receivers=[Receiver("q_input", 1, 0)],
        **QUIET,
    )
    assert (found["status"] == 3).all()
    assert np.isnan(found["patched"]).all()


def test_attribution_finds_the_planted_fact_mlp_and_movers():
    circuit = planted("fact machine")
    prompts = [circuit.prompts[0], circuit.prompts[16]]
    others = [circuit.counterfactual(prompt) for prompt in prompts]
    estimated = attribution_patch(circuit.lens, prompts, others, ("z",), at="role", steps=20, **QUIET)
    exact = activation_patch(
        circuit.lens, prompts, others, ("z",), at="role", heads="each", metrics=("logit_difference",), **QUIET
    )
    for row in range(2):
        end = (
            (estimated["restored"] - estimated["corrupted"])
            .isel(prompt=row, sample=0, metric=0, component=0)
            .sel(role="final marker")
        )
        assert np.unravel_index(int(end.values.argmax()), end.shape) == (6, 1)
    assert float((exact["restored"] - exact["corrupted"]).sel(layer=6, head=1, role="final marker").min()) > 20


def test_gradients_are_taken_where_asked(lens):
    """One step: the base run's own gradient, the same as the protocol gives for the base prompt."""
    prompt, other = text_prompt(), other_prompt()
    model = lens.backend
    (scorer,) = scorers(
        ("logit_difference",), prompt.answer_ids, prompt.foil_ids, lens.vocabulary.text_ids.tolist(), model.device
    )
    name = "blocks.1.hook_resid_pre"
    found = path_gradients(model, prompt.tokens, model.embed(other.tokens), model.embed(prompt.tokens), [name], scorer)
    direct = model.gradients(other.tokens, [name], lambda logits: scorer(logits[:, -1:]).sum())
    assert torch.allclose(found.gradients[0][name], direct[name][0], atol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"components": ("pattern",)}, "components \\('pattern',\\)"),
        ({"components": ("z", "mlp_out")}, "mix heads and whole outputs"),
        ({"metrics": ("rank",)}, "metric 'rank' has no useful gradient"),
        ({"steps": 0}, "steps=0: expected a whole number ≥ 1"),
        ({"direction": "up"}, "direction='up'"),
    ],
)
def test_bad_settings_are_refused(lens, change, message):
    with pytest.raises(ValueError, match=message):
        attribution_patch(lens, [text_prompt()], [other_prompt()], **{**QUIET, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrics": ("kl",)}, "metric 'kl' has no useful gradient"),
        ({"steps": 0}, "steps=0: expected a whole number ≥ 1"),
    ],
)
def test_bad_edge_settings_are_refused(lens, change, message):
    with pytest.raises(ValueError, match=message):
        edge_attribution(lens, [text_prompt()], [other_prompt()], **{**QUIET, **change})
