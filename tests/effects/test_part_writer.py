"""Parts are filled, also after a stop, and written as prompts come."""

from pathlib import Path

import pytest
from effects_synthetic import token_effects

from spiritlens.effects import part_writer
from spiritlens.effects.contents import read_contents
from spiritlens.effects.part_writer import PartWriter
from spiritlens.effects.run_directory import RunDirectory
from spiritlens.effects.shards import Shard


def test_parts_are_filled_and_filled_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_writer, "PROMPTS_PER_PART", 3)
    run, effects = RunDirectory(tmp_path), token_effects(n_facts=4)
    one = [effects.isel(prompt=[place]) for place in range(8)]
    writer = PartWriter(run, Shard(2, 4))
    names = [writer.add(part, 1.5) for part in one[:4]]
    writer.write()
    assert names == ["2-of-4.000001"] * 3 + ["2-of-4.000002"]
    again = PartWriter(run, Shard(2, 4))
    assert [again.add(part, 1.5) for part in one[4:]] == ["2-of-4.000002"] * 2 + ["2-of-4.000003"] * 2
    again.write()
    parts = read_contents(run).parts
    assert [len(part.ids) for part in parts] == [3, 3, 2]
    assert [part.attributes["seconds"] for part in parts] == [4.5, 4.5, 3.0]
    assert {part.attributes["worker"] for part in parts} == {"2-of-4"}
    assert PartWriter(run, Shard(1, 4)).name == "1-of-4.000001"


def test_the_first_prompt_is_kept_at_once_and_nothing_is_written_twice(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    writer = PartWriter(run, Shard())
    writer.add(token_effects(n_facts=1).isel(prompt=[0]), 0)
    path = run.part(writer.name)
    before = path.stat().st_mtime_ns
    writer.write()
    assert path.stat().st_mtime_ns == before


def test_a_damaged_last_part_is_not_filled(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.part("1-of-1.000004").parent.mkdir()
    run.part("1-of-1.000004").write_bytes(b"damaged")
    assert PartWriter(run, Shard()).name == "1-of-1.000005"
