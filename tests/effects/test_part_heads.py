"""Heads of parts: as noted while nothing changed, read again where anything did."""

import os
from pathlib import Path

import pytest
from effects_synthetic import role_effects

from spiritlens.effects import contents
from spiritlens.effects.contents import read_contents
from spiritlens.effects.part_heads import FILE, keep_heads, read_heads
from spiritlens.effects.run_directory import RunDirectory


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    found, effects = RunDirectory(tmp_path), role_effects(n_facts=2)
    for name, rows in (("1-of-1.000001", [0, 1]), ("1-of-1.000002", [2, 3])):
        found.write_part(name, effects.isel(prompt=rows), worker="1-of-1", seconds=2.5)
    keep_heads(tmp_path, read_contents(found).parts)
    return found


def test_noted_heads_are_those_of_the_files_and_nothing_is_read(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = read_heads(run.folder)
    assert tuple(noted.values()) == read_contents(run).parts
    monkeypatch.setattr(contents, "read_column", None)
    assert read_contents(run, noted=noted).parts == tuple(noted.values())


def test_a_part_that_changed_is_read_and_its_damage_found(run: RunDirectory) -> None:
    path, before = run.part("1-of-1.000002"), run.part("1-of-1.000002").stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert [*read_contents(run, noted=read_heads(run.folder)).damaged] == ["1-of-1.000002"]
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # as a medium that decays leaves it
    assert not read_contents(run, noted=read_heads(run.folder)).damaged
    assert [*read_contents(run).damaged] == ["1-of-1.000002"]


def test_a_part_that_is_gone_or_new_is_not_as_noted(run: RunDirectory) -> None:
    noted = read_heads(run.folder)
    run.part("1-of-1.000001").rename(run.part("1-of-1.000003"))
    found = read_contents(run, noted=noted)
    assert [part.name for part in found.parts] == ["1-of-1.000002", "1-of-1.000003"]


@pytest.mark.parametrize("damage", ["", "x", "[]\n[]", "e3b0\n[[1]]"])
def test_damaged_notes_are_none(run: RunDirectory, damage: str) -> None:
    (run.folder / FILE).write_text(damage)
    assert read_heads(run.folder) == {}
    (run.folder / FILE).unlink()
    assert read_heads(run.folder) == {}
