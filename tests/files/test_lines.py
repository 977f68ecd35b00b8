"""Lines are added whole; one that a stop cut spoils none of the next ones."""

from pathlib import Path

import pytest

from spiritlens.files.lines import append_lines, read_rows, shared_files


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


def test_rows_are_those_of_whole_lines_and_are_read_on(tmp_path: Path) -> None:
    """A text may hold what else ends a line: it is one row still."""
    path = tmp_path / "answers.jsonl"
    assert read_rows(path, 3) == ([], 3)
    append_lines(path, ['{"fact": "a\u2028b\x85é"}', "{cut", '["a list"]', '{"fact": 2}'])
    with path.open("ab") as file:
        file.write(b'\xff\n{"fact": 3}')
    rows, end = read_rows(path)
    assert rows == [{"fact": "a\u2028b\x85é"}, {"fact": 2}]
    assert read_rows(path, end) == ([], end)
    append_lines(path, [])
    with path.open("ab") as file:
        file.write(b"\n")
    assert read_rows(path, end) == ([{"fact": 3}], path.stat().st_size)


def test_files_of_shards_stand_in_a_folder_of_the_name(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    assert shared_files(path) == []
    for name in ("2-of-2", "1-of-2"):
        append_lines(tmp_path / "answers" / f"{name}.jsonl", ["{}"])
    assert [one.name for one in shared_files(path)] == ["1-of-2.jsonl", "2-of-2.jsonl"]
    append_lines(path, ["{}"])
    assert shared_files(path)[0] == path


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
