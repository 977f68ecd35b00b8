"""What the glossary promises holds: each word is tried, each method takes the components of its row and no others."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

import spiritlens as sl
import spiritlens.shapes
from spiritlens.runs.corruptions.corruption import corrupted_embeddings
from spiritlens.terms import PARTS, ROLES

GLOSSARY = (Path(__file__).parents[1] / "docs" / "glossary.md").read_text(encoding="utf-8")
FOIL = {"metrics": ("logit_difference",), "progress": "none"}
CALLS = {
    "causal_trace": lambda lens, prompt, name: sl.causal_trace(
        lens, [prompt], sl.Grid((name,), at="role"), samples=1, progress="none"
    ),
    "first_look": lambda lens, prompt, name: sl.tracing.first_look(
        lens, [prompt], sl.Grid((name,), at="role"), samples=1, n_exact=1
    ),
    "activation_patch": lambda lens, prompt, name: sl.activation_patch(
        lens, [prompt], sl.Noise(), sl.Grid((name,), at="role"), **FOIL
    ),
    "back_patch": lambda lens, prompt, name: sl.back_patch(
        lens, [prompt], sl.Noise(), sl.Grid((name,), at="role"), donors=sl.Donors(layers=(3,)), **FOIL
    ),
    "attribution_patch": lambda lens, prompt, name: sl.attribution_patch(
        lens, [prompt], sl.Noise(), sl.Grid((name,), at="role"), **FOIL
    ),
    "relevance_patch": lambda lens, prompt, name: sl.relevance_patch(
        lens, [prompt], sl.Noise(), sl.Grid((name,), at="role"), **FOIL
    ),
    "restore": lambda lens, prompt, name: sl.run(
        lens,
        prompt,
        sl.corrupt(prompt.subject),
        sl.restore(name, layer=3, at=prompt.subject),
        samples=1,
    ),
}


PROMISES: dict[str, Callable[..., None]] = {}
"""Word of the glossary → what tries it, given the planted fact machine and one of its written prompts."""


def promise(word: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Note which word a check is about."""

    def noted(check: Callable[..., None]) -> Callable[..., None]:
        PROMISES[word] = check
        return check

    return noted


def promised() -> dict[str, tuple[str, ...]]:
    """Components by method, from the rows of the table."""
    rows = re.findall(r"^\| (`sl\.[^|]*) \| (`[^|]*) \|$", GLOSSARY, flags=re.MULTILINE)
    return {
        method: tuple(re.findall(r"\w+", components))
        for methods, components in rows
        for method in re.findall(r"`sl\.(?:\w+\.)?(\w+)`", methods)
    }


@pytest.fixture(scope="module")
def machine():
    return sl.planted()


def test_every_method_that_takes_components_has_a_row():
    assert set(promised()) == {*CALLS, "swap", "freeze", "ablate"}


@pytest.mark.parametrize("method", CALLS)
def test_a_method_takes_the_components_of_its_row_and_no_others(machine, method):
    every = dict.fromkeys(name for names in promised().values() for name in names)
    for name in every:
        if name in promised()[method]:
            assert CALLS[method](machine.lens, machine.prompts[0], name) is not None
        else:
            with pytest.raises(ValueError, match="component"):
                CALLS[method](machine.lens, machine.prompts[0], name)


def words() -> list[str]:
    """First column of the table of words."""
    table = GLOSSARY.split("| word | means |")[1].split("\n\n")[0]
    return re.findall(r"^\| ([^|`-][^|]*?) \|", table, flags=re.MULTILINE)


def values(run: "sl.run", name: str = "log_probability") -> np.ndarray:
    return run.values[name].numpy()


@promise("clean run")
def clean_run_is_the_model_on_the_prompt(machine, prompt):
    logits = machine.lens.model(prompt.tokens)
    torch.testing.assert_close(sl.run(machine.lens, prompt).logits, logits, atol=1e-12, rtol=0)


@promise("corrupted run")
def corruption_disturbs_the_subjects_embeddings_only(machine, prompt):
    plain = machine.lens.model.embed(prompt.tokens)[0]
    (noisy,) = corrupted_embeddings(machine.lens, prompt, sl.Noise(), samples=1, seed=0)
    moved = {int(place) for place in (noisy != plain).any(-1).nonzero()}
    assert moved == set(prompt.subject.positions)


