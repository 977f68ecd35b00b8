"""Edges: the change has the stated sign, absent edges stay NaN, and the frozen set is always named."""

import numpy as np
import pytest
import xarray as xr
from effects_synthetic import prompt_columns
from made_datasets import made_paths

from spiritlens.effects.paths import check_paths, path_change
from spiritlens.effects.schema import Status


@pytest.fixture
def paths() -> xr.Dataset:
    """Two senders (layers 0, 1) to two receivers (layers 0, 1): only 0 → 1 runs forwards."""
    status = np.full((1, 1, 2, 1, 1, 2, 1, 1), Status.ABSENT)
    status[0, 0, 0, 0, 0, 1] = Status.MEASURED
    patched = np.where((status == Status.MEASURED)[..., None], np.array([3.0, 3.0]), np.nan)
    return made_paths(
        base=[[1.0, 1.0]],
        patched=patched,
        status=status,
        noise_floor=[[0.0, 0.0]],
        senders={"component": ["z"], "layer": [0, 1], "head": [2]},
        receivers={"component": ["v_input"], "layer": [0, 1], "head": [0]},
        positions=["last"],
        metrics={"logit": 1, "rank": -1},
        prompts=prompt_columns([(0, "T2T", 0)]),
        base_run="clean",
        frozen="heads",
        norms="recomputed",
    )


def test_change_is_signed_and_absent_is_nan(paths: xr.Dataset) -> None:
    change = path_change(paths).squeeze()
    assert change.sel(sender_layer=0, receiver_layer=1).values.tolist() == [2.0, -2.0]
    assert np.isnan(change.sel(sender_layer=1)).all()


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"schema": "spiritlens.effects/1"}, "expected 'spiritlens.paths/1'"),
        ({"frozen": "everything"}, "frozen is 'everything'"),
        ({"base_run": "noised"}, "base_run is 'noised'"),
        ({"norms": "folded"}, "norms is 'folded'"),
    ],
)
def test_what_was_held_is_named(paths: xr.Dataset, attributes: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_paths(paths.assign_attrs(attributes))


def test_zero_does_not_stand_for_no_path(paths: xr.Dataset) -> None:
    with pytest.raises(ValueError, match="numbers where status is screened or absent"):
        check_paths(paths.assign(patched=paths["patched"].fillna(0.0)))


def test_axes_keep_their_order(paths: xr.Dataset) -> None:
    with pytest.raises(ValueError, match="patched has axes"):
        check_paths(paths.assign(patched=paths["patched"].transpose(..., "prompt")))
