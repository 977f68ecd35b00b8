"""Edges to first order: sums over receivers, slopes of paths, what the path misses."""

import numpy as np
import pytest
from patching_by_hooks import other_prompt

from spiritlens.analysis.attribution.attribution_patching import attribution_patch
from spiritlens.analysis.attribution.edge_attribution import edge_attribution
from spiritlens.analysis.paths.nodes import Receiver, Sender, all_senders
from spiritlens.analysis.paths.path_patching import path_patch
from spiritlens.effects.paths import path_change
from spiritlens.runs.corruptions.noise import Noise
from tests.analysis.tracing_lens import text_prompt

QUIET = {"progress": "none"}


def attributions(dataset):
    return (dataset["restored"] - dataset["corrupted"]).isel(prompt=0, sample=0, metric=0)


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
