"""Folders whose effects.nc was written by version 0.1, with cut labels, are told and mended from their parts."""

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from effects_synthetic import token_effects

import spiritlens as sl
from spiritlens import cli

NAMES = ("b", "a", "c")
FACTS = ("oslo", "currency/bulgaria", "currency/bhutan")


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as version 0.1.0 left it: whole parts, and an effects.nc whose labels have the first part's width."""
    folder = tmp_path_factory.mktemp("old")
    (folder / "parts").mkdir(parents=True)
    effects = token_effects(n_facts=2, spiritlens_version="0.1.0").isel(prompt=[0, 1, 2])
    whole = effects.assign_coords(fact_id=("prompt", list(FACTS)), prompt_id=("prompt", list(NAMES)))
    for place, name in enumerate(NAMES):
        whole.isel(prompt=[place]).to_netcdf(folder / "parts" / f"{name}.nc", engine="h5netcdf")
    cut = whole.assign_coords(fact_id=("prompt", np.array([fact[:4] for fact in FACTS])))
    cut.to_netcdf(folder / "effects.nc", engine="h5netcdf")
    (folder / "config.json").write_text(json.dumps({"trace": {}, "prompts": [*NAMES]}))
    return folder


def copied(old: Path, folder: Path) -> Path:
    return Path(shutil.copytree(old, folder, dirs_exist_ok=True))


def test_cut_labels_are_told_with_the_remedy_and_mended(old: Path, tmp_path: Path) -> None:
    folder = copied(old, tmp_path / "run")
    with pytest.warns(UserWarning, match=r"written by spiritlens 0\.1\.0, which cut labels.*spiritlens rejoin"):
        assert sl.effects.load(folder / "effects.nc")["fact_id"].values[1] == "curr"
    mended = sl.effects.rejoin(folder)
    assert mended.changed == {"fact_id": 2}
    assert "3 prompts joined; 2 values changed (2 of fact_id)" in repr(mended)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = sl.effects.load(folder / "effects.nc")
        sl.effects.load(folder / "parts" / "a.nc")
    assert found["fact_id"].values.tolist() == list(FACTS)
    xr.testing.assert_identical(found, mended.effects)
    assert sl.effects.rejoin(folder).changed == {}


def test_what_is_not_traced_yet_is_told(old: Path, tmp_path: Path) -> None:
    folder = copied(old, tmp_path)
    (folder / "parts" / "a.nc").unlink()
    (folder / "effects.nc").write_bytes(b"damaged")
    mended = sl.effects.rejoin(folder)
    assert mended.effects["fact_id"].values.tolist() == [FACTS[0], FACTS[2]]
    assert repr(mended).endswith("0 values changed; 1 prompts are not traced yet")
    (folder / "config.json").unlink()
    assert sl.effects.rejoin(folder).effects["fact_id"].values.tolist() == [FACTS[0], FACTS[2]]


def test_a_part_in_another_one_s_place_is_refused(old: Path, tmp_path: Path) -> None:
    parts = copied(old, tmp_path) / "parts"
    (parts / "a.nc").write_bytes((parts / "b.nc").read_bytes())
    before = (tmp_path / "effects.nc").read_bytes()
    with pytest.raises(ValueError, match=r"a\.nc holds the prompt b: delete the file"):
        sl.effects.rejoin(tmp_path)
    assert (tmp_path / "effects.nc").read_bytes() == before


def test_a_folder_without_parts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no parts"):
        sl.effects.rejoin(tmp_path)


def test_the_command_mends_the_maps_by_token_too(old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copied(old, copied(old, tmp_path) / "tokens")
    cli.rejoin(tmp_path)
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        str(tmp_path / "effects.nc"),
        str(tmp_path / "tokens" / "effects.nc"),
    ]
