"""What is promised of agreement, identity and equivalence holds in a small count; the script counts more."""

import numpy as np
import pytest

from experiments.agreement_calibration import rows, simulated, true_maps

TRIALS = 30


def test_maps_are_simulated_as_said() -> None:
    rng = np.random.default_rng(0)
    first, second = true_maps(0.7, rng)
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(0.7)
    maps = simulated(rng, correlation=1.0, reliability=0.5, facts=2000, shared=0.25, per_subject=2)
    residual = [values - values.mean(axis=0) for values in (maps.first, maps.second)]
    assert residual[0].var() == pytest.approx(2000, rel=0.05)  # of the mean of 2000 facts as large as the map's own
    assert (residual[0] * residual[1]).mean() == pytest.approx(0.25 * 2000, rel=0.1)
    assert (residual[0][::2] * residual[0][1::2]).mean() == pytest.approx(0.5 * 2000, rel=0.1)


def test_errors_are_no_more_than_promised_and_what_is_there_is_found() -> None:
    """Each count within three and a half standard errors of what is promised."""
    found = list(rows(TRIALS))
    reach = 3.5 * np.sqrt(0.05 * 0.95 / TRIALS)
    for row in found:
        if row.rule == "at most":
            assert row.counted <= row.promised + reach, row
        else:
            assert row.counted >= row.promised - reach, row
    closely = [row.counted for row in found if row.what == "closely is said"]
    assert (len(closely), max(closely)) == (12, 0.0)
    power = {row.setting: row.counted for row in found if row.what == "identity of a tenth"}
    assert power["24 facts, 1 a subject, 1 relations"] > 0.5
