"""What is not so is not said, in a small count; the script counts 200 studies of each law and 20 random models."""

import pytest

import spiritlens as sl
from experiments.sentence_calibration import LAWS, claims, counted, random_effects, told

TRIALS = 8
NOT_SO = ("nothing", "same", "same, in two metrics", "strangers")


@pytest.mark.parametrize("law", NOT_SO)
def test_what_is_not_so_is_not_said(law: str) -> None:
    """At most one in eight by a 5 % test: more has a chance of 6 %, for each claim."""
    found = list(counted(law, TRIALS))
    assert [each.claim for each in found] == list(LAWS[law][1])
    assert all(each.made <= 1 for each in found), found


@pytest.mark.parametrize("law", [law for law in LAWS if law not in NOT_SO])
def test_what_is_so_is_said(law: str) -> None:
    assert all(each.made >= TRIALS - 1 for each in counted(law, TRIALS))


def test_nothing_is_said_of_random_weights() -> None:
    effects = random_effects(0)
    for metric in effects["metric"].values.tolist():
        for one in (effects, effects.sel(metric=[metric])):
            comparison = sl.compare(one, metric=metric, resamples=100, permutations=100)
            found = claims(comparison)
            assert not found["a difference"]
            assert not found["agreement"]
            assert not found["identity"]
            assert "Nothing more is told" in told(comparison)
