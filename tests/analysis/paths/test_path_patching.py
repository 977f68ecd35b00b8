"""Path patching against an independent four-pass algorithm with plain hooks, in float64, and the identities of the
method."""

import itertools

import numpy as np
import pytest
import torch
from random_llamas import random_llama

from spiritlens.analysis.paths.changes import residual_changes
from spiritlens.analysis.paths.nodes import Receiver, Sender, all_receivers, all_senders
from spiritlens.analysis.paths.path_patching import path_patch
from spiritlens.analysis.paths.path_values import path_values, record_pair
from spiritlens.effects.paths import check_paths, path_change
from spiritlens.models.hooked_transformer.hooked import HookedLensModel
from spiritlens.models.planted.planted import planted
from spiritlens.models.planted.weights import CIRCUITS
from spiritlens.runs.corruptions.noise import Noise

TOLERANCE = 1e-10
L = 3

CLEAN = torch.tensor([[1, 17, 5, 33, 8, 21, 40, 9]])
CORRUPTED = torch.tensor([[1, 17, 11, 2, 8, 21, 40, 9]])


def score(logits: torch.Tensor) -> torch.Tensor:
    """Two numbers per row ``[row metric]`` of logits ``[row readout d_vocab]``."""
    return torch.stack([logits.softmax(-1)[:, :, 11].sum(1), (logits[:, :, 4] - logits[:, :, 30]).sum(1)], dim=-1)


@pytest.fixture(scope="module", params=[4, 2], ids=["MHA", "GQA"])
def llama(request):
    return random_llama(request.param)


def four_passes(llama, sender, group, positions, frozen, norms):
    """Wang et al.'s algorithm, written with nothing but hooks: base CLEAN, source CORRUPTED."""
    _, base = llama.run_with_cache(CLEAN)
    _, source = llama.run_with_cache(CORRUPTED)
    name = {
        "z": f"blocks.{sender.layer}.attn.hook_z",
        "mlp_out": f"blocks.{sender.layer}.hook_mlp_out",
        "embed": "hook_embed",
    }
    written = name[sender.component]

    def put_sender(x, hook):
        x = x.clone()
        if sender.head < 0:
            x[:, positions] = source[written][:, positions]
        else:
            x[:, positions, sender.head] = source[written][:, positions, sender.head]
        return x

    def hold(x, hook):
        return base[hook.name].clone()

    def hold_all_but_sender(x, hook):
        x = base[hook.name].clone()
        return put_sender(x, hook) if hook.name == written else x

    # pass 3: sender from the source run, frozen nodes held, receivers' inputs recorded
    hooks = []
    for layer in range(L):
        if frozen != "nothing":
            hooks.append((f"blocks.{layer}.attn.hook_z", hold_all_but_sender))
        if frozen == "heads+mlps":
            hooks.append((f"blocks.{layer}.hook_mlp_out", hold_all_but_sender))
    if frozen == "nothing" or sender.component == "embed" or (frozen == "heads" and sender.component == "mlp_out"):
        hooks.append((written, put_sender))
    streams = {}

    def remember(x, hook):
        streams[hook.name] = x.clone()
        return x

    hooks += [(f"blocks.{layer}.hook_{part}", remember) for layer in range(L) for part in ("resid_pre", "resid_mid")]
    hooks.append((f"blocks.{L - 1}.hook_resid_post", remember))
    with torch.no_grad():
        llama.run_with_hooks(CLEAN, fwd_hooks=hooks)
    # pass 4: receivers read what was recorded; everything after them runs
    final, inputs = [], {}
    for receiver in group:
        if receiver.component == "logits":
            stream = streams[f"blocks.{L - 1}.hook_resid_post"]
            scale = norm_scale(llama, base[f"blocks.{L - 1}.hook_resid_post"] if norms == "frozen" else stream)
            return score(((stream / scale * llama.ln_final.w) @ llama.W_U + llama.b_U)[:, -1:])[0]
        block = llama.blocks[receiver.layer]
        part, norm = ("resid_mid", block.ln2) if receiver.component == "mlp_in" else ("resid_pre", block.ln1)
        hook = f"blocks.{receiver.layer}.hook_{part}"
        scale = norm_scale(llama, base[hook] if norms == "frozen" else streams[hook])
        normed = streams[hook] / scale * norm.w
        if receiver.component == "mlp_in":
            inputs[f"blocks.{receiver.layer}.hook_mlp_out", None] = block.mlp(normed)
        else:
            letter = receiver.component[0]
            weight = {"q": "W_Q", "k": "_W_K" if hasattr(block.attn, "_W_K") else "W_K"}.get(
                letter, "_W_V" if hasattr(block.attn, "_W_V") else "W_V"
            )
            weights = getattr(block.attn, weight)
            inputs[f"blocks.{receiver.layer}.attn.hook_{letter}", receiver.head] = normed @ weights[receiver.head]
    for (hook, head), value in inputs.items():

        def put(x, hook, head=head, value=value):
            x = x.clone()
            if head is None:
                return value.clone()
            x[:, :, head] = value
            return x

        final.append((hook, put))
    with torch.no_grad():
        return score(llama.run_with_hooks(CLEAN, fwd_hooks=final)[:, -1:])[0]


