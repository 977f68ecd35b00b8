"""Shares of each fact's own effect, by hand, and what they find that means do not."""

import numpy as np
import pytest

from spiritlens.comparison.shares import fact_shares, share_differences
from spiritlens.effects.sign_flips import max_t


def test_shares_by_hand() -> None:
    values = np.array([[0.2, 0.1], [0.4, np.nan], [0.4, 0.4], [0.1, 0.1]])
    found = fact_shares(values, [0.4, 0.8, 0.04, -0.8], 0.05)
    np.testing.assert_allclose(found, [[0.5, 0.25], [0.5, np.nan], [np.nan, np.nan], [np.nan, np.nan]])
    assert fact_shares(np.ones((2, 3, 4)), [1.0, 2.0], 0.05).shape == (2, 3, 4)


def test_a_fact_counts_where_both_modalities_have_it() -> None:
    values = np.array([[[0.2], [0.4]], [[0.3], [0.4]]])
    found = share_differences(values, [[0.4, 0.01], [0.4, 0.8]], 0.05)
    np.testing.assert_allclose(found, [[0.25], [np.nan]])


def test_a_cell_that_holds_all_in_one_modality_is_found_however_unequal_the_facts() -> None:
    """Total effects lognormal(1.5); twelve facts: in units of the mean effect the cell is found in few studies."""
    found = {"shares": 0, "means": 0}
    for seed in range(60):
        rng = np.random.default_rng(seed)
        totals = rng.lognormal(0, 1.5, (2, 12))
        shares = np.zeros((2, 12, 20))
        shares[0, :, 3] = shares[1, :, 7] = 1
        shares += rng.normal(0, 0.3, shares.shape)
        values = shares * totals[:, :, None]
        own = share_differences(values, totals, 0.05)
        mean = values[1] / totals[1].mean() - values[0] / totals[0].mean()
        for name, difference in (("shares", own), ("means", mean)):
            found[name] += bool(max_t(difference, np.arange(12)).p_value[3] <= 0.05)
    assert found["shares"] >= 48
    assert found["means"] <= 24


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fact_shares(np.ones((2, 1)), [1.0, 1.0], 0.0), "smallest=0: expected a number > 0"),
        (lambda: fact_shares(np.ones((2, 1)), [1.0], 0.1), r"\(1,\) totals of 2 facts"),
        (lambda: share_differences(np.ones((2, 2, 1)), np.ones((2, 3)), 0.1), r"\(3,\) totals"),
    ],
)
def test_one_clear_error_each(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