@promise("restored run")
def restoring_all_that_was_corrupted_gives_the_clean_run(machine, prompt):
    corruption, back = sl.corrupt(prompt.subject), sl.restore("resid_pre", layer=0, at=prompt.subject)
    restored = sl.run(machine.lens, prompt, corruption, back, samples=2)
    np.testing.assert_allclose(values(restored), values(sl.run(machine.lens, prompt))[0], atol=1e-9)


def patched(machine, prompt, direction):
    return sl.activation_patch(
        machine.lens,
        [prompt],
        [machine.counterfactual(prompt)],
        sl.Grid(("resid_pre",), at="role", direction=direction),
        **FOIL,
    ).sel(component="resid_pre", layer=0, role="subject")


@promise("denoising")
def denoising_puts_clean_values_into_the_corrupted_run(machine, prompt):
    found = patched(machine, prompt, "denoising")
    np.testing.assert_allclose(found["restored"].values.ravel(), found["clean"].values.ravel(), atol=1e-9)


@promise("noising")
def noising_puts_corrupted_values_into_the_clean_run(machine, prompt):
    found = patched(machine, prompt, "noising")
    np.testing.assert_allclose(found["restored"].values.ravel(), found["corrupted"].values.ravel(), atol=1e-9)
    noising = found["clean"] - found["restored"].isel(sample=0)
    np.testing.assert_allclose(sl.effects.indirect(found).values.ravel(), noising.values.ravel())


@promise("knock-out")
def knock_out_puts_another_value_in_place(machine, prompt):
    others = [other for other in machine.prompts if other.kind == prompt.kind and other.id != prompt.id]
    zero, mean, drawn = (
        sl.run(machine.lens, prompt, sl.ablate("resid_pre", 1, prompt.subject, to=to, reference=reference), samples=1)
        for to, reference in (("zero", ()), ("mean", others[:3]), ("resample", others[:3]))
    )
    for one, other in ((zero, mean), (zero, drawn), (mean, drawn), (mean, sl.run(machine.lens, prompt))):
        assert (one.logits[0] - other.logits[0]).abs().max() > 1


@promise("window")
def a_window_is_the_layers_around_its_centre_together(machine, prompt):
    trace = sl.causal_trace(
        machine.lens,
        [prompt],
        sl.Grid(("mlp_out",), at="role", window=3),
        samples=1,
        metrics=("probability",),
        progress="none",
    )
    wide = trace["restored"].sel(component="mlp_out", layer=2, role="subject").values.ravel()
    layers = [sl.restore("mlp_out", layer, prompt.subject) for layer in (1, 2, 3)]
    alone = sl.run(machine.lens, prompt, sl.corrupt(prompt.subject), *layers, samples=1)
    np.testing.assert_allclose(wide, values(alone, "probability"), atol=1e-9)


@promise("severing")
def severing_holds_later_mlp_outputs_at_their_corrupted_values(machine, prompt):
    trace = sl.causal_trace(
        machine.lens,
        [prompt],
        sl.Grid(("resid_pre",), at="role", sever="mlp"),
        samples=1,
        metrics=("probability",),
        progress="none",
    )
    found = trace["restored"].sel(component="resid_pre", layer=1, role="subject").values.ravel()
    held = [sl.freeze("mlp_out", layer, prompt.subject) for layer in range(1, machine.lens.n_layers)]
    back = sl.restore("resid_pre", 1, prompt.subject)
    alone = sl.run(machine.lens, prompt, sl.corrupt(prompt.subject), back, *held, samples=1)
    np.testing.assert_allclose(found, values(alone, "probability"), atol=1e-9)


@promise("span")
def a_span_is_restored_together(machine, prompt):
    trace = sl.causal_trace(
        machine.lens, [prompt], sl.Grid(("resid_pre",), at="role"), samples=1, metrics=("probability",), progress="none"
    )
    together = trace["restored"].sel(component="resid_pre", layer=2, role="subject").values.ravel()
    back = sl.restore("resid_pre", 2, prompt.subject)
    alone = sl.run(machine.lens, prompt, sl.corrupt(prompt.subject), back, samples=1)
    np.testing.assert_allclose(together, values(alone, "probability"), atol=1e-9)
    assert len(prompt.subject.positions) > 1


