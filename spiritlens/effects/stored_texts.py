"""Texts in netCDF files: which of them the format holds, and reading many of them at once.

A NUL ends a text there, and half a character (a surrogate) has no bytes: both are refused by name. Axes: any.
"""

import contextlib
from collections.abc import Hashable
from typing import Any

import h5py
import numpy as np

Texts = np.ndarray[Any, np.dtype[Any]]

TEXT_KINDS = "UOT"
"""Kinds of numpy arrays that may hold texts: of one width, of objects, of any length."""

CAST_TOGETHER = 128
"""Texts that numpy casts at a time, with room for so many of the longest: fewer are decoded one by one, as one long
text would take so many times its size."""


def are_plain(texts: Texts) -> bool:
    """Whether texts of one width are as netCDF holds them: no half characters, and no NUL before another letter."""
    if texts.dtype.kind != "U" or not texts.dtype.isnative:
        return False
    codes = np.ascontiguousarray(texts).reshape(-1, 1).view(np.uint32)
    halves = (codes >= 0xD800) & (codes <= 0xDFFF)
    return not (halves.any() or ((codes[:, :-1] == 0) & (codes[:, 1:] != 0)).any())


def plain_texts(texts: Texts, name: str, key: Hashable) -> Texts:
    """Texts of any kind as numpy's own; ValueError for what is none, or none that netCDF holds."""
    for index, value in np.ndenumerate(texts):
        if not isinstance(value, str):
            raise ValueError(
                f"{name}: {key}{list(index)} is {value!r} ({type(value).__name__}), expected a text: netCDF "
                "has no mixed kinds; write a text, such as ''"
            )
        check_text(f"{name}: {key}{list(index)}", value)
    return np.array(texts.tolist(), dtype=np.str_).reshape(texts.shape)


def check_text(name: str, value: Any) -> None:
    """Refuse a text that netCDF does not hold."""
    if isinstance(value, str):
        value = str(value)
        if "\0" in value:
            raise ValueError(f"{name} is {value!r}, with a NUL character, which ends a text in netCDF: take it out")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError(
                f"{name} is {value!r}, with half a character (a surrogate), which no file holds: mend it"
            ) from None


def stored_texts(item: h5py.Dataset) -> Texts:
    """The texts of a file; those without letters beyond ASCII are decoded all at once."""
    stored = np.asarray(item[()])
    if stored.size < CAST_TOGETHER:
        return np.array([text.decode() for text in stored.reshape(-1).tolist()], dtype=np.str_).reshape(stored.shape)
    with contextlib.suppress(UnicodeDecodeError):
        return np.array(stored.tolist(), dtype=np.bytes_).astype(np.str_).reshape(stored.shape)
    return np.array(np.asarray(item.asstr()[()]).tolist(), dtype=np.str_).reshape(stored.shape)