def norm_scale(llama, x):
    return (x.pow(2).mean(-1, keepdim=True) + llama.cfg.eps).sqrt()


def values(llama, senders, groups, positions, frozen="heads+mlps", norms="recomputed", budget=None):
    model = HookedLensModel(llama)
    recorded = record_pair(model, CLEAN, None, model.embed(CORRUPTED), groups, 1)
    found = path_values(
        model, recorded, senders, groups, positions, frozen=frozen, norms=norms, score=score, memory_budget=budget
    )
    return found


@pytest.mark.parametrize("norms", ["recomputed", "frozen"])
@pytest.mark.parametrize("frozen", ["heads", "heads+mlps", "nothing"])
def test_every_edge_equals_the_four_pass_algorithm(llama, frozen, norms):
    model = HookedLensModel(llama)
    senders = [
        Sender("embed"),
        Sender("z", 0, 1),
        Sender("mlp_out", 0),
        Sender("z", 1, 3),
        Sender("mlp_out", 1),
        Sender("z", 2, 0),
    ]
    kv = model.n_kv_heads - 1
    groups = [
        (Receiver("q_input", 1, 2),),
        (Receiver("k_input", 1, kv),),
        (Receiver("v_input", 2, kv),),
        (Receiver("q_input", 2, 1),),
        (Receiver("mlp_in", 0),),
        (Receiver("mlp_in", 2),),
        (Receiver("logits"),),
        (Receiver("q_input", 1, 0), Receiver("v_input", 1, 0), Receiver("mlp_in", 2)),
    ]
    for positions in ((2,), (2, 3, 7)):
        found = values(llama, senders, groups, positions, frozen, norms)
        for (row, group), (column, sender) in itertools.product(enumerate(groups), enumerate(senders)):
            backwards = sender.stage >= max(receiver.stage(L) for receiver in group)
            if backwards:
                assert torch.isnan(found.values[row, column]).all()
                assert not found.exact[row, column]
                continue
            slow = four_passes(llama, sender, group, list(positions), frozen, norms)
            assert torch.allclose(found.values[row, column], slow, atol=TOLERANCE, rtol=0), (str(sender), group)
            if found.exact[row, column]:
                assert torch.allclose(found.values[row, column], found.base, atol=0, rtol=0)


