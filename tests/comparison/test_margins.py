"""Smallest effects of interest."""

import pytest

from spiritlens.comparison.margins import Margins


def test_a_margin_in_shares_holds_ten_noise_floors() -> None:
    assert Margins().of_cells() == 0.05
    assert Margins().of_cells(0.004) == 0.05
    assert Margins().of_cells(0.02) == pytest.approx(0.2)
    assert Margins(share=0.1, noise_floors=2).of_cells(0.02) == 0.1


def test_total_effects_have_it_in_the_unit_of_the_metric() -> None:
    assert Margins().of_totals(-12.0) == pytest.approx(0.6)
    assert Margins().of_totals(0.7, noise_floor=0.01) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"share": 0}, "share=0: expected a number > 0"),
        ({"layers": float("nan")}, "layers=nan"),
        ({"correlation": "0.1"}, "correlation='0.1'"),
        ({"noise_floors": 0.5}, "noise_floors=0.5: expected a number ≥ 1"),
    ],
)
def test_what_is_no_margin_is_refused(given: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Margins(**given)
