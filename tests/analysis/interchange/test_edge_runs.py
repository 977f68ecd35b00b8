"""Sets of edges removed, against hooks on the input of every reader by itself."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import spiritlens as sl
from spiritlens.analysis.grid.grid import Draws
from spiritlens.analysis.interchange.edge_runs import EDGE_COMPONENTS, EdgeSets, edges_of
from spiritlens.analysis.interchange.set_runs import StandIns
from spiritlens.analysis.paths.nodes import all_senders
from spiritlens.runs.metrics import METRIC_NAMED
from tests.analysis.tracing_lens import TinyLens, make_prompt, spoken_prompt, text_prompt, tiny_lens

METRIC = METRIC_NAMED["logit_difference"]
L, H = 3, 4
NODE = ("component", "layer", "head")


@pytest.fixture(scope="module", params=[4, 2], ids=["MHA", "GQA"])
def lens(request):
    return tiny_lens(request.param)


def references():
    other = make_prompt((1, 30, 7, 21, 19, 5, 24, 13), (-1, -1, 0, 1, 2, 2, 3, 4), (4, 5), (12,))
    third = make_prompt((1, 30, 8, 20, 17, 6, 24, 11), (-1, -1, 0, 1, 2, 2, 3, 4), (4, 5), (13,))
    return text_prompt(), other, third


def runs_of(lens, prompts, removed="mean", samples=1):
    stand_ins = StandIns(lens, tuple(prompts), removed, EDGE_COMPONENTS, Draws(samples))
    return EdgeSets(stand_ins, edges_of(lens.backend), METRIC)


def stand_ins_by_hand(lens, prompts, prompt):
    """What each node writes on average at tokens of a role in the other prompts, by name ``[pos d_model]``."""
    others = [one for one in prompts if one.subject.name != prompt.subject.name]

    def writes(one):
        cache = lens.backend.model.run_with_cache(one.tokens)[1]
        found = {"embed": cache["hook_embed"][0]}
        for layer in range(L):
            for head in range(H):
                found[f"L{layer}H{head}"] = (
                    cache[f"blocks.{layer}.attn.hook_z"][0, :, head] @ lens.backend.w_o(layer)[head]
                )
            found[f"MLP{layer}"] = cache[f"blocks.{layer}.hook_mlp_out"][0]
        return found

    with torch.no_grad():
        there = [writes(one) for one in others]
    return {
        name: torch.stack(
            [
                torch.stack(
                    [
                        found[name][place]
                        for one, found in zip(others, there, strict=True)
                        for place in range(len(one))
                        if one.roles[place] == role
                    ]
                ).mean(0)
                for role in prompt.roles
            ]
        )
        for name in there[0]
    }


def by_hand(lens, prompts, prompt, removed):
    """Logits of a run in which every reader's input is made of the writes so far, edge by edge, one layer at a time.

    TransformerLens gives each head an input of its own (`use_split_qkv_input`); heads that share keys share a reader.
    """
    model, groups = lens.backend.model, lens.backend.n_heads // lens.backend.n_kv_heads
    other = stand_ins_by_hand(lens, prompts, prompt)
    cut = {(str(edge.sender), str(edge.receiver)) for edge in removed}
    written, state = {}, SimpleNamespace(order=["embed"])

    def stream(reader):
        total = 0
        for name in state.order:
            value = written[name].clone()
            if (name, reader) in cut:
                value[1:] = other[name][1:]
            total = total + value
        return total

    def read(letter, layer):
        def hook(x, hook):
            x = x.clone()
            for head in range(x.shape[2]):
                number = head if letter == "q" or x.shape[2] == lens.backend.n_kv_heads else head // groups
                x[0, :, head] = stream(f"L{layer}H{number}.{letter}")
            return x

        return hook

    def note_heads(layer):
        def hook(x, hook):
            for head in range(H):
                written[f"L{layer}H{head}"] = x[0, :, head] @ lens.backend.w_o(layer)[head]
                state.order.append(f"L{layer}H{head}")
            return x

        return hook

    def note_mlp(layer):
        def hook(x, hook):
            written[f"MLP{layer}"] = x[0]
            state.order.append(f"MLP{layer}")
            return x

        return hook

    def note_embedding(x, hook):
        written["embed"] = x[0]
        return x

    hooks = [("hook_embed", note_embedding)]
    for layer in range(L):
        hooks += [(f"blocks.{layer}.hook_{letter}_input", read(letter, layer)) for letter in "qkv"]
        hooks += [
            (f"blocks.{layer}.attn.hook_z", note_heads(layer)),
            (f"blocks.{layer}.hook_mlp_in", lambda x, hook, layer=layer: stream(f"MLP{layer}")[None]),
            (f"blocks.{layer}.hook_mlp_out", note_mlp(layer)),
        ]
    hooks.append((f"blocks.{L - 1}.hook_resid_post", lambda x, hook: stream("logits")[None]))
    model.set_use_split_qkv_input(True)
    model.set_use_hook_mlp_in(True)
    try:
        with torch.no_grad():
            logits = model.run_with_hooks(prompt.tokens, fwd_hooks=hooks)[0, -1]
    finally:
        model.set_use_split_qkv_input(False)
        model.set_use_hook_mlp_in(False)
    return float(logits[prompt.answer_ids[0]] - logits[prompt.foil_ids[0]])


def test_sets_of_edges_are_those_of_hooks_on_each_reader(lens) -> None:
    prompts = references()
    runs, draw = runs_of(lens, prompts), np.random.default_rng(1)
    sets = [np.flatnonzero(draw.random(len(runs.edges)) < share).tolist() for share in (0.02, 0.3, 0.5, 0.9)]
    found = runs.values(prompts[0], sets)
    slow = [by_hand(lens, prompts, prompts[0], [runs.edges[number] for number in numbers]) for numbers in sets]
    np.testing.assert_allclose(found.values, slow, atol=1e-10)
    assert len({round(value, 6) for value in slow}) == len(slow)


def test_one_edge_removed_is_a_patched_path(lens) -> None:
    """Where another prompt's values stand in, an edge alone is what path patching knows as such."""
    prompt, other = references()[:2]
    record = lens.backend.model.run_with_cache(other.tokens)[1]

    class OfOther(StandIns):
        def of(self, component, prompt, positions, like):
            names = {"embed": "hook_embed", "z": "blocks.{}.attn.hook_z", "mlp_out": "blocks.{}.hook_mlp_out"}
            return [record[names[component].format(layer)] for layer in range(len(like))]

    edges = edges_of(lens.backend)
    found = EdgeSets(OfOther(lens, (prompt,), "zero", EDGE_COMPONENTS, Draws(1)), edges, METRIC)
    numbers = range(0, len(edges), 5)
    values = found.values(prompt, [(number,) for number in numbers]).values
    senders, receivers = (tuple(dict.fromkeys(getattr(edge, end) for edge in edges)) for end in ("sender", "receiver"))
    paths = sl.paths.Paths(senders, receivers, at=("all but the beginning",))
    slow = sl.path_patch(lens, [prompt], [other], paths, ("logit_difference",), progress="none")["patched"]
    for number, value in zip(numbers, values, strict=True):
        ends = {"sender": edges[number].sender, "receiver": edges[number].receiver}
        place = {f"{end}_{axis}": getattr(node, axis) for end, node in ends.items() for axis in NODE}
        assert value == pytest.approx(float(slow.sel(place).item()), abs=1e-10)


