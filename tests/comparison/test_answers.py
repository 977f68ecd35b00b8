"""What the answers of facts must be: one of each fact, and not one of all."""

import numpy as np
import xarray as xr

from experiments.sentence_calibration import mechanism, simulated, told
from spiritlens.comparison.answers import no_recall
from spiritlens.comparison.compare import compare

KINDS = ("T2T", "S2T")


def answered(effects: xr.Dataset, answers: list[str]) -> xr.Dataset:
    return effects.assign_coords(answer=("prompt", answers))


def made() -> xr.Dataset:
    """24 facts, written and spoken by turns, with three layers between the modalities."""
    return simulated(np.random.default_rng(0), mechanism(), mechanism(subject=6.0))


def test_facts_with_an_answer_of_their_own_pass() -> None:
    assert no_recall(made(), KINDS) == ""
    spelt = [f"{' Paris ' if place % 2 else 'paris'} {place // 2}" for place in range(48)]
    assert no_recall(answered(made(), spelt), KINDS) == ""
    assert no_recall(answered(made(), [""] * 48), KINDS) == ""  # of what is not written down nothing is known


def test_what_is_said_in_writing_and_another_thing_in_speech_is_no_fact() -> None:
    answers = [f"answer {place}" if place < 4 else f"answer {place // 2}" for place in range(48)]
    comparison = compare(answered(made(), answers))
    assert comparison.closed.startswith("2 of 24 facts have other answers in T2T than in S2T")
    assert "later in speech" not in told(comparison)
    assert comparison["mlp_out"].centre_shift.value > 1  # the numbers stand
    unknown = np.where(np.arange(48) < 4, 0, 1)  # of the two facts
    left_out = answered(made(), answers).assign_coords(known=("prompt", unknown))
    assert compare(left_out).closed == ""


def test_one_answer_to_everything_needs_no_recall() -> None:
    answers = ["the"] * 44 + [f"answer {place // 2}" for place in range(4)]
    assert "22 of 24 subjects have the answer 'the'" in no_recall(answered(made(), answers), KINDS)
    some = ["the"] * 40 + [f"answer {place // 2}" for place in range(8)]
    assert no_recall(answered(made(), some), KINDS) == ""
