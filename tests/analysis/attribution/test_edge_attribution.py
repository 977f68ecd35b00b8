"""Edges to first order: sums over receivers, slopes of paths, what the path misses."""

from dataclasses import replace

import numpy as np
import pytest
from patching_by_hooks import other_prompt

from spiritlens.analysis.attribution.attribution_patching import attribution_patch
from spiritlens.analysis.attribution.edge_attribution import attribute_edges
from spiritlens.analysis.grid.grid import Draws
from spiritlens.analysis.paths.nodes import Receiver, Sender, all_senders
from spiritlens.analysis.paths.path_patching import path_patch
from spiritlens.analysis.paths.paths import Paths
from spiritlens.effects.paths import path_change
from spiritlens.models.planted.planted import planted
from spiritlens.prompts.prompt import Span
from spiritlens.runs.corruptions.knock_out import KnockOut
from spiritlens.runs.corruptions.noise import Noise
from tests.analysis.tracing_lens import make_prompt, spoken_prompt, text_prompt

QUIET = {"progress": "none"}


def attributions(dataset):
    return (dataset["restored"] - dataset["corrupted"]).isel(prompt=0, sample=0, metric=0)


def test_edges_report_what_their_path_misses(lens):
    """The residual of edges is that of nodes: all edges of the embedding together, minus the whole difference."""
    prompt, other = text_prompt(), other_prompt()
    for steps in (3, 8):
        edges = attribute_edges(lens, [prompt], [other], Paths(senders=[Sender("embed")]), steps=steps, **QUIET)
        nodes = attribution_patch(lens, [prompt], [other], ("resid_pre",), steps=steps, **QUIET)
        assert np.allclose(edges["completeness_residual"], nodes["completeness_residual"], atol=1e-10)
        gap = nodes["clean"].item() - nodes["corrupted"].item()
        assert float(path_change(edges).sum()) - gap == pytest.approx(edges["completeness_residual"].item(), abs=1e-10)


def test_edges_refuse_a_users_own_hook(lens):
    point = lens.backend.model.hook_dict["blocks.0.attn.hook_q"]
    point.add_hook(lambda x, hook: x)
    try:
        with pytest.raises(ValueError, match="a hook of your own would not take effect"):
            attribute_edges(lens, [text_prompt()], [other_prompt()], **QUIET)
    finally:
        point.remove_hooks()


def test_edges_of_a_sender_add_up_to_the_node(lens):
    """Over all receivers, gradients through the receivers are the gradient of the stream: the node's first-order
    effect."""
    prompt, other = text_prompt(), other_prompt()
    senders = all_senders(lens.backend)
    edges = path_change(attribute_edges(lens, [prompt], [other], **QUIET)).isel(prompt=0, pos=0, metric=0)
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
    settings = {"metrics": ("logit_difference",), "samples": Draws(1, seed=5), **QUIET}
    receivers = [Receiver("q_input", 1, 2), Receiver("v_input", 2, 0), Receiver("mlp_in", 1), Receiver("logits")]
    senders = [Sender("embed"), Sender("z", 0, 1), Sender("mlp_out", 0)]
    paths = Paths(senders, receivers, base="clean")
    exact = path_patch(lens, [prompt], Noise(size), paths, **settings)
    estimated = attribute_edges(lens, [prompt], Noise(size), paths, **settings)
    one, other = path_change(exact).values, path_change(estimated).values
    assert np.array_equal(np.isnan(one), np.isnan(other))
    assert np.nanmax(np.abs(one)) > 1e-8
    assert np.allclose(one, other, atol=1e-5 * np.nanmax(np.abs(one)) + 1e-13, equal_nan=True)


def test_backward_edges_are_absent(lens):
    found = attribute_edges(
        lens,
        [text_prompt()],
        [other_prompt()],
        Paths(senders=[Sender("z", 2, 0)], receivers=[Receiver("q_input", 1, 0)]),
        **QUIET,
    )
    assert (found["status"] == 3).all()
    assert np.isnan(found["patched"]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrics": ("kl",)}, "metric 'kl' has no useful gradient"),
        ({"steps": 0}, "steps=0: expected a whole number ≥ 1"),
        (
            {"paths": Paths(frozen="heads")},
            "paths has frozen='heads', which attribute_edges does not know",
        ),
        ({"paths": Paths(norms="frozen")}, "paths has norms='frozen'"),
        ({"paths": Paths(receive="together")}, "paths has receive='together'"),
    ],
)
def test_bad_edge_settings_are_refused(lens, change, message):
    with pytest.raises(ValueError, match=message):
        attribute_edges(lens, [text_prompt()], [other_prompt()], **{**QUIET, **change})


