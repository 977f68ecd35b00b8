"""The sentences of a comparison: the verb of the first follows the metric's sign."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "effects"))

from effects_synthetic import role_effects

from spiritlens.comparison.compare import Comparison, compare, findings
from spiritlens.comparison.findings import RISING
from spiritlens.runs.metrics import METRICS


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare(role_effects(n_facts=6))


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("log_probability", "lowers the answer's log probability by"),
        ("rank", "raises the answer's rank by"),
        ("kl", "raises the KL from clean by"),
        ("leaked_mass", "raises the leaked mass by"),
    ],
)
def test_the_verb_follows_the_sign_of_the_metric(comparison: Comparison, metric: str, words: str) -> None:
    assert words in findings(replace(comparison, metric=metric))[0]


def test_rising_metrics_are_those_of_sign_minus_one() -> None:
    assert set(RISING) == {metric.name for metric in METRICS if metric.sign < 0}