def test_a_path_from_every_head_to_the_logits_is_its_direct_logit_attribution(llama):
    """Frozen heads, MLPs and norm scale: the change of the logit difference is the change of the head's DLA exactly."""
    model = HookedLensModel(llama)
    senders = all_senders(model)
    found = values(llama, senders, [(Receiver("logits"),)], tuple(range(8)), norms="frozen")
    _, base = llama.run_with_cache(CLEAN)
    _, source = llama.run_with_cache(CORRUPTED)
    scale = norm_scale(llama, base[f"blocks.{L - 1}.hook_resid_post"])[0, -1]
    reading = llama.ln_final.w * (llama.W_U[:, 4] - llama.W_U[:, 30]) / scale
    for column, sender in enumerate(senders):
        if sender.component != "z":
            continue
        hook = f"blocks.{sender.layer}.attn.hook_z"
        moved = (source[hook] - base[hook])[0, -1, sender.head] @ llama.blocks[sender.layer].attn.W_O[sender.head]
        change = found.values[0, column, 1] - found.base[1]
        assert torch.allclose(change, moved @ reading, atol=TOLERANCE, rtol=0)


def test_a_last_layer_head_has_no_other_path_than_the_one_that_heads_leave_open(llama):
    found = values(llama, [Sender("z", 2, 1)], [(Receiver("logits"),)], tuple(range(8)), frozen="heads")
    total = values(llama, [Sender("z", 2, 1)], [(Receiver("logits"),)], tuple(range(8)), frozen="nothing")
    direct = values(llama, [Sender("z", 2, 1)], [(Receiver("logits"),)], tuple(range(8)), frozen="heads+mlps")
    assert torch.allclose(found.values, total.values, atol=TOLERANCE, rtol=0)
    assert (found.values - direct.values).abs().max() > 1e-3  # the last MLP still follows the head


def test_patching_a_sender_with_its_own_value_changes_nothing(llama):
    model = HookedLensModel(llama)
    groups = [(receiver,) for receiver in all_receivers(model)]
    recorded = record_pair(model, CLEAN, None, None, groups, 1)
    for frozen in ("heads", "heads+mlps", "nothing"):
        found = path_values(
            model, recorded, all_senders(model), groups, range(8), frozen=frozen, norms="recomputed", score=score
        )
        change = (found.values - found.base).nan_to_num()
        assert change.abs().max() < TOLERANCE
        assert found.noise_floor.max() < TOLERANCE


def test_all_senders_with_nothing_frozen_give_the_activation_patch_of_the_receiver(llama):
    """The sum of all writers' changes is the stream of the source run: the receiver then reads what it reads there."""
    model = HookedLensModel(llama)
    recorded = record_pair(model, CLEAN, None, model.embed(CORRUPTED), [(Receiver("v_input", 2, 0),)], 1)
    _, changes = residual_changes(
        model, recorded.base, recorded.source, all_senders(model), range(8), [4], "heads+mlps"
    )
    stream = recorded.base.values["blocks.2.hook_resid_pre"] + changes[4].sum(0)
    _, source = llama.run_with_cache(CORRUPTED)
    assert torch.allclose(stream, source["blocks.2.hook_resid_pre"], atol=TOLERANCE, rtol=0)


def test_queries_and_key_together_are_the_patterns_of_their_heads(llama):
    """With everything moved upstream (resid patched), a key and the queries that read it = their patterns patched."""
    model = HookedLensModel(llama)
    shared = model.n_heads // model.n_kv_heads  # query heads of a key-value head; one under multi-head attention
    heads = range(shared, 2 * shared)
    queries = tuple(Receiver("q_input", 0, head) for head in heads)
    found = values(
        llama, [Sender("embed")], [(*queries, Receiver("k_input", 0, 1))], tuple(range(8)), frozen="heads+mlps"
    )
    _, source = llama.run_with_cache(CORRUPTED)

    def put(x, hook):
        x = x.clone()
        x[:, list(heads)] = source[hook.name][:, list(heads)]
        return x

    with torch.no_grad():
        logits = llama.run_with_hooks(CLEAN, fwd_hooks=[("blocks.0.attn.hook_pattern", put)])
    assert torch.allclose(found.values[0, 0], score(logits[:, -1:])[0], atol=TOLERANCE, rtol=0)


