"""The headline comparison on circuits whose truth is known: same layers in text and speech, or speech three later."""

import pytest

from spiritlens.analysis.grid.grid import Grid
from spiritlens.analysis.patching.activation_patching import activation_patch
from spiritlens.comparison.compare import compare
from spiritlens.comparison.result import Comparison
from spiritlens.models.planted.planted import planted

DIFFERENCES = ("more in speech", "less in speech", "later in speech", "earlier in speech")


def compared(name: str) -> Comparison:
    """Roles restored after the subject was swapped for another, in both modalities."""
    machine = planted(name)  # type: ignore[arg-type]
    contrast = [machine.counterfactual(prompt) for prompt in machine.prompts]
    effects = activation_patch(
        machine.lens,
        machine.prompts,
        contrast,
        Grid(("resid_pre", "mlp_out", "attn_out"), at="role"),
        metrics=("probability",),
        progress="none",
    )
    return compare(effects)


@pytest.fixture(scope="module")
def same() -> Comparison:
    return compared("fact machine")


@pytest.fixture(scope="module")
def later() -> Comparison:
    return compared("fact machine, speech later")


def test_the_same_circuit_gives_the_same_maps(same: Comparison) -> None:
    assert same.n_facts == 12
    for one in same.components:
        assert one.r.value == pytest.approx(1, abs=1e-3)
    assert same["mlp_out"].peak_shift.value == 0
    assert same["mlp_out"].centre_shift.value == pytest.approx(0, abs=1e-3)
    assert same["resid_pre"].handover_shift.value == pytest.approx(0, abs=1e-2)
    text = " ".join(same.findings)
    assert not any(words in text for words in DIFFERENCES)
    assert "and agree" not in text  # no floor of another run was given


def test_a_later_speech_mlp_is_recovered_as_a_shift_of_three(later: Comparison) -> None:
    assert later["mlp_out"].peak_shift.value == 3
    assert later["mlp_out"].peak_shift.low == later["mlp_out"].peak_shift.high == 3
    assert later["mlp_out"].centre_shift.value == pytest.approx(3, abs=1e-2)
    assert later["mlp_out"].r.value < 0.2
    assert "3.00 [3.00, 3.00] layers later in speech" in " ".join(later.findings)


def test_what_did_not_move_is_not_said_to_move(later: Comparison) -> None:
    assert later["attn_out"].r.value == pytest.approx(1, abs=1e-3)
    assert later["resid_pre"].handover_shift.value == pytest.approx(0, abs=1e-2)
