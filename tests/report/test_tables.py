"""Tables: counts by facts, shares in per cent, peaks with their intervals."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import spiritlens as sl
from spiritlens.report.figures.accuracy_table import accuracy_table
from spiritlens.report.tables import as_frame, known_table, peak_table, shown


def test_known_facts_are_counted_once(roles: xr.Dataset) -> None:
    known = roles["known"].copy(deep=True)
    known[1] = 0
    table = known_table(xr.concat([roles.assign_coords(known=known)] * 2, dim="prompt"))
    assert table.to_dict("list") == {
        "modality": ["T2T", "S2T"],
        "group": ["both", "both"],
        "facts": [12, 12],
        "known": [12, 11],
        "share": [1.0, pytest.approx(11 / 12)],
    }


def test_shares_and_numbers_as_text() -> None:
    frame = pd.DataFrame([{"modality": "T2T", "facts": 40, "known_share": 0.975, "guess": float("nan")}])
    assert shown(frame).to_dict("list") == {
        "modality": ["T2T"],
        "facts": ["40"],
        "known share": ["98\u00a0%"],
        "guess": ["–"],
    }
    assert shown(frame, floats="number")["known share"].tolist() == ["0.975"]


def test_accuracy_figure_takes_rows_or_a_frame() -> None:
    rows = [{"modality": "T2T", "share": 0.9}, {"modality": "S2T", "share": 0.5}]
    for accuracy in (rows, pd.DataFrame(rows)):
        assert accuracy_table(accuracy).data[0].cells["values"] == (["T2T", "S2T"], ["90\u00a0%", "50\u00a0%"])
    with pytest.raises(ValueError, match="has no rows"):
        as_frame([])


def test_peaks_are_those_of_the_averages(roles: xr.Dataset) -> None:
    table = peak_table(sl.effects.average(roles), "probability").set_index(["component", "role", "modality"])
    subject = table.loc[("resid_pre", "subject", "S2T")]
    assert subject["peak_layer"] == 4
    assert subject["low"] <= subject["effect"] <= subject["high"]
    own = sl.effects.average(roles).sel(component="resid_pre", role="subject", layer=4, metric="probability")
    alone = own.isel(group=own["modality"].values.tolist().index("S2T"))
    assert subject["low"] < float(alone["low"])  # it was chosen for being largest
    assert subject["high"] > float(alone["high"])
    assert ("resid_pre", "final marker", "T2T") not in table.index


def test_cells_are_written_by_the_rules_for_numbers() -> None:
    rows = pd.DataFrame({"share": [0.004, 0.9962, 0.0, 1.0], "shift": [-3, 0, 1, 2]})
    assert shown(rows)["share"].tolist() == ["0.4\u00a0%", "99.6\u00a0%", "0\u00a0%", "100\u00a0%"]
    assert shown(rows)["shift"].tolist() == ["−3", "0", "1", "2"]
    assert shown(pd.DataFrame({"low": [-0.0004, -0.5, np.nan]}), floats="number")["low"].tolist() == [
        "−0.0004",
        "−0.500",
        "–",
    ]
