"""Causal tracing on planted circuits, whose maps are known beforehand."""

import numpy as np
import pytest

from spiritlens.analysis.grid.grid import Grid
from spiritlens.analysis.tracing.causal_tracing import causal_trace
from spiritlens.models.planted.planted import planted
from spiritlens.runs.corruptions.replacement import Replacement

NEAR = 0.01


def chosen(circuit):
    """A written and a spoken prompt."""
    return [next(prompt for prompt in circuit.prompts if prompt.kind == kind) for kind in ("T2T", "S2T")]


def trace(circuit, prompt, components, **grid):
    """Shares of the total effect, ``[component layer role (head)]``: the subject swapped for another prompt's."""
    corruption = Replacement("symmetric", (circuit.counterfactual(prompt),))
    effects = causal_trace(
        circuit.lens, [prompt], Grid(components, at="role", **grid), corruption=corruption, samples=1, progress="none"
    ).sel(prompt=0, metric="probability", sample=0)
    assert float(effects.clean) > 0.99
    assert float(effects.corrupted) < 0.01
    noising = grid.get("direction") == "noising"
    return effects.clean - effects.restored if noising else effects.restored - effects.corrupted


def layers_on(values) -> list[int]:
    """Layers at which the share is one; it is zero at all others."""
    found = values.values
    assert (np.minimum(np.abs(found), np.abs(found - 1)) < NEAR).all(), found
    return np.flatnonzero(found > 0.5).tolist()


@pytest.mark.parametrize("name", ["fact machine", "fact machine, speech later"])
def test_fact_machine(name) -> None:
    circuit = planted(name)
    (mover,) = circuit.truth.movers
    for prompt in chosen(circuit):
        fact, last = circuit.truth.fact_layers[prompt.kind], "final marker"
        shares = trace(circuit, prompt, ("resid_pre", "mlp_out", "attn_out"), window=1)
        n_layers = shares.sizes["layer"]
        by = shares.sel
        assert layers_on(by(component="resid_pre", role="subject")) == list(range(mover.layer + 1))
        assert layers_on(by(component="resid_pre", role=last)) == list(range(mover.layer + 1, n_layers))
        assert layers_on(by(component="mlp_out", role="subject")) == [fact]
        assert layers_on(by(component="attn_out", role=last)) == [mover.layer]
        assert layers_on(by(component="mlp_out", role=last)) == []


def test_windows_light_where_they_hold_the_fact_layer() -> None:
    circuit = planted("fact machine")
    prompt = chosen(circuit)[0]
    fact = circuit.truth.fact_layers["T2T"]
    found = layers_on(trace(circuit, prompt, ("mlp_out",), window=3).sel(component="mlp_out", role="subject"))
    assert found == [layer for layer in range(8) if max(0, layer - 1) <= fact <= min(7, layer + 1)]


def test_severing_the_mlp_cuts_recall_before_the_fact_layer() -> None:
    circuit = planted("fact machine")
    (mover,) = circuit.truth.movers
    for prompt in chosen(circuit):
        fact = circuit.truth.fact_layers[prompt.kind]
        shares = trace(circuit, prompt, ("resid_pre",), sever="mlp").sel(component="resid_pre", role="subject")
        assert layers_on(shares) == list(range(fact + 1, mover.layer + 1))


def test_single_units_carry_less_than_the_whole_subject() -> None:
    """The confound that spans remove: before its units are merged, no single unit restores the spoken subject."""
    circuit = planted("fact machine")
    prompt = chosen(circuit)[1]
    corruption = Replacement("symmetric", (circuit.counterfactual(prompt),))
    effects = causal_trace(
        circuit.lens, [prompt], ("resid_pre",), corruption=corruption, samples=1, progress="none"
    ).sel(prompt=0, metric="probability", sample=0, layer=0, component="resid_pre")
    single = (effects.restored - effects.corrupted).values[list(prompt.subject.positions)]
    assert single.max() < 0.5
    whole = trace(circuit, prompt, ("resid_pre",)).sel(component="resid_pre", role="subject", layer=0)
    assert float(whole) > 0.99


@pytest.mark.parametrize(("name", "denoising", "noising"), [("or pair", 1, 0), ("and pair", 0, 1)])
def test_pairs_of_heads_show_why_the_direction_matters(name, denoising, noising) -> None:
    circuit = planted(name)
    prompt = chosen(circuit)[0]
    last = prompt.roles[-1]
    for direction, wanted in (("denoising", denoising), ("noising", noising)):
        shares = trace(circuit, prompt, ("z",), direction=direction)
        for head in circuit.truth.movers:
            found = float(shares.sel(component="z", layer=head.layer, role=last, head=head.head))
            assert found == pytest.approx(wanted, abs=NEAR), direction