@promise("unit, unit stream")
def a_unit_stream_keeps_its_times(machine, prompt):
    stream = sl.speech.UnitStream.from_frames([3, 3, 3, 7, 7, 1])
    assert stream.dedup().ids.tolist() == [3, 7, 1]
    assert stream.dedup().ends.tolist() == [0.12, 0.2, 0.24]
    assert (stream.dedup().expand().ids == stream.ids).all()


@promise("marker, segment")
def markers_open_segments(machine, prompt):
    spoken = machine.speech(machine.subjects[0])
    markers = [place for place, role in enumerate(spoken.roles) if role in ("modality marker", "final marker")]
    assert [machine.lens.vocabulary.label(spoken.ids[place]) for place in markers] == ["[Speech]", "[Text]"]
    assert set(spoken.modalities[markers[0] + 1 : markers[1]]) == {"speech"}


@promise("T2T, S2T")
def kinds_say_how_a_prompt_is_given(machine, prompt):
    assert machine.text(machine.subjects[0]).kind == "T2T"
    assert machine.speech(machine.subjects[0]).kind == "S2T"


@promise("known")
def known_is_the_highest_logit_of_all_text_ids(machine, prompt):
    text = torch.from_numpy(machine.lens.vocabulary.text_ids)
    for one in machine.prompts[::5]:
        logits = machine.lens.model(one.tokens)[0, -1]
        highest = int(text[logits[text].argmax()]) == one.answer_ids[0]
        assert sl.known_prompts(machine.lens, [one]) == (highest,)


@promise("path patching")
def a_path_is_a_sender_a_receiver_and_what_is_frozen(machine, prompt):
    (edge,) = [edge for edge in machine.truth.edges if edge[1] == "logits"]
    head = machine.truth.movers[0]
    assert edge[0] == str(head)
    senders = (sl.paths.Sender("z", head.layer, head.head), sl.paths.Sender("mlp_out", 0))
    paths = sl.path_patch(
        machine.lens,
        [prompt],
        [machine.counterfactual(prompt)],
        sl.paths.Paths(senders=senders, frozen="heads+mlps"),
        **FOIL,
    )
    assert paths.attrs["frozen"] == "heads+mlps"
    change = (paths["patched"] - paths["base"]).squeeze()
    assert abs(float(change.sel(sender_component="z", sender_layer=head.layer, sender_head=head.head))) > 1
    assert abs(float(change.sel(sender_component="mlp_out", sender_layer=0, sender_head=-1))) < 1e-9


@promise("DLA")
def direct_logit_attribution_adds_up_to_the_logit_difference(machine, prompt):
    parts = sl.heads.direct_logit_attribution(machine.lens, [prompt])
    total = parts["heads"].sum() + parts["mlps"].sum() + parts["embedding"].sum() + parts["remainder"].sum()
    difference = sl.run(machine.lens, prompt).values["logit_difference"]
    np.testing.assert_allclose(float(total), float(difference), atol=1e-9)


@promise("AtP, EAP, EAP-IG")
def attributions_are_first_order_effects_of_nodes_and_edges(machine, prompt):
    other = [machine.counterfactual(prompt)]
    nodes = sl.attribution_patch(machine.lens, [prompt], other, sl.Grid(("resid_pre",), at="role"), steps=20, **FOIL)
    embeddings = sl.effects.indirect(nodes).sel(component="resid_pre", layer=0).sum()
    missed = float(embeddings) - float(sl.effects.total(nodes).sum())
    np.testing.assert_allclose(missed, float(nodes["completeness_residual"].sum()), atol=1e-9)
    edges = sl.attribute_edges(machine.lens, [prompt], other, steps=20, **FOIL)
    assert edges.attrs["schema"] == "spiritlens.paths/1"
    assert "integrated gradients" in edges.attrs["method"]


@pytest.mark.parametrize("word", PROMISES)
def test_a_word_of_the_glossary_means_what_it_says(machine, word):
    PROMISES[word](machine, machine.text(machine.subjects[0]))


def test_every_word_of_the_glossary_is_tried():
    assert words() == list(PROMISES)


def test_components_are_transformer_lenses(machine):
    prompt = machine.prompts[0]
    _, cache = machine.lens.model.run_with_cache(prompt.tokens)
    for layer in range(machine.lens.n_layers - 1):
        here, above = (sl.components.hook_name("resid_post", layer), sl.components.hook_name("resid_pre", layer + 1))
        assert torch.equal(cache[here], cache[above])
    heads = {name: cache[sl.components.hook_name(name, 0)] for name in ("q", "k", "v", "z", "pattern")}
    assert {name: value.shape[1 if name == "pattern" else 2] for name, value in heads.items()} == dict.fromkeys(
        heads, machine.lens.n_heads
    )


