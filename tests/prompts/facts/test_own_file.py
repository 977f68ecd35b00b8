"""The toolkit's own file of facts."""

import json
from pathlib import Path

import pytest

from spiritlens.prompts.facts.loading import load_facts

TEMPLATES = {
    "first": "The capital of {subject} is",
    "second": "{subject} has a capital called",
    "third": "{subject} is ruled from",
    "held out": "The city of {subject} is",
}


def test_missing_broken_and_double_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no facts at"):
        load_facts(tmp_path / "none.json")
    broken = tmp_path / "broken.json"
    broken.write_text('{"relations": {"capital": {"facts": [1]}}}')
    with pytest.raises(ValueError, match="is no facts file"):
        load_facts(broken)
    row = ["France", "Paris", "Rome", "both"]
    twins = [["S\u00e3o", "Paris", "Rome", "both"], ["Sa\u0303o", "Lyon", "Rome", "both"]]
    for rows in ([row, row], twins):  # composed and decomposed, they look the same
        broken.write_text(json.dumps({"relations": {"capital": {"templates": TEMPLATES, "facts": rows}}}))
        found = load_facts(broken)
        assert (len(found), found.left_out.counts) == (1, {"a relation and subject given twice": 1})
    broken.write_text(
        json.dumps({"relations": {"c": {"templates": TEMPLATES, "facts": [["a", "S\u00e3o", "sa\u0303o ", "both"]]}}})
    )
    with pytest.raises(ValueError, match="the foil equals the answer"):
        load_facts(broken)
    broken.write_text(json.dumps({"relations": {"capital": {"templates": TEMPLATES, "facts": [row[:3]]}}}))
    with pytest.raises(ValueError, match=r"relation 'capital' has the row \['France', 'Paris', 'Rome'\]; needed"):
        load_facts(broken)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[]", r"the file is \[\], no JSON object"),
        (b'{"relations": {}}', "holds no facts"),
        (
            b'{"relations": {"c": {"templates": "The {subject}", "facts": []}}}',
            "templates of relation 'c' is .*no JSON",
        ),
        (b'{"relations": {"c": {}, "c": {}}}', "'c' is there twice"),
        ('{"relations": {"é": {}}}'.encode("latin-1"), "is not UTF-8 .*at byte 16"),
        (b"[" * 100_000, "is no facts file"),
    ],
)
def test_a_file_in_another_form_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"facts.json.*{message}"):
        load_facts(path)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    row = ["France", "Paris", "Rome", "both"]
    path.write_text(json.dumps({"relations": {"c": {"templates": TEMPLATES, "facts": [row]}}}), encoding="utf-8-sig")
    assert [fact.id for fact in load_facts(path)] == ["c/france"]
