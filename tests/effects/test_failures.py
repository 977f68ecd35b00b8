"""Failures are kept once, and the last of a prompt counts."""

from pathlib import Path

from spiritlens.effects.failures import Failure, keep_failures, read_failures


def test_failures_come_back(tmp_path: Path) -> None:
    first, second = (
        Failure("a", "paris", "S2T", "ValueError: é\u2028line\x85"),
        Failure("b", "", "T2T", "IndexError: 3"),
    )
    keep_failures(tmp_path, "1-of-2", [first, second])
    path = tmp_path / "failures" / "1-of-2.jsonl"
    before = path.read_text()
    keep_failures(tmp_path, "1-of-2", [first])
    assert path.read_text() == before
    later = Failure("a", "paris", "S2T", "another")
    keep_failures(tmp_path, "2-of-2", [later])
    with path.open("a") as lines:
        lines.write('{"prompt": "c", "fa')
    assert read_failures(tmp_path) == {"a": later, "b": second}
    assert str(first) == "a (S2T of paris): ValueError: é\u2028line\x85"
    assert read_failures(tmp_path / "nothing") == {}
