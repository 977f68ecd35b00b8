"""Cells as texts, in the types that tables have."""

from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from spiritlens.prompts.facts.cells import cell_text, cell_texts, lookup


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" a b ", "a b"),
        (7, "7"),
        (np.int64(7), "7"),
        (1984.0, "1984"),
        (1.5, "1.5"),
        (float("inf"), "inf"),
        (None, ""),
        (float("nan"), ""),
        (np.float32("nan"), ""),
        (pd.NA, ""),
        (pd.NaT, ""),
        (np.str_("x"), "x"),
        (date(1990, 5, 12), "1990-05-12"),
        (datetime(1990, 5, 12), "1990-05-12"),
        (datetime(1990, 5, 12, 3), "1990-05-12T03:00:00"),
        (pd.Timestamp("1990-05-12"), "1990-05-12"),
    ],
)
def test_a_cell_is_a_text(value: Any, text: str) -> None:
    assert cell_text("a", value) == text


@pytest.mark.parametrize("value", [True, np.bool_(True), ["a"], {"a": 1}, b"a", np.array(["a", "b"])])
def test_what_is_no_text_is_told(value: Any) -> None:
    with pytest.raises(ValueError, match=r"answer is .*: expected a text"):
        cell_text("answer", value)


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("a", ("a",)),
        ("[a", ("[a",)),
        ("[not a list]", ("[not a list]",)),
        ('["a", "b", "A"]', ("a", "b")),
        ("['a', \"b's\"]", ("a", "b's")),
        ('{"value": "a", "aliases": ["b", null]}', ("a", "b")),
        (["a", 1984, None, " "], ("a", "1984")),
        (np.array(["a", "b"], dtype=object), ("a", "b")),
        ([["a"], {"text": "b"}], ("a", "b")),
        ({"text": ["a", "b"], "answer_start": [1, 2]}, ("a", "b")),
        ({"aliases": ["a"]}, ("a",)),
        ("[1984]", ("1984",)),
        ("São Paulo", ("São Paulo",)),
        (["S\u00e3o", "Sa\u0303o"], ("S\u00e3o",)),
        (None, ()),
        ("[]", ()),
    ],
)
def test_a_cell_of_answers(value: Any, texts: tuple[str, ...]) -> None:
    assert cell_texts("a", value) == texts


def test_a_struct_in_an_unknown_form_is_told() -> None:
    with pytest.raises(ValueError, match="a is a struct of x, y: expected one of value, str, text"):
        cell_texts("a", {"x": 1, "y": 2})


def test_a_column_inside_a_struct_is_looked_up() -> None:
    row = {"a": {"b": {"c": 1}}, "a.b": 2, "d": None}
    assert [lookup(row, name) for name in ("a.b", "a.b.c", "a", "d.e", "x")] == [2, 1, {"b": {"c": 1}}, None, None]
