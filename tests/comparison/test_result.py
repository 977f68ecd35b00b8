"""The sentences of a comparison: the verb of the first follows the metric's sign, its object the metric's words."""

import sys
from pathlib import Path

import pytest
import xarray as xr

sys.path.append(str(Path(__file__).parents[1] / "effects"))

from effects_synthetic import role_effects

from spiritlens.comparison.compare import compare


def measured(name: str, sign: int, words: str = "") -> xr.Dataset:
    """The synthetic effects as those of another metric."""
    effects = role_effects(n_facts=6).isel(metric=[0])
    told = {"metric_words": ("metric", [words])} if words else {}
    return effects.assign_coords(metric=[name], metric_sign=("metric", [sign]), **told)


@pytest.mark.parametrize(
    ("metric", "sign", "told", "words"),
    [
        ("log_probability", 1, "", "lowers the answer's log probability by"),
        ("rank", -1, "", "raises the answer's rank by"),
        ("kl", -1, "", "raises the KL divergence from the clean run by"),
        ("leaked_mass", -1, "", "raises the probability of tokens that are not text by"),
        ("margin", 1, "margin of the answer over all others", "lowers the answer's margin by"),
        ("entropy", -1, "entropy of the next token", "raises the entropy of the next token by"),
    ],
)
def test_the_verb_follows_the_sign_of_the_metric(metric: str, sign: int, told: str, words: str) -> None:
    assert words in compare(measured(metric, sign, told)).findings[0]
