"""Compared cells by how they came by their values, and twins of the rule cell by cell."""

import numpy as np
import pytest
import xarray as xr

from spiritlens.comparison.pairing import paired, prompt_maps
from spiritlens.effects.schema import Status
from spiritlens.report.figures.paired_status import paired_status
from spiritlens.terms import READOUT


@pytest.fixture
def screened(roles: xr.Dataset) -> xr.Dataset:
    """Layer 5 of the subject was screened out in every prompt."""
    status = roles["status"].copy(deep=True)
    status.loc[{"layer": 5, "role": "subject"}] = Status.SCREENED
    return roles.assign(status=status, restored=roles["restored"].where(status != Status.SCREENED))


def test_each_cell_has_its_status(screened: xr.Dataset) -> None:
    maps = prompt_maps(screened, "logit", "read-out")
    pairs = paired(maps, maps, ("T2T", "S2T"))
    found = paired_status(screened, pairs, "known")
    assert found.shape == pairs.cells.shape
    np.testing.assert_array_equal(found == Status.MEASURED, pairs.cells)
    rows = {role: found[:, :, place] for place, role in enumerate(pairs.roles)}
    layers = np.asarray(pairs.layers)
    assert set(rows["subject"][:, layers == 5].ravel()) == {Status.SCREENED}
    assert set(rows["subject"][:, layers != 5].ravel()) == {Status.MEASURED}
    for role in ("bos", "before subject"):
        assert set(rows[role].ravel()) == {Status.EXACT}  # 0 in each fact of both modalities
    assert set(rows["modality marker"].ravel()) == {Status.ABSENT}  # writing has none
    assert set(rows[READOUT].ravel()) == {Status.MEASURED}


def test_what_moved_in_some_fact_is_not_exact(roles: xr.Dataset) -> None:
    maps = prompt_maps(roles, "logit", "read-out")
    pairs = paired(maps, maps, ("T2T", "S2T"))
    place = pairs.roles.index("bos")
    pairs.values[0, 3, :, 2, place] = 0.5
    found = paired_status(roles, pairs, "known")
    assert set(found[:, 2, place]) == {Status.ABSENT}
    assert set(found[:, 3, place]) == {Status.EXACT}
