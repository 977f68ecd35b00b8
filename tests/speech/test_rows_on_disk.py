"""Sound stays on disk until it is read, and rows without any say so."""

import gc

import pytest
from sounds import encoded

from spiritlens.speech.audio.waveform import read_waveform
from spiritlens.speech.rows_on_disk import RowAudio, rows_on_disk


@pytest.fixture
def dataset(tmp_path, tone):
    from datasets import Dataset

    (tmp_path / "c.wav").write_bytes(encoded(tone[:3000]))
    clips = [
        {"bytes": encoded(tone[:1000]), "path": "a.wav"},
        {"bytes": None, "path": None},
        {"bytes": None, "path": str(tmp_path / "c.wav")},
        {"bytes": encoded(tone[:4000]), "path": None},
        None,
    ]
    return Dataset.from_dict({"id": list("abcde"), "clip": clips})


def lengths(rows):
    return [row["clip"] and len(read_waveform(row["clip"])) for row in rows]


def test_rows_in_order_with_sound_that_is_read_when_asked_for(dataset):
    rows = list(rows_on_disk(dataset))
    assert [row["id"] for row in rows] == list("abcde")
    assert list(rows[0]) == ["id", "clip"]
    assert [type(row["clip"]) for row in rows] == [RowAudio, type(None), RowAudio, RowAudio, type(None)]
    assert [row["clip"].name for row in rows if row["clip"]][::2] == ["a.wav", "row 3"]
    assert lengths(rows) == [1000, None, 3000, 4000, None]
    assert lengths(rows) == [1000, None, 3000, 4000, None], "a sound can be read again"


def test_chosen_and_shuffled_rows_keep_their_own_sound(dataset):
    from datasets import Audio

    assert lengths(rows_on_disk(dataset.select([3, 1, 0]))) == [4000, None, 1000]
    declared = dataset.select([0, 3]).cast_column("clip", Audio())
    assert lengths(rows_on_disk(declared)) == [1000, 4000]
    alone = dataset.select_columns(["clip"]).select([2])
    assert lengths(rows_on_disk(alone)) == [3000]


def test_other_sets_are_given_as_they_are(dataset):
    rows = [{"clip": "a.wav"}]
    assert list(rows_on_disk(rows)) == rows
    streamed = list(rows_on_disk(dataset.to_iterable_dataset()))
    assert [type(row["clip"]).__name__ for row in streamed] == ["dict"] * 4 + ["NoneType"]
    with pytest.raises(ValueError, match="no data set"):
        rows_on_disk(3)


def test_no_sound_is_held_in_memory(dataset, tone):
    rows = list(rows_on_disk(dataset))
    held = [
        thing for thing in gc.get_referents(*(row["clip"] for row in rows if row["clip"])) if isinstance(thing, bytes)
    ]
    assert held == []
