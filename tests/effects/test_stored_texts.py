"""Texts in files: what is plain is told at once as letter by letter."""

import io
import tracemalloc

import h5py
import numpy as np
import pytest

from spiritlens.effects.stored_texts import are_plain, plain_texts, stored_texts


@pytest.mark.parametrize(
    ("texts", "plain"),
    [
        (["", "abc", "é→𝄞"], True),
        ([["a", "bb"], ["", "c"]], True),
        ([""], True),
        (["a\0b"], False),
        (["\0a"], False),
        (["\ud800"], False),
        (["ab\udfff", "c"], False),
    ],
)
def test_plain_as_letter_by_letter(texts: list[str], plain: bool) -> None:
    array = np.array(texts)
    assert are_plain(array) == plain
    if plain:
        assert (plain_texts(array.astype(object), "f", "key") == array).all()
        return
    with pytest.raises(ValueError, match=r"f: key\[0\] is .*(NUL|surrogate)"):
        plain_texts(array, "f", "key")


def test_a_slice_of_a_table_is_looked_at_as_it_is() -> None:
    table = np.array([["ab", "c\0d"], ["ef", "gh"]])
    assert are_plain(table[:, 0])
    assert not are_plain(table[:, 1])
    assert not are_plain(table[:, 0].astype(object))


@pytest.mark.parametrize(
    "texts", [["ab", "", "c"], ["é", "𝄞"], [], [[""], ["x"]], "plain", "é", "", ["ab", ""] * 99, ["é"] * 200]
)
def test_what_is_stored_is_read(texts: list[str] | str) -> None:
    array = np.array(texts, dtype=object)
    with h5py.File(io.BytesIO(), "w") as file:
        item = file.create_dataset("x", data=array, dtype=h5py.string_dtype())
        found = stored_texts(item)
    assert found.dtype.kind == "U"
    assert found.tolist() == texts


def test_one_long_text_takes_a_few_times_its_size() -> None:
    """numpy's cast makes room for 128 of the longest: 640 times its size."""
    text = "letters" * 10_000
    with h5py.File(io.BytesIO(), "w") as file:
        item = file.create_dataset("x", data=text, dtype=h5py.string_dtype())
        tracemalloc.start()
        found = stored_texts(item)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert found.item() == text
    assert peak < 20 * len(text)
