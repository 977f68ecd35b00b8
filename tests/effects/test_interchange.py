"""The interchange dataset: built, checked, saved, loaded."""

import numpy as np
import pytest
import xarray as xr

import spiritlens as sl
from spiritlens.effects.interchange import Rankings, check_interchange, check_sets, new_interchange, new_sets
from tests.made_interchange import made_interchange, made_sets


def test_sets_become_rankings_and_sizes_in_their_order() -> None:
    sets = made_sets(np.arange(2 * 2 * 3).reshape(2, 6))
    order = np.array([[1, 0], [0, 1]])
    found = new_interchange(
        sets, Rankings(("a", "b"), {"T2T": order, "S2T": order[::-1]}, np.zeros((2, 2, 2))), (0, 1, 2), (0, 1)
    )
    assert found["kept"].sel(ranking="S2T", size=2).values.tolist() == [5, 11]
    assert found["order"].sel(ranking="S2T", fold=0).values.tolist() == [0, 1]
    assert found["prompt_fold"].values.tolist() == [0, 1]


def test_both_schemas_are_read_back_as_they_were(tmp_path) -> None:
    for number, made in enumerate((made_interchange(), made_sets(np.zeros((2, 3))))):
        again = sl.effects.load(sl.effects.save(made, tmp_path / f"{number}.nc"))
        xr.testing.assert_identical(again, made)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda made: made.drop_vars("kept"), "kept is missing"),
        (lambda made: made.transpose(), "kept has axes|kept has the axes"),
        (lambda made: made.assign(clean=made["clean"] * np.nan), "clean has nan"),
        (lambda made: made.assign(kept=made["kept"] * np.nan), "kept has nan"),
        (lambda made: made.assign_coords(size=made["size"] + 1), "expected rising numbers from 0 to the 4 parts"),
        (lambda made: made.assign(order=made["order"] * 0), "order is no order of the 4 parts"),
        (lambda made: made.assign_coords(prompt_fold=made["prompt_fold"] + 7), r"prompt_fold holds \[7, 8\]"),
        (lambda made: made.assign_coords(found_in=["T2T", "mixed"]), r"found_in holds \['mixed'\]"),
        (lambda made: made.assign_attrs(metric_sign=0), "metric_sign is 0, expected 1 or -1"),
        (lambda made: made.assign_attrs(parts=None), "attribute parts is None"),
    ],
)
def test_what_is_no_interchange_is_refused(change, message) -> None:
    with pytest.raises(ValueError, match=message):
        check_interchange(change(made_interchange()))


def test_sets_have_a_clean_run() -> None:
    made = made_sets(np.full((2, 3), np.nan))
    assert check_sets(made) is made
    with pytest.raises(ValueError, match="empty has inf"):
        check_sets(made.assign(empty=made["empty"] + np.inf))
    with pytest.raises(ValueError, match="attributes missing: metric"):
        new_sets(
            np.zeros((1, 1)),
            {"clean": [0.0], "empty": [0.0], "noise_floor": [0.0]},
            ["a"],
            {"prompt_id": ["p"], "modality": ["T2T"], "known": [1]},
            {},
        )