def test_no_edge_removed_is_the_model_and_without_any_nothing_of_the_prompt_is_left(lens) -> None:
    prompts = references()
    runs = runs_of(lens, prompts)
    found = runs.values(prompts[0], [(), range(len(runs.edges))])
    assert found.values[0] == pytest.approx(found.clean, abs=1e-10)
    assert found.noise_floor < 1e-10
    assert found.values[1] == pytest.approx(found.empty, abs=1e-10)
    same_roles = make_prompt((1, 30, 3, 6, 9, 16, 5, 25), (-1, -1, 0, 1, 2, 2, 3, 4), (4, 5))
    there = runs_of(lens, (same_roles, *prompts[1:])).values(same_roles, [range(len(runs.edges))])
    assert there.empty == pytest.approx(found.empty, abs=1e-10)
    assert abs(there.clean - found.clean) > 1e-6


def test_edges_run_forward_and_are_all_there_once(lens) -> None:
    model, edges = lens.backend, edges_of(lens.backend)
    assert len({edge.name for edge in edges}) == len(edges)
    readers = dict.fromkeys(range(L), model.n_heads + 2 * model.n_kv_heads)
    before = {layer: 1 + layer * (H + 1) for layer in range(L)}
    assert len(edges) == sum(readers[at] * before[at] + before[at] + H for at in range(L)) + len(all_senders(model))
    assert all(edge.sender.stage < edge.receiver.stage(L) for edge in edges)


def test_answers_of_several_tokens_zeros_and_small_memory(lens) -> None:
    prompts = [spoken_prompt(answer_ids=(11, 7), foil_ids=(4, 9))]
    runs = runs_of(lens, prompts, removed="zero")
    sets = [(3, 5), (), tuple(range(0, len(runs.edges), 2))]
    found = runs.values(prompts[0], sets)
    assert found.values[1] == pytest.approx(found.clean, abs=1e-10)
    object.__setattr__(lens, "memory_budget", 1)
    try:
        again = runs.values(prompts[0], sets)
    finally:
        object.__setattr__(lens, "memory_budget", None)
    np.testing.assert_allclose(again.values, found.values, atol=1e-12)


def test_resampled_edges_are_a_mean_over_samples(lens) -> None:
    prompts = references()
    sets = [tuple(range(0, 60, 3))]
    three = runs_of(lens, prompts, "resample", 3).values(prompts[0], sets)
    assert three.values[0] == runs_of(lens, prompts, "resample", 3).values(prompts[0], sets).values[0]
    assert three.values[0] != pytest.approx(runs_of(lens, prompts, "resample").values(prompts[0], sets).values[0])


def test_readers_that_are_run_one_by_one_give_the_same(lens):
    """Sets of no edge, one, some of many readers, all: whatever the memory budget holds at once."""
    prompts = references()
    runs = runs_of(lens, prompts)
    n_edges = len(runs.edges)
    sets = [(), (5,), (0, n_edges // 2, n_edges - 1), range(0, n_edges, 3), range(n_edges)]
    few = TinyLens(lens.inside, memory_budget=1)
    alone = runs_of(few, prompts)
    assert runs.readers_at_once(len(prompts[0]), 1) == 1 < runs.readers_at_once(len(prompts[0]), 1 << 30)
    np.testing.assert_allclose(
        alone.values(prompts[0], sets).values, runs.values(prompts[0], sets).values, rtol=0, atol=1e-10
    )
