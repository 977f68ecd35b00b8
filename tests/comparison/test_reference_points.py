"""Agreement with a floor and a ceiling: each row's words, and random models that are told from nothing."""

import numpy as np
import pytest
import scipy.stats

from spiritlens.comparison.agreement import Agreement, population_agreement
from spiritlens.comparison.fact_maps import fact_maps
from spiritlens.comparison.reference_points import agreement_table, shifted_agreements

FACTS = range(24)


def agreement(first: np.ndarray, second: np.ndarray, noise: float = 0.5, seed: int = 0) -> Agreement:
    rng = np.random.default_rng(seed)
    return population_agreement(
        fact_maps(*(one + noise * rng.normal(size=(24, one.size)) for one in (first.ravel(), second.ravel())), FACTS)
    )


BUMP = np.exp(-((np.arange(16) - 6.0) ** 2) / 8)
HERE = np.stack([BUMP, BUMP[::-1], np.zeros(16)])  # [role layer]
ELSEWHERE = HERE[[1, 2, 0]]


def test_measured_agreement_between_its_floor_and_its_ceiling() -> None:
    table = agreement_table(
        agreement(HERE, HERE, 0.1),
        ceilings={"two voices": agreement(HERE, HERE, 0.1, seed=1)},
        floors={
            "control": agreement(0 * HERE, 0 * HERE, 0.1, seed=2),
            "unknown facts": agreement(HERE, ELSEWHERE, 0.1, seed=3),
        },
    )
    found = {row.name: row.relation for row in table.rows}
    assert found == {"two voices": "reached", "both modalities": "", "control": "no map", "unknown facts": "above"}
    assert table.beyond_floors
    assert [row["part"] for row in table.table()] == ["ceiling", "measured", "floor", "floor"]
    assert table.table()[2]["r"] == "–"


def test_a_floor_that_agrees_as_far_is_said() -> None:
    table = agreement_table(agreement(HERE, HERE, 0.1), floors={"unknown facts": agreement(HERE, HERE, 0.1, seed=1)})
    assert table.rows[1].relation == "not above"
    assert table.strength == "closely"
    assert not table.beyond_floors


def test_less_than_two_voices_agree() -> None:
    part = 0.6 * HERE + 0.4 * ELSEWHERE
    table = agreement_table(agreement(HERE, part, 0.1), ceilings={"two voices": agreement(HERE, HERE, 0.1, seed=1)})
    assert table.rows[0].relation == "below"
    wide = agreement_table(
        agreement(HERE, part, 0.1), ceilings={"two voices": agreement(HERE, HERE, 0.1, seed=1)}, margin=0.9
    )
    assert wide.rows[0].relation == "reached"
    noisy = agreement_table(agreement(HERE, HERE), ceilings={"two voices": agreement(HERE, HERE, seed=1)}, margin=1e-3)
    assert noisy.rows[0].relation == "undecided"


def test_without_a_floor_nothing_is_beyond_it() -> None:
    assert not agreement_table(agreement(HERE, HERE, 0.1)).beyond_floors


def test_the_same_facts_are_compared_fact_by_fact() -> None:
    """A floor of the very same maps lies exactly at the measured agreement, without any doubt."""
    one = agreement(HERE, HERE)
    row = agreement_table(one, floors={"itself": one}).rows[1]
    assert (row.difference, row.difference_low, row.difference_high) == (0.0, 0.0, 0.0)


def test_maps_agree_to_within_so_many_layers() -> None:
    rng = np.random.default_rng(1)
    first, second = HERE + 0.1 * rng.normal(size=(2, 24, 3, 16))
    shifts = shifted_agreements(first, second, FACTS, shifts=(-3, -2, -1, 0, 1, 2, 3, 16))
    assert list(shifts) == [-3, -2, -1, 1, 2, 3]
    measured = population_agreement(fact_maps(first, second, FACTS))
    table = agreement_table(measured, shifts=shifts)
    assert (table.resolution, table.beyond_floors) == (1.0, True)
    assert [row.name for row in table.rows[1:3]] == ["-3 layers", "-2 layers"]
    flat = np.broadcast_to(HERE.mean(axis=1, keepdims=True) + np.arange(3.0)[:, None], HERE.shape)
    first, second = flat + 0.1 * rng.normal(size=(2, 24, 3, 16))
    alike = agreement_table(
        population_agreement(fact_maps(first, second, FACTS)), shifts=shifted_agreements(first, second, FACTS)
    )
    assert np.isnan(alike.resolution)
    assert not alike.beyond_floors


def test_the_bound_of_twins_by_hand() -> None:
    twins = [agreement(HERE, HERE + k * ELSEWHERE, 0.05, seed=k) for k in range(2, 6)]
    values = [one.value for one in twins]
    row = agreement_table(agreement(HERE, HERE, 0.05), twins=twins).rows[-1]
    bound = np.mean(values) + scipy.stats.t.ppf(0.95, 3) * np.std(values, ddof=1) * np.sqrt(5 / 4)
    assert (row.value, row.high, row.n) == pytest.approx((np.mean(values), bound, 4))
    assert row.relation == "above"
    assert agreement_table(agreement(HERE, HERE), twins=twins[:2]).rows[-1].relation == "too few"
    empty = [agreement(0 * HERE, HERE, seed=seed) for seed in range(3)]
    assert agreement_table(agreement(HERE, HERE), twins=empty).rows[-1].relation == "no map"
    assert agreement_table(agreement(HERE, HERE), twins=empty[:2]).rows[-1].relation == "too few"
    assert agreement_table(agreement(HERE, HERE, 0.05), twins=[*twins, *empty]).rows[-1].high == row.high


def test_of_many_twins_the_bound_is_one_of_them() -> None:
    twins = [agreement(HERE, HERE + 0.1 * k * ELSEWHERE, 0.05, seed=k) for k in range(1, 40)]
    ordered = sorted(one.value for one in twins)
    assert agreement_table(twins[0], twins=twins[-19:]).rows[-1].high == max(one.value for one in twins[-19:])
    assert agreement_table(twins[0], twins=twins).rows[-1].high == ordered[37]  # 0.95 · 40 = 38th of 39


def test_random_models_are_not_said_to_agree() -> None:
    """Models whose maps fall at the subject and rise at the read-out, as random ones do, each otherwise its own."""
    rng = np.random.default_rng(2)
    shape = np.stack([np.linspace(1, 0, 12), np.linspace(0, 1, 12), np.zeros(12)])
    said = closely = 0
    for trial in range(60):
        models = [
            agreement(*(shape + rng.uniform(0.1, 0.4) * rng.normal(size=(2, 3, 12))), 0.3, seed=1000 * trial + k)
            for k in range(6)
        ]
        table = agreement_table(models[0], twins=models[1:])
        said += table.beyond_floors
        closely += table.strength != "not shown"
    assert closely == 60
    assert said <= 3
