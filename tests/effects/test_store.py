"""Files give back what they got, and parts of one study join."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import spiritlens as sl
from spiritlens.effects.joining import join_effects, pad_sites
from spiritlens.effects.schema import Status, check_effects


def shorter(effects: xr.Dataset) -> xr.Dataset:
    """The T2T prompts without their padding."""
    return effects.isel(prompt=effects["modality"].values == "T2T", pos=slice(0, 8))


def test_round_trip_keeps_everything(roles: xr.Dataset, tokens: xr.Dataset, tmp_path: Path) -> None:
    for name, effects in (("roles", roles), ("tokens", tokens)):
        xr.testing.assert_identical(sl.effects.load(sl.effects.save(effects, tmp_path / f"{name}.nc")), effects)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_unicode_labels_survive(tokens: xr.Dataset, tmp_path: Path) -> None:
    labels = tokens["token"].copy(data=np.char.add("▁é", tokens["token"].values))
    effects = tokens.assign_coords(token=labels)
    assert sl.effects.load(sl.effects.save(effects, tmp_path / "e.nc"))["token"].values[0, 1] == "▁éthe"


def test_padding_is_absent_and_changes_no_number(tokens: xr.Dataset) -> None:
    short = shorter(tokens)
    padded = check_effects(pad_sites(short, 12))
    assert (padded["status"].isel(pos=slice(8, None)) == Status.ABSENT).all()
    xr.testing.assert_identical(padded["restored"].isel(pos=slice(0, 8)), short["restored"])
    with pytest.raises(ValueError, match="cannot pad"):
        pad_sites(short, 3)


def test_parts_of_different_length_join(tokens: xr.Dataset) -> None:
    speech = tokens.isel(prompt=tokens["modality"].values == "S2T")
    joined = join_effects([shorter(tokens), speech])
    assert joined["prompt"].values.tolist() == list(range(6))
    assert joined.sizes["pos"] == 10
    order = np.argsort(joined["prompt_id"].values)
    expected = tokens.isel(prompt=np.argsort(tokens["prompt_id"].values))
    np.testing.assert_array_equal(
        sl.effects.indirect(joined.isel(prompt=order)).values, sl.effects.indirect(expected).values
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ds: ds.assign_attrs(seed=7), "seed: '0' there, '7' here"),
        (lambda ds: ds.isel(layer=slice(0, 3)), "parts differ in layer"),
    ],
)
def test_parts_of_another_study_are_refused(tokens: xr.Dataset, change: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        join_effects([tokens, change(tokens)])  # type: ignore[operator]


def test_parts_with_another_site_axis_are_refused(tokens: xr.Dataset, roles: xr.Dataset) -> None:
    with pytest.raises(ValueError, match="site axes 'pos' and 'role'"):
        join_effects([tokens, roles])
    with pytest.raises(ValueError, match="no parts to join"):
        join_effects([])


def test_wrong_files_and_names(tmp_path: Path) -> None:
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(ValueError, match=r"other\.nc has the schema None"):
        sl.effects.load(tmp_path / "other.nc")
    with pytest.raises(FileNotFoundError, match="no such file"):
        sl.effects.load(tmp_path / "missing.nc")


@pytest.mark.parametrize("room", [0, 100, 5_000, 20_000])
def test_a_file_without_room_is_one_sentence_and_the_process_lives(
    room: int, roles: xr.Dataset, tmp_path: Path
) -> None:
    """The library of the format meets no error of the disk: it may end the process by one."""
    resource = pytest.importorskip("resource")
    path = sl.effects.save(roles, tmp_path / "e.nc")
    whole, before = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    assert len(whole) > room
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        with pytest.raises(OSError, match=r"e\.nc cannot be written .* bytes are needed, [\d,]+ are free; make room"):
            sl.effects.save(roles, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == whole
    assert [one.name for one in tmp_path.iterdir()] == ["e.nc"]
