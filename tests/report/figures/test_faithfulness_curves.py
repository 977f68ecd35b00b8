"""Faithfulness curves: a panel for each modality that parts are kept in, each with four rankings."""

import numpy as np
import pytest
import xarray as xr

import spiritlens as sl
from spiritlens.report.figures.faithfulness_curves import faithfulness_curves
from tests.made_interchange import CURVES, made_interchange


def test_each_panel_has_both_rankings_the_reverse_and_chance() -> None:
    figure = faithfulness_curves(made_interchange(noise=0.2))
    curves = {(trace.name, trace.xaxis): trace for trace in figure.data}
    first, second = ("x", "x2")
    assert {name for name, axis in curves if axis == first} == {
        *("ranked in T2T", "ranked in S2T", "T2T reversed", "random"),
    }
    assert {name for name, axis in curves if axis == second} == {
        *("ranked in T2T", "ranked in S2T", "S2T reversed", "random"),
    }
    assert curves["ranked in S2T", first].error_y.array is not None
    assert [text.partition(" ")[0] for text in curves["ranked in T2T", first].text] == ["0", "1", "2", "4"]
    assert figure.layout.xaxis.ticktext == ("0", "1", "2", "4")
    assert figure.layout.xaxis.title.text == "heads kept, of 4"
    assert "T2T n = 8 facts, S2T n = 8 facts" in figure.layout.title.text
    assert sum(trace.showlegend is not False for trace in figure.data) == 5


def test_curves_are_those_of_faithfulness() -> None:
    made = made_interchange()
    figure = faithfulness_curves(made)
    np.testing.assert_allclose(figure.data[1].y, CURVES["S2T"], atol=1e-12)
    assert figure.to_json() == faithfulness_curves(sl.heads.faithfulness(made)).to_json()


def test_a_panel_without_recall_says_so_and_few_facts_have_no_bars() -> None:
    figure = faithfulness_curves(made_interchange(totals=(-1, -2, -1)))
    assert figure.layout.annotations[0].text == "kept in T2T: no recall to keep"
    assert "intervals" not in figure.layout.title.text


def test_other_datasets_are_refused(roles: xr.Dataset) -> None:
    for given, message in (
        (roles, r"interchanged has the schema 'spiritlens\.effects/1', expected 'spiritlens\.interchange/1'"),
        ("kept.nc", r"interchanged='kept\.nc' \(str\): expected one Dataset"),
    ):
        with pytest.raises(ValueError, match=message):
            faithfulness_curves(given)
    with pytest.raises(ValueError, match="confidence=2"):
        faithfulness_curves(made_interchange(), 2)
