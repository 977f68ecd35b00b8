"""Files give back what they got, and parts of one study join."""

from pathlib import Path

import dask
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
        with pytest.raises(
            OSError, match=r"e\.nc cannot be written .* bytes are needed, [\d,]+ are free; make room"
        ) as told:
            sl.effects.save(roles.assign_attrs(created="later"), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == whole
    assert [one.name for one in tmp_path.iterdir()] == ["e.nc"]
    needed = int(str(told.value).partition("): ")[2].partition(" bytes")[0].replace(",", ""))
    assert needed == sl.effects.save(roles.assign_attrs(created="later"), path).stat().st_size


def test_a_file_that_holds_just_this_is_left_as_it_is(roles: xr.Dataset, tmp_path: Path) -> None:
    path = sl.effects.save(roles, tmp_path / "e.nc")
    before = path.stat().st_ino
    assert sl.effects.save(sl.effects.load(path), path).stat().st_ino == before
    changed = roles.assign_attrs(created="later")
    assert sl.effects.save(changed, path).stat().st_ino != before
    assert sl.effects.load(path).attrs["created"] == "later"


def lazily(dataset: xr.Dataset, *names: str) -> bool:
    """Whether dask holds these variables in several chunks that are not computed."""
    return all(dask.is_dask_collection(dataset[name].data) and len(dataset[name].chunks[0]) > 1 for name in names)


def test_xarray_and_dask_open_joined_effects_in_chunks(roles: xr.Dataset, tmp_path: Path) -> None:
    """Means that dask computes chunk by chunk are ours."""
    sl.effects.save(roles, tmp_path / "effects.nc")
    with xr.open_dataset(tmp_path / "effects.nc", chunks={}) as whole:
        assert dask.is_dask_collection(whole["restored"].data)
        xr.testing.assert_identical(whole.compute(), roles)
    with xr.open_dataset(tmp_path / "effects.nc", chunks={"prompt": 2}) as lazy:
        assert lazily(lazy, "restored", "status", "clean")
        indirect = (lazy["restored"] - lazy["corrupted"]).mean("sample")
        assert dask.is_dask_collection(indirect.data)
        xr.testing.assert_allclose(indirect.compute(), sl.effects.indirect(roles), atol=1e-12)
        ours = sl.effects.average(roles, by=("modality",))
        xr.testing.assert_identical(sl.effects.average(lazy, by=("modality",)), ours)
        for row, modality in enumerate(ours["modality"].values):
            chosen = indirect.isel(prompt=np.flatnonzero(lazy["modality"].values == modality)).mean("prompt").compute()
            wanted = ours["mean"].isel(group=row)
            there = np.isfinite(wanted.values)
            assert there.any()
            np.testing.assert_allclose(chosen.values[there], wanted.values[there], atol=1e-6)


def test_dask_opens_the_parts_of_a_run_as_one(tmp_path: Path) -> None:
    """What two shards wrote is opened over both files, before anything joins it."""
    machine = sl.planted()
    prompts = [*machine.prompts[:2], *machine.prompts[12:14]]
    asked = {"grid": sl.Grid(("resid_pre",), at="role"), "samples": 2, "progress": "none"}
    for number in (1, 2):
        sl.causal_trace(
            machine.lens, prompts, folder=sl.effects.RunFolder(tmp_path, sl.effects.Shard(number, 2)), **asked
        )
    whole = sl.causal_trace(machine.lens, prompts, folder=tmp_path, **asked)
    with xr.open_mfdataset(str(tmp_path / "parts" / "*.nc"), combine="nested", concat_dim="prompt", chunks={}) as parts:
        assert lazily(parts, "restored", "status")
        place = {name: at for at, name in enumerate(parts["prompt_id"].values.tolist())}
        found = parts.isel(prompt=[place[name] for name in whole["prompt_id"].values.tolist()]).compute()
    for name in ("clean", "corrupted", "restored", "status", "noise_floor", "fact_id", "text", "voice"):
        np.testing.assert_array_equal(found[name].values, whole[name].values)
    with xr.open_dataset(tmp_path / "effects.nc", chunks={"prompt": 1}) as lazy:
        assert lazily(lazy, "restored")
        xr.testing.assert_identical(lazy.compute(), whole)