def test_batched_senders_and_small_memory_give_the_same_as_one_by_one(llama):
    model = HookedLensModel(llama)
    senders, groups = all_senders(model), [(receiver,) for receiver in all_receivers(model)]
    together = values(llama, senders, groups, (2, 3, 7))
    small = values(llama, senders, groups, (2, 3, 7), budget=1)
    alone = torch.cat([values(llama, [sender], groups, (2, 3, 7)).values for sender in senders], dim=1)
    assert torch.allclose(together.values, alone, atol=TOLERANCE, rtol=0, equal_nan=True)
    assert torch.allclose(together.values, small.values, atol=TOLERANCE, rtol=0, equal_nan=True)


# ---- beside a user's own hooks --------------------------------------------------------------------------------------


def bend(x, hook):
    """A user's hook: nonlinear, at an absolute position, and reading another position."""
    x = x.clone()
    x[:, 5] = (x[:, 5] + x[:, 2]).tanh()
    return x


@pytest.fixture
def bent(llama):
    """The model with `bend` live on the residual stream."""
    names = ("blocks.1.hook_resid_pre", "blocks.1.hook_resid_mid", "blocks.2.hook_resid_pre")
    for name in names:
        llama.add_hook(name, bend)
    yield llama
    for name in names:
        llama.hook_dict[name].remove_hooks(including_permanent=True, level=None)


@pytest.mark.parametrize("norms", ["recomputed", "frozen"])
@pytest.mark.parametrize("frozen", ["heads", "heads+mlps", "nothing"])
def test_a_users_own_hook_takes_effect_in_every_pass(bent, frozen, norms):
    """Against the four passes with the hook live: it moves the stream that receivers read, also across positions."""
    kv = HookedLensModel(bent).n_kv_heads - 1
    senders = [Sender("embed"), Sender("z", 0, 1), Sender("mlp_out", 0), Sender("z", 1, 3)]
    groups = [
        (Receiver("q_input", 1, 2),),
        (Receiver("v_input", 2, kv),),
        (Receiver("mlp_in", 1),),
        (Receiver("mlp_in", 2),),
        (Receiver("logits"),),
        (Receiver("q_input", 1, 0), Receiver("v_input", 2, 0), Receiver("mlp_in", 2)),
    ]
    found = values(bent, senders, groups, (2, 3), frozen, norms)
    for (row, group), (column, sender) in itertools.product(enumerate(groups), enumerate(senders)):
        if sender.stage >= max(receiver.stage(L) for receiver in group):
            assert torch.isnan(found.values[row, column]).all()
            continue
        slow = four_passes(bent, sender, group, [2, 3], frozen, norms)
        assert torch.allclose(found.values[row, column], slow, atol=TOLERANCE, rtol=0), (str(sender), group)


def test_a_users_hook_that_changes_nothing_leaves_the_closed_form(llama):
    model = HookedLensModel(llama)
    senders, groups = all_senders(model), [(receiver,) for receiver in all_receivers(model)]
    settings = [(frozen, norms) for frozen in ("heads", "heads+mlps", "nothing") for norms in ("recomputed", "frozen")]
    fast = [values(llama, senders, groups, (2, 3, 7), *setting) for setting in settings]
    llama.add_hook("blocks.0.hook_mlp_out", lambda x, hook: x)
    try:
        assert model.has_user_hooks()
        slow = [values(llama, senders, groups, (2, 3, 7), *setting) for setting in settings]
    finally:
        llama.hook_dict["blocks.0.hook_mlp_out"].remove_hooks()
    for one, other in zip(fast, slow, strict=True):
        assert torch.allclose(one.values, other.values, atol=TOLERANCE, rtol=0, equal_nan=True)
        assert other.noise_floor.max() < TOLERANCE


