"""Path patching as it is called, on planted circuits."""

import json
from dataclasses import replace

import numpy as np
import pytest
from paths_by_hooks import pick

from spiritlens.analysis.grid.grid import Draws
from spiritlens.analysis.paths.nodes import Receiver, Sender, all_receivers
from spiritlens.analysis.paths.path_patching import path_patch
from spiritlens.analysis.paths.paths import Paths
from spiritlens.effects.paths import path_change
from spiritlens.runs.corruptions.noise import Noise
from spiritlens.runs.metrics import Metric


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
        Paths(
            receivers=all_receivers(circuit.lens.backend), base="corrupted" if circuit.truth.rule == "or" else "clean"
        ),
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
        Paths(
            senders=[Sender("mlp_out", fact)],
            receivers=[Receiver(name, mover.layer, mover.head) for name in inputs],
            at=("subject last", "last token"),
        ),
        metrics=("probability",),
        progress="none",
    )
    change = path_change(dataset).squeeze(
        ["sender_component", "sender_layer", "sender_head", "receiver_layer", "metric"]
    )
    change = change.squeeze("receiver_head").sel(receiver_component=list(inputs))
    assert np.allclose(change.isel(pos=0), [[0, 0, -1]] * 2, atol=1e-3)
    assert np.allclose(change.isel(pos=1), 0, atol=1e-3)


def test_receivers_of_an_or_pair_carry_the_fact_together_but_neither_alone(circuits):
    circuit = circuits["or pair"]
    prompts, others = pick(circuit)
    movers = [Receiver("v_input", mover.layer, mover.head) for mover in circuit.truth.movers]
    settings = {"metrics": ("probability",), "progress": "none"}
    paths = Paths([Sender("mlp_out", 2)], movers)
    together = path_patch(circuit.lens, prompts, others, replace(paths, receive="together"), **settings)
    each = path_patch(circuit.lens, prompts, others, paths, **settings)
    assert np.allclose(path_change(together), -1, atol=1e-3)
    assert np.allclose(path_change(each), 0, atol=1e-3)
    assert str(together.receiver_component.values[0]) == "L6H1.v + L6H3.v"


def test_noise_as_contrast_is_reproducible_and_averaged(circuits):
    circuit = circuits["fact machine"]
    prompts, _ = pick(circuit)

    paths = Paths([Sender("mlp_out", 2)], [Receiver("v_input", 6, 1)])
    runs = [
        path_patch(circuit.lens, prompts, Noise(), paths, ("logit",), samples=Draws(count, seed=3), progress="none")
        for count in (1, 2, 2)
    ]
    assert np.array_equal(runs[1]["patched"], runs[2]["patched"])
    assert not np.allclose(runs[0]["patched"], runs[1]["patched"], atol=1e-3)
    assert float(path_change(runs[1]).max()) < -1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"paths": Paths([Sender("z", 9, 0)])}, "outside the model's layers 0..7"),
        ({"paths": Paths([Sender("z", 1, 7)])}, "outside the model's 4 heads"),
        (
            {"paths": Paths(receivers=[Receiver("logits"), Receiver("mlp_in", 1)], receive="together")},
            "logits cannot be patched together",
        ),
        ({"paths": [Sender("embed")]}, r"paths=\[.* \(list\): expected Paths, such as Paths\(receivers="),
        ({"samples": 0}, "samples=0: expected a whole number ≥ 1"),
        ({"paths": Paths(at=["no such span"])}, "no span 'no such span'"),
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


def test_a_metric_of_ones_own_gives_what_the_same_built_in_one_gives(circuits):
    circuit = circuits["fact machine"]
    prompts, others = pick(circuit)
    own = Metric("own logit", lambda logits, prompt: logits[:, 0, prompt.answer_ids[0]], unit="logits")
    found = path_patch(circuit.lens, prompts, others, metrics=("logit", own), progress="none")
    assert np.array_equal(
        found["patched"].sel(metric="own logit"), found["patched"].sel(metric="logit"), equal_nan=True
    )
    assert found["metric_unit"].values.tolist() == ["logits", "logits"]
    assert json.loads(found.attrs["config_json"])["own_metrics"].keys() == {"own logit"}
