"""Lines are added whole; one that a stop cut spoils none of the next ones."""

from pathlib import Path

import pytest

from spiritlens.files.lines import append_lines


def test_lines_are_added_and_a_cut_one_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "new" / "answers.jsonl"
    append_lines(path, [])
    assert not path.parent.exists()
    append_lines(path, ["é", "two"])
    with path.open("a") as file:
        file.write('{"cut')
    append_lines(path, ["three"])
    append_lines(path, ["four"])
    assert path.read_text(encoding="utf-8") == 'é\ntwo\n{"cut\nthree\nfour\n'


def test_without_room_or_permission_one_sentence_tells_what_is_needed(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    path, before = tmp_path / "answers.jsonl", resource.getrlimit(resource.RLIMIT_FSIZE)
    append_lines(path, ["whole"])
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(
            OSError, match=r"answers\.jsonl cannot be written .*: 101 bytes are needed, [\d,]+ are free"
        ):
            append_lines(path, ["x" * 100])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    append_lines(path, ["next"])
    assert path.read_text() == "whole\nxxxx\nnext\n", "what was cut is a line of its own"
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="cannot be written"):
        append_lines(tmp_path / "file" / "answers.jsonl", ["one"])