def test_a_query_that_a_user_holds_at_zero_receives_nothing(llama):
    def silence(x, hook):
        x = x.clone()
        x[:, :, 2] = 0
        return x

    groups = [(Receiver("q_input", 1, 2),), (Receiver("q_input", 1, 1),)]
    llama.add_hook("blocks.1.attn.hook_q", silence)
    try:
        found = values(llama, [Sender("embed"), Sender("mlp_out", 0)], groups, tuple(range(8)))
    finally:
        llama.hook_dict["blocks.1.attn.hook_q"].remove_hooks()
    change = (found.values - found.base).abs()
    assert change[0].max() < TOLERANCE
    assert change[1].max() > 1e-3


# ---- the public verb, on planted circuits ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def circuits():
    return {name: planted(name) for name in CIRCUITS}


def pick(circuit):
    """A written and a spoken prompt, with their counterfactuals."""
    chosen = [circuit.prompts[0], circuit.prompts[len(circuit.prompts) // 2 + 3]]
    return chosen, [circuit.counterfactual(prompt) for prompt in chosen]


def lit_edges(dataset, metric, least):
    """Names of the edges whose change is at least so large."""
    change = path_change(dataset).isel(prompt=0, pos=0).sel(metric=metric)
    found = set()
    for index in np.argwhere(np.abs(change.values) > least):
        cell = change[tuple(int(i) for i in index)]
        sender = Sender(str(cell.sender_component.values), int(cell.sender_layer), int(cell.sender_head))
        receiver = Receiver(str(cell.receiver_component.values), int(cell.receiver_layer), int(cell.receiver_head))
        found.add((str(sender), str(receiver)))
    return found


@pytest.mark.parametrize(
    ("name", "spoken", "metric", "least"),
    [
        ("fact machine", False, "logit_difference", 1e-3),
        ("fact machine, speech later", True, "logit_difference", 1e-3),
        ("or pair", False, "probability", 0.5),  # copies move the final norm, hence logits a little, by other paths too
        ("and pair", False, "probability", 0.5),
    ],
)
def test_path_patching_lights_exactly_the_planted_edges(circuits, name, spoken, metric, least):
    circuit = circuits[name]
    prompt = circuit.prompts[15 if spoken else 0]
    dataset = path_patch(
        circuit.lens,
        [prompt],
        [circuit.counterfactual(prompt)],
        receivers=all_receivers(circuit.lens.backend),
        base="corrupted" if circuit.truth.rule == "or" else "clean",
        metrics=(metric,),
        progress="none",
    )
    assert dataset.attrs["frozen"] == "heads+mlps"
    idle = {f"MLP{layer}" for layer in circuit.truth.fact_layers.values()} - {
        f"MLP{circuit.truth.fact_layers[prompt.kind]}"
    }
    decoy = str(circuit.truth.decoy)
    wanted = {edge for edge in circuit.truth.edges if not idle & set(edge) and not edge[1].startswith(decoy)}
    assert lit_edges(dataset, metric, least) == wanted


def test_queries_and_keys_of_the_mover_carry_nothing_and_its_value_everything(circuits):
    circuit = circuits["fact machine"]
    prompts, others = pick(circuit)
    mover, fact = circuit.truth.movers[0], circuit.truth.fact_layers["T2T"]
    inputs = ("q_input", "k_input", "v_input")
    dataset = path_patch(
        circuit.lens,
        prompts,
        others,
        senders=[Sender("mlp_out", fact)],
        receivers=[Receiver(name, mover.layer, mover.head) for name in inputs],
        at=("subject last", "last token"),
        metrics=("probability",),
        progress="none",
    )
    change = path_change(dataset).squeeze(
        ["sender_component", "sender_layer", "sender_head", "receiver_layer", "metric"]
    )
    change = change.squeeze("receiver_head").sel(receiver_component=list(inputs))
    assert np.allclose(change.isel(pos=0), [[0, 0, -1]] * 2, atol=1e-3)
    assert np.allclose(change.isel(pos=1), 0, atol=1e-3)


def test_backward_edges_are_absent_and_never_zero(circuits):
    circuit = circuits["fact machine"]
    prompts, others = pick(circuit)
    dataset = path_patch(
        circuit.lens,
        prompts,
        others,
        senders=[Sender("z", 6, 1), Sender("embed")],
        receivers=[Receiver("v_input", 6, 1), Receiver("logits")],
        progress="none",
    )
    cell = {
        "sender_component": 0,
        "sender_layer": 1,
        "sender_head": 1,
        "receiver_component": 0,
        "receiver_layer": 1,
        "receiver_head": 1,
    }
    assert (dataset["status"].isel(cell) == 3).all()
    assert np.isnan(dataset["patched"].isel(cell)).all()
    check_paths(dataset)


def test_receivers_of_an_or_pair_carry_the_fact_together_but_neither_alone(circuits):
    circuit = circuits["or pair"]
    prompts, others = pick(circuit)
    movers = [Receiver("v_input", mover.layer, mover.head) for mover in circuit.truth.movers]
    settings = {"senders": [Sender("mlp_out", 2)], "metrics": ("probability",), "progress": "none"}
    together = path_patch(circuit.lens, prompts, others, receivers=movers, receive="together", **settings)
    each = path_patch(circuit.lens, prompts, others, receivers=movers, **settings)
    assert np.allclose(path_change(together), -1, atol=1e-3)
    assert np.allclose(path_change(each), 0, atol=1e-3)
    assert str(together.receiver_component.values[0]) == "L6H1.v + L6H3.v"


def test_noise_as_contrast_is_reproducible_and_averaged(circuits):
    circuit = circuits["fact machine"]
    prompts, _ = pick(circuit)

    head = {"receivers": [Receiver("v_input", 6, 1)], "senders": [Sender("mlp_out", 2)], "metrics": ("logit",)}
    runs = [
        path_patch(circuit.lens, prompts, Noise(), samples=count, seed=3, progress="none", **head)
        for count in (1, 2, 2)
    ]
    assert np.array_equal(runs[1]["patched"], runs[2]["patched"])
    assert not np.allclose(runs[0]["patched"], runs[1]["patched"], atol=1e-3)
    assert float(path_change(runs[1]).max()) < -1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"senders": [Sender("z", 9, 0)]}, "outside the model's layers 0..7"),
        ({"senders": [Sender("z", 1, 7)]}, "outside the model's 4 heads"),
        (
            {"receivers": [Receiver("logits"), Receiver("mlp_in", 1)], "receive": "together"},
            "logits cannot be patched together",
        ),
        ({"frozen": "mlps"}, "frozen='mlps': expected one of heads"),
        ({"base": "noised"}, "base='noised'"),
        ({"norms": "folded"}, "norms='folded'"),
        ({"receive": "group"}, "receive='group': expected one of each, together"),
        ({"samples": 0}, "samples=0: expected a whole number ≥ 1"),
        ({"senders": []}, "senders is empty"),
        ({"at": ["no such span"]}, "no span 'no such span'"),
    ],
)
def test_bad_settings_are_refused(circuits, change, message):
    circuit = circuits["fact machine"]
    prompts, others = pick(circuit)
    with pytest.raises(ValueError, match=message):
        path_patch(circuit.lens, prompts, others, **{"progress": "none", **change})


def test_counterfactuals_must_fit(circuits):
    circuit = circuits["fact machine"]
    prompts, others = pick(circuit)
    with pytest.raises(ValueError, match="1 counterfactuals for 2 prompts"):
        path_patch(circuit.lens, prompts, others[:1], progress="none")
    with pytest.raises(ValueError, match="must be equally long"):
        path_patch(circuit.lens, prompts, others[::-1], progress="none")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sender("z", 1), "z needs a head"),
        (lambda: Sender("embed", 0), "embed has no layer"),
        (lambda: Sender("mlp_out", 0, 1), "mlp_out has no head"),
        (lambda: Sender("pattern", 0, 1), "sender component='pattern': expected one of embed, z"),
        (lambda: Receiver("logits", 3), "logits has no layer"),
        (lambda: Receiver("resid", 3), "receiver component='resid': expected one of q_input"),
    ],
)
def test_bad_nodes_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
