"""Components of variance: the analysis of variance by hand, pairs one by one, and planted designs."""

from itertools import combinations

import numpy as np
import pytest

from spiritlens.effects.variance import more_levels, pair_means, variance_components


def test_a_nested_design_by_hand() -> None:
    """Two facts of three rows: 1 2 3 and 7 8 9. Within: 1. Between: mean square 54, (54 − 1)/3."""
    found = variance_components([1, 2, 3, 7, 8, 9], {"fact": list("aaabbb")})
    assert found["remainder"].variance == pytest.approx(1)
    assert found["fact"].variance == pytest.approx(53 / 3)
    assert found.mean == 5
    assert found.variance_of_mean == pytest.approx(53 / 3 / 2 + 1 / 6)  # = mean square between / 6 rows
    assert found.variance_of_mean == pytest.approx(54 / 6)
    assert found["fact"].share == pytest.approx(53 / 56)
    assert found["fact"].share_of_mean == pytest.approx(53 / 54)
    assert found.limiting == "fact"
    assert found["fact"].more == 6  # 8 facts and their rows: a quarter of the variance
    assert found["remainder"].more == np.inf


def test_a_crossed_design_is_the_analysis_of_variance() -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(9, 1)) + 0.5 * rng.normal(size=(1, 5)) + 0.3 * rng.normal(size=(9, 5))
    facts, voices = (place.reshape(-1) for place in np.indices(table.shape))
    found = variance_components(table.reshape(-1), {"fact": facts, "voice": voices})
    by_fact, by_voice = table.mean(axis=1, keepdims=True), table.mean(axis=0, keepdims=True)
    rest = ((table - by_fact - by_voice + table.mean()) ** 2).sum() / (8 * 4)
    assert found["remainder"].variance == pytest.approx(rest)
    assert found["fact"].variance == pytest.approx(float(by_fact.var(ddof=1)) - rest / 5)
    assert found["voice"].variance == pytest.approx(float(by_voice.var(ddof=1)) - rest / 9)


def test_pairs_one_by_one() -> None:
    rng = np.random.default_rng(1)
    values, codes = rng.normal(size=25), [rng.integers(0, 4, 25), rng.integers(0, 3, 25), np.arange(25)]
    differ, counts, means = pair_means(values, codes)
    found = {tuple(row): (count, mean) for row, count, mean in zip(differ.tolist(), counts, means, strict=True)}
    expected: dict[tuple[float, ...], list[float]] = {}
    for one, other in combinations(range(25), 2):
        kind = tuple(float(code[one] != code[other]) for code in codes)
        expected.setdefault(kind, []).append((values[one] - values[other]) ** 2 / 2)
    assert set(found) == set(expected)
    for kind, squares in expected.items():
        assert found[kind][0] == pytest.approx(len(squares))
        assert found[kind][1] == pytest.approx(np.mean(squares))


def test_planted_components_of_an_unbalanced_design_are_recovered() -> None:
    truth = {"relation": 0.5, "subject": 0.3, "fact": 1.0, "voice": 0.4, "phrasing": 0.2, "remainder": 0.3}
    found = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        rows = [
            (relation, (5 * relation + fact) % 40, 100 * relation + fact, voice, 10 * relation + phrasing)
            for relation in range(14)
            for fact in range(8)
            for voice in range(8)
            for phrasing in range(2)
            if rng.random() < 0.5
        ]
        labels = dict(zip(list(truth)[:-1], np.array(rows).T, strict=True))
        values = rng.normal(0, np.sqrt(truth["remainder"]), len(rows))
        for name, code in labels.items():
            values += rng.normal(0, np.sqrt(truth[name]), int(code.max()) + 1)[code]
        found.append([variance_components(values, labels)[name].variance for name in truth])
    error = np.std(found, axis=0) / np.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - list(truth.values())) < 3.5 * error + 0.01).all()
    assert (error < 0.12).all()


def test_the_variance_of_the_mean_is_that_of_new_studies() -> None:
    means, told = [], []
    facts, voices = (place.reshape(-1) for place in np.indices((30, 4)))
    for seed in range(200):
        rng = np.random.default_rng(seed)
        values = rng.normal(size=30)[facts] + 0.5 * rng.normal(size=4)[voices] + 0.5 * rng.normal(size=120)
        found = variance_components(values, {"fact": facts, "voice": voices})
        means.append(found.mean)
        told.append(found.variance_of_mean)
    assert np.mean(told) == pytest.approx(np.var(means), rel=0.25)


def test_one_voice_is_unknown_and_not_nothing() -> None:
    found = variance_components([1.0, 2, 4, 8], {"fact": [0, 0, 1, 1], "voice": ["a"] * 4})
    assert np.isnan([found["voice"].variance, found["voice"].share, found["voice"].more]).all()
    assert found["voice"].n_levels == 1
    assert found.unknown == ("voice",)
    assert "unknown" in repr(found["voice"])
    assert repr(found["fact"]).startswith("fact: 2 levels, ")


def test_sources_whose_levels_coincide_are_one() -> None:
    found = variance_components([1.0, 2, 4, 8], {"subject": list("aabb"), "fact": list("xxyy")})
    assert [one.source for one in found.components] == ["subject = fact", "remainder"]
    assert found["fact"] is found["subject"]
    with pytest.raises(KeyError, match="'voice' is none of"):
        found["voice"]


def test_facts_weigh_the_same_in_the_mean() -> None:
    found = variance_components([1.0, 1.2, 0.8, 5], {"fact": list("aaab")})
    assert found.mean == pytest.approx(3)
    assert found["fact"].effective == pytest.approx(2)
    assert found["remainder"].effective == pytest.approx(1 / (3 / 36 + 1 / 4))


def test_a_plan_by_hand() -> None:
    """Facts bring 3 (with their samples), voices 1: of 4 a quarter is 1, so voices alone never do, nor do facts."""
    assert more_levels({"fact": 2.0, "sample": 1.0, "voice": 1.0}, ["fact", "sample"], 10) == np.inf
    assert more_levels({"fact": 3.0, "voice": 0.2}, ["fact"], 10) == 40  # 3.2 / 4 − 0.2 = 0.6 = 3 / 5: five times
    assert more_levels({"fact": 1.0}, ["fact"], 7) == 21
    assert more_levels({"fact": 0.0}, ["fact"], 7) == 0


def test_what_does_not_vary_limits_nothing() -> None:
    found = variance_components([2.0, 2, 2, 2], {"fact": [0, 0, 1, 1]})
    assert found.limiting == ""
    assert found["fact"].share == found["fact"].share_of_mean == found.variance_of_mean == 0


def test_rows_without_a_value_are_left_out() -> None:
    labels = {"fact": np.array([0, 0, 1, 1, 2])}
    values = np.array([1.0, 2, 4, 8, np.nan])
    kept = variance_components(values[:4], {"fact": labels["fact"][:4]})
    assert variance_components(values, labels) == kept


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: variance_components(np.zeros((2, 2)), {}), r"shape \(2, 2\)"),
        (lambda: variance_components([1.0, 2.0], {"fact": ["a"]}), "2 values and labels of {'fact': 1}"),
        (lambda: variance_components([1.0, np.nan], {"fact": ["a", "b"]}), "1 values are there"),
        (lambda: variance_components([1.0, np.inf], {"fact": ["a", "b"]}), "finite"),
    ],
)
def test_one_clear_error_each(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