def test_roles_and_parts_are_those_of_the_glossary(machine):
    listed = re.findall(r"\*\*(?:Roles|Parts)\*\* \(.*?\): (.*?)(?:;|\.\n)", GLOSSARY)
    roles, parts = (re.findall(r"`([^`]+)`", names) for names in listed)
    assert roles == list(ROLES)
    assert parts == [part for part in PARTS if part != "none"]
    for prompt in machine.prompts[::6]:
        assert len(prompt.roles) == len(prompt.ids)
        assert set(prompt.roles) <= set(roles)
        inside = [prompt.parts[place] for place in prompt.subject.positions]
        assert inside == ["first", *["middle"] * (len(inside) - 2), "last"]


def test_signs_are_those_of_the_glossary(machine):
    """TE, IE, nIE with its threshold and nTE by their formulas, from the raw values of one trace."""
    trace = sl.causal_trace(
        machine.lens,
        [machine.text(machine.subjects[0]), machine.text(machine.strangers[0])],
        sl.Grid(("resid_pre",), at="role"),
        samples=2,
        metrics=("probability", "rank", "kl"),
        progress="none",
    )
    sign = xr.DataArray([1, -1, -1], coords={"metric": ["probability", "rank", "kl"]}, dims="metric")
    total = sign * (trace["clean"] - trace["corrupted"].mean("sample"))
    np.testing.assert_allclose(sl.effects.total(trace).transpose(*total.dims), total)
    indirect = sign * (trace["restored"] - trace["corrupted"]).mean("sample")
    np.testing.assert_allclose(sl.effects.indirect(trace).transpose(*indirect.dims), indirect)
    normalised = sl.effects.normalised_indirect(trace).sel(metric="probability")
    small = np.abs(total.sel(metric="probability").values) < 0.05
    assert set(np.isnan(normalised.sel(layer=0, role="subject", component="resid_pre").values)) == set(small)
    share = sl.effects.normalised_total(trace)
    assert share["metric"].values.tolist() == ["probability"]
    np.testing.assert_allclose(share.values.ravel(), (total / trace["clean"]).sel(metric="probability").values.ravel())


def test_ate_and_aie_are_means_over_samples_then_facts(machine):
    """From the raw values of a trace of several facts: samples first, then facts; nothing is weighted."""
    chosen = [machine.text(subject) for subject in machine.subjects[:3]]
    trace = sl.causal_trace(
        machine.lens,
        chosen,
        sl.Grid(("resid_pre",), at="role"),
        samples=3,
        metrics=("probability", "kl"),
        progress="none",
    )
    sign = xr.DataArray([1, -1], coords={"metric": ["probability", "kl"]}, dims="metric")
    total = (sign * (trace["clean"] - trace["corrupted"].mean("sample"))).mean("prompt")
    ate = sl.effects.average_total(trace)
    np.testing.assert_allclose(ate["mean"].squeeze("group").transpose(*total.dims), total, atol=1e-12)
    indirect = (sign * (trace["restored"] - trace["corrupted"]).mean("sample")).mean("prompt")
    aie = sl.effects.average(trace)
    for layer in range(machine.lens.n_layers):
        for role in ("subject", "last word"):
            place = {"component": "resid_pre", "layer": layer, "role": role}
            np.testing.assert_allclose(
                aie["mean"].squeeze("group").sel(place).values, indirect.sel(place).values, atol=1e-12
            )
    assert ate["n_facts"].values.ravel().tolist() == [3, 3]


def test_axes_are_those_of_the_results_and_of_the_checked_tensors(machine):
    listed = set(re.search(r"\*\*Axes\*\*: `([^`]+)`", GLOSSARY).group(1).split())
    prompt = machine.prompts[0]
    trace = sl.causal_trace(
        machine.lens, [prompt], sl.Grid(("resid_pre",), at="span"), samples=1, metrics=("probability",), progress="none"
    )
    found = {str(axis) for axis in trace["restored"].dims}
    words = set(re.findall(r"``(\w+)``", spiritlens.shapes.__doc__.split("in speech")[0]))
    assert found <= listed
    assert listed == words