def longer_prompt():
    """The other prompt, its second word of two tokens."""
    return make_prompt((1, 30, 7, 21, 22, 19, 5, 24, 13), (-1, -1, 0, 1, 1, 2, 2, 3, 4), (5, 6), (12,), (6,))


@pytest.mark.parametrize(
    ("base", "places"), [("clean", [0, 1, 2, 3, 5, 6, 7, 8]), ("corrupted", [0, 1, 2, 3, 3, 4, 5, 6, 7])]
)
def test_values_of_a_pair_of_unequal_length_meet_through_their_words(lens, base, places):
    """Both prompts run as they are; a longer word's first token stands for the shorter's only one. Edges of a sender
    add up to its change times the gradient of its own write."""
    prompt, other = text_prompt(), longer_prompt()
    edges = attribute_edges(lens, [prompt], [other], Paths(base=base, at=("all", "subject")), **QUIET)
    here, there = (prompt, other) if base == "clean" else (other, prompt)
    names = [f"blocks.{layer}.{part}" for layer in range(3) for part in ("attn.hook_z", "hook_mlp_out")]
    model = lens.backend
    own, foreign = (model.cache(side.tokens, names) for side in (here, there))
    felt = model.gradients(here.tokens, names, lambda logits: (logits[:, -1, 11] - logits[:, -1, 4]).sum())
    summed = path_change(edges).sum(["receiver_component", "receiver_layer", "receiver_head"]).isel(prompt=0, metric=0)
    for name in names:
        products = (foreign[name][0, places] - own[name][0]) * felt[name][0]
        component = "z" if "hook_z" in name else "mlp_out"
        cells = summed.sel(sender_component=component, sender_layer=int(name.split(".")[1]))
        cells = cells.sel(sender_head=range(4)) if component == "z" else cells.sel(sender_head=[-1])
        for column, positions in enumerate([range(len(here)), here.subject.positions]):
            wanted = products[list(positions)].sum((0, -1)) if component == "z" else products[list(positions)].sum()
            assert np.allclose(cells.isel(pos=column), wanted, atol=1e-10), name


def stretched(prompt, at):
    """The prompt with the token at a position written twice, in the same word."""

    def twice(values):
        return (*values[: at + 1], *values[at:])

    names = ("ids", "labels", "families", "modalities", "word_index", "roles", "parts", "starts", "ends")
    subject = Span(prompt.subject.name, tuple(place + (place >= at) for place in prompt.subject))
    return replace(prompt, **{name: twice(getattr(prompt, name)) for name in names}, subject=subject)


@pytest.mark.parametrize("base", ["clean", "corrupted"])
@pytest.mark.parametrize("spoken", [False, True])
def test_a_pair_of_unequal_length_has_the_planted_edges(spoken, base):
    """A longer word before the subject moves everything after it, and changes nothing of what the circuit reads."""
    circuit = planted("fact machine")
    prompt = circuit.prompts[15 if spoken else 0]
    other = circuit.counterfactual(prompt)
    equal, unequal = (
        attribute_edges(circuit.lens, [prompt], [contrast], Paths(base=base), steps=2, **QUIET)
        for contrast in (other, stretched(other, 3))
    )
    change = path_change(unequal).isel(prompt=0, pos=0, metric=0)
    assert np.allclose(change, path_change(equal).isel(prompt=0, pos=0, metric=0), atol=1e-6, equal_nan=True)
    size = abs(change).stack(edge=change.dims).dropna("edge")
    lit = size[size > 0.2 * float(size.max())]["edge"].values
    nodes = {(str(Sender(*map(plain, edge[:3]))), str(Receiver(*map(plain, edge[3:])))) for edge in lit}
    decoy = str(circuit.truth.decoy)
    assert nodes == {edge for edge in circuit.truth.edges if not edge[1].startswith(decoy)}


def plain(value):
    return value.item() if hasattr(value, "item") else value


def test_prompts_of_other_wording_do_not_meet(lens, monkeypatch):
    other = make_prompt((1, 30, 7, 19, 5, 24, 13), (-1, -1, 0, 1, 1, 2, 3), (3, 4), (12,), (6,))
    monkeypatch.setattr(type(lens.backend), "cache", None)  # told before anything runs
    with pytest.raises(ValueError, match=r"has 1 words before its subject and prompt .* has 2; align prompts of"):
        attribute_edges(lens, [text_prompt()], [other], **QUIET)


def test_what_the_path_misses_is_told_once_for_all_prompts(lens):
    prompts = [text_prompt(), spoken_prompt()]
    with pytest.warns(UserWarning, match="2 of 2 are off") as told:
        attribute_edges(lens, prompts, KnockOut("zero"), Paths([Sender("embed")]), steps=2, **QUIET)
    assert len([warning for warning in told if "off the total effect" in str(warning.message)]) == 1
