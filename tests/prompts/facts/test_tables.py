"""Tables from folders, from the cache of data sets by name, and what cannot be opened."""

import shutil
from pathlib import Path
from typing import Any

import datasets
import pytest
from datasets import Audio, Dataset, DatasetDict
from facts.published_rows import POP_QA

from spiritlens.prompts.facts.loading import load_facts
from spiritlens.prompts.facts.tables import open_table

ROWS = [{"subject": "France", "answer": "Paris", "prompt": "The capital of France is"}]


def named(answer: str) -> Dataset:
    return Dataset.from_list([{**ROWS[0], "answer": answer}])


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No net, and an empty cache."""
    cache = tmp_path / "cache"
    for name, value in (("HF_HUB_OFFLINE", True), ("HF_DATASETS_OFFLINE", True), ("HF_DATASETS_CACHE", str(cache))):
        monkeypatch.setattr(f"datasets.config.{name}", value)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return cache


def test_a_folder_of_files_is_a_data_set(tmp_path: Path) -> None:
    named("Paris").to_parquet(tmp_path / "train.parquet")
    assert [fact.answer for fact in load_facts(tmp_path)] == ["Paris"]
    named("Lyon").to_parquet(tmp_path / "test.parquet")
    with pytest.raises(ValueError, match=r"has the splits train, test: say which by split="):
        load_facts(tmp_path)
    assert [fact.answer for fact in load_facts(tmp_path, split="test")] == ["Lyon"]
    with pytest.raises(ValueError, match=r"has the splits train, test, no 'dev'"):
        load_facts(tmp_path, split="dev")


def test_a_saved_data_set_of_splits_is_opened_by_its_split(tmp_path: Path) -> None:
    splits = DatasetDict({"a": named("Paris"), "b": named("Lyon")})
    splits.save_to_disk(tmp_path / "saved")
    assert load_facts(tmp_path / "saved", split="b")[0].answer == "Lyon"
    assert load_facts(splits, split="a")[0].answer == "Paris"
    with pytest.raises(ValueError, match="the data set has the splits a, b: say which"):
        load_facts(splits)


def test_a_data_set_by_name_comes_from_the_cache(offline: Path, tmp_path: Path) -> None:
    """The cache of a data set that was opened once with the net, which a table in the same format stands for here."""
    Dataset.from_list(POP_QA).to_parquet(tmp_path / "x.parquet")
    datasets.load_dataset("parquet", data_files={"test": str(tmp_path / "x.parquet")}, cache_dir=str(offline))
    (prepared,) = (file.parent for file in (offline / "parquet").rglob("*.arrow"))
    kept = offline / "owner___pop_qa" / "default" / "0.0.0" / prepared.name
    shutil.copytree(prepared, kept)
    (kept / "parquet-test.arrow").rename(kept / "pop_qa-test.arrow")
    found = load_facts("owner/pop_qa")
    assert (found.layout, [fact.answer for fact in found]) == ("PopQA", ["politician"])
    assert load_facts("owner/pop_qa", split="test") == found
    with pytest.raises(ValueError, match=r"no facts at owner/none: `datasets` cannot open it \("):
        load_facts("owner/none")


def test_sound_is_left_undecoded_and_on_disk() -> None:
    held = {"audio": {"bytes": b"no sound", "path": None}, **ROWS[0]}
    table = open_table(Dataset.from_list([held]).cast_column("audio", Audio()))
    assert table.features is not None
    assert next(table.rows)["audio"].read() == b"no sound"


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("x.wav", {}, "no table is read from files of this ending; give one of .json"),
        ("x.csv", {"split": "train"}, "is one file and has no splits"),
        (ROWS, {"split": "train"}, "only folders and data sets by name have splits"),
        (ROWS, {"split": 5}, "split=5"),
        ({"a": 1}, {}, "source={'a': 1}.*a frame of pandas or a list of rows"),
        ("none/x.json", {}, "no facts at"),
        ("broken.parquet", {}, "broken.parquet"),
        ("twice.csv", {}, "two columns have the same name"),
        ("latin.csv", {}, "is not UTF-8 .*at byte 14"),
        ("empty", {}, "is an empty folder"),
    ],
)
def test_what_cannot_be_opened_is_told(source: Any, options: dict[str, Any], message: str, tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"RIFF")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 is not enough")
    (tmp_path / "x.csv").write_text("subject,answer,prompt\n")
    (tmp_path / "twice.csv").write_text("subject,answer,answer\n")
    (tmp_path / "latin.csv").write_bytes("subject\na,b,c,é\n".encode("latin-1"))
    (tmp_path / "empty").mkdir()
    source = tmp_path / source if isinstance(source, str) else source
    with pytest.raises((ValueError, OSError), match=message):
        load_facts(source, **options)
