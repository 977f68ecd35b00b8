"""Tables of prompts come back, and their ids alone are read fast; damage is found by `test_run_directory`."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlens.effects.prompt_table import holds, read_ids, read_table, table_of, write_table

ROWS = [
    {"id": "é", "ids": [1, 2], "starts": [float("nan"), 0.5], "words": ["東京", ""], "n": 3, "flag": True},
    {"id": "", "ids": [], "starts": [], "words": [], "n": 0, "flag": None},
]


def test_rows_of_every_kind_come_back(tmp_path: Path) -> None:
    path = write_table(table_of(ROWS), tmp_path / "p.parquet")
    assert repr(read_table(path).to_pylist()) == repr(ROWS)
    assert read_ids(path) == ("é", "")


@pytest.mark.parametrize("name", ["id", "words", "ids", "starts", "n"])
def test_another_value_has_another_checksum(name: str, tmp_path: Path) -> None:
    values = {"id": "e", "words": ["東", "京"], "ids": [1, 3], "starts": [0.0, 0.5], "n": 4}
    paths = [tmp_path / "a", tmp_path / "b"]
    for path, rows in zip(paths, (ROWS, [{**ROWS[0], name: values[name]}, ROWS[1]]), strict=True):
        write_table(table_of(rows), path)
    one, other = (read_table(path).schema.metadata for path in paths)
    assert one != other


def test_a_table_that_is_not_there_or_damaged(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    assert read_table(path).num_rows == 0
    assert read_ids(path) == ()
    path.write_bytes(b"PAR1")
    assert read_ids(path) == ()
    with pytest.raises(ValueError, match="is damaged"):
        read_table(path)


NAN = float("nan")
COLUMNS = st.one_of(
    st.lists(st.one_of(st.text(max_size=2), st.just("\ud800")), max_size=3),
    st.lists(st.sampled_from([0.0, -0.0, 0.5, NAN, float("inf")]), max_size=3),
    st.lists(st.sampled_from([None, "", NAN, 1.0]), max_size=2),
)


@given(COLUMNS, COLUMNS)
def test_a_column_holds_what_is_equal_value_by_value(one: list[object], other: list[object]) -> None:
    try:
        column = pa.chunked_array([pa.array(one)])
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
        return  # no table has such a column
    there = column.to_pylist()
    for values in (there, other):
        assert holds(column, values) == (there == values or repr(there) == repr(values))


@pytest.mark.parametrize(
    ("there", "now"),
    [
        (["a", ""], ["a", None]),
        ([NAN], [None]),
        ([None], [""]),
        (["a"], ["\ud800"]),
        (["a"], ["a", "a"]),
        ([1.0], ["1"]),
    ],
)
def test_a_column_does_not_hold_what_is_like_it(there: list[object], now: list[object]) -> None:
    column = pa.chunked_array([pa.array(there)])
    assert holds(column, there)
    assert not holds(column, now)
