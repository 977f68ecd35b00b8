"""Large variables are read when they are asked for: values, parts of them, copies, pickles, and what becomes of the
file under them."""

import copy
import gc
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from spiritlens.effects import netcdf
from spiritlens.effects.held_file import HeldFile
from spiritlens.effects.netcdf import open_netcdf, read_netcdf, write_netcdf


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with two large variables and small ones."""
    monkeypatch.setattr(netcdf, "LARGE", 1000)
    rng = np.random.default_rng(0)
    values = {
        "restored": (("prompt", "layer", "sample"), rng.standard_normal((7, 11, 13), dtype=np.float32)),
        "status": (("prompt", "layer", "head"), rng.integers(0, 5, (7, 11, 15)).astype(np.int8)),
        "clean": (("prompt",), rng.standard_normal(7)),
    }
    dataset = xr.Dataset(values, {"text": ("prompt", [f"é{at}" for at in range(7)])}, {"seed": 3})
    return write_netcdf(dataset, tmp_path / "one.nc")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object]]:
    """What is read later: names and keys."""
    found: list[tuple[str, object]] = []
    real = HeldFile.later

    def later(held, item):
        lazy, name = real(held, item), item.name.lstrip("/")
        of_file = lazy.array.array.array
        read = of_file._read
        of_file._read = lambda key: (found.append((name, key)), read(key))[1]
        return lazy

    monkeypatch.setattr(HeldFile, "later", later)
    return found


def test_it_holds_what_is_read_at_once(stored: Path, reads) -> None:
    later, now = open_netcdf(stored), read_netcdf(stored)
    assert reads == []
    assert (later.sizes, later["restored"].dtype, list(later.variables)) == (now.sizes, np.float32, list(now.variables))
    xr.testing.assert_identical(later, now)
    read = [name for name, _ in reads]
    assert sorted(set(read)) == ["restored", "status"], "clean and text are small"
    later["restored"].values  # noqa: B018 (what was read is kept)
    assert [name for name, _ in reads] == read


def test_only_what_is_asked_for_is_read(stored: Path, reads) -> None:
    later, now = open_netcdf(stored), read_netcdf(stored)
    for chosen in (
        {"prompt": 2},
        {"prompt": slice(1, 6, 2), "sample": slice(None, None, -3)},
        {"prompt": [4, 0, 4], "layer": 3},
        {"layer": now["restored"].values[0, :, 0] > 0},
    ):
        reads.clear()
        xr.testing.assert_identical(later["restored"].isel(chosen), now["restored"].isel(chosen))
        assert {name for name, _ in reads} == {"restored"}
    reads.clear()
    later["restored"].isel(prompt=2).values  # noqa: B018
    assert [key[0] for _, key in reads] == [2]
    xr.testing.assert_identical(later.mean("prompt"), now.mean("prompt"))


def test_copies_and_pickles_hold_the_values(stored: Path) -> None:
    now = read_netcdf(stored)
    for made in (copy.deepcopy, lambda one: one.copy(deep=True), lambda one: pickle.loads(pickle.dumps(one))):
        made_of_it = made(open_netcdf(stored))
        made_of_it["restored"][0, 0, 0] = 9.0
        assert float(made_of_it["restored"][0, 0, 0]) == 9.0
        xr.testing.assert_identical(made_of_it.isel(prompt=slice(1, None)), now.isel(prompt=slice(1, None)))
    twice = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(open_netcdf(stored)))))
    xr.testing.assert_identical(twice, now)
    xr.testing.assert_identical(open_netcdf(stored), now)
    xr.testing.assert_identical(read_netcdf(write_netcdf(open_netcdf(stored), stored)), now)


def test_what_takes_the_files_name_changes_nothing(stored: Path) -> None:
    now, later = read_netcdf(stored), open_netcdf(stored)
    write_netcdf(now.assign(restored=now["restored"] + 1), stored)
    xr.testing.assert_identical(later, now)
    again = open_netcdf(stored)
    stored.unlink()
    xr.testing.assert_identical(again, now.assign(restored=now["restored"] + 1))


def test_the_file_is_closed_with_the_dataset(stored: Path) -> None:
    def n_open() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    before = n_open()
    later = open_netcdf(stored)
    values = later["restored"].isel(prompt=0)
    del later
    assert n_open() == before + 1, "a part of it may still be read"
    values.load()
    del values
    assert n_open() == before


def test_a_small_file_is_read_and_closed(stored: Path, monkeypatch: pytest.MonkeyPatch, reads) -> None:
    monkeypatch.setattr(netcdf, "LARGE", 1 << 25)
    before = len(os.listdir("/proc/self/fd"))
    later = open_netcdf(stored)
    assert len(os.listdir("/proc/self/fd")) == before
    xr.testing.assert_identical(later, read_netcdf(stored))
    assert reads == []


def test_a_damaged_file_is_refused_before_anything_is_read(stored: Path) -> None:
    data = bytearray(stored.read_bytes())
    data[len(data) // 2] ^= 1
    stored.write_bytes(data)
    with pytest.raises(ValueError, match="its checksum is not that of its content"):
        open_netcdf(stored)
    with pytest.raises(FileNotFoundError):
        open_netcdf(stored.with_name("another.nc"))


def test_a_file_of_another_program_is_read_at_once(stored: Path, tmp_path: Path) -> None:
    now = read_netcdf(stored)
    now.to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    xr.testing.assert_equal(open_netcdf(tmp_path / "other.nc"), now)
