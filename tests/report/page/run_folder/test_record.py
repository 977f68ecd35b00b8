"""What is kept for a page is read back equal."""

from pathlib import Path

from spiritlens.report.page.run_folder.record import (
    KeptDataset,
    KeptMap,
    KeptMaps,
    PageRecord,
    read_record,
    write_record,
)

RECORD = PageRecord(
    datasets=(KeptDataset("nach „Rolle“", "effects.nc", ("a", "b"), {"dose": "equal"}), KeptDataset("b", "b/e.nc", ())),
    prompts=("a", "b"),
    sounds={"a": "wavs/a.wav"},
    accuracy=({"group": "all", "facts": 3, "T2T": 1 / 3},),
    findings=("One − two.",),
    notes=("Note </script>.",),
    facts="all",
    maps=(KeptMaps("cells", "how to read them", (KeptMap("both", "cells/both.nc"), KeptMap("neither", ""))),),
    comparison="comparison.nc",
    settings={"seed": 3, "components": ["z"], "window": None},
)


def test_a_record_is_read_back_equal(tmp_path: Path) -> None:
    path = write_record(tmp_path, RECORD)
    assert path == tmp_path / "page.json"
    assert read_record(tmp_path) == RECORD


def test_little_is_needed(tmp_path: Path) -> None:
    little = PageRecord((KeptDataset("effects", "effects.nc", ()),))
    write_record(tmp_path, little)
    assert read_record(tmp_path) == little
