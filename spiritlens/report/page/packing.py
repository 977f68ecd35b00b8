"""How the page carries numbers and words: arrays packed once, texts stored once, read back by page and tests alike.

A page of a thousand facts as JSON would weigh hundreds of megabytes. Here *texts* stand once in a table and are named
by their place; *numbers* are whole arrays of the smallest type that holds them; *segments* are many short arrays (the
effects of a prompt), each in steps of its own, so that the browser unpacks the one that is looked at.

Error
    segments are 16-bit steps of 1/20,000 of the segment's own largest size, so no value is off by more than 1/40,000 of
    it; exact zeros stay exact, and NaN is NaN. Numbers that are not whole are 32-bit floats.
Form
    arrays lie one after another in a *block*. The bytes of an array are sorted by their place in a number (all lowest
    bytes first), which compresses better. A block is deflated (zlib) and written in base64; a header in JSON says where
    in which block each array lies. Blocks are unpacked when something of them is wanted.

`read_page` reads header and blocks of a written page back; `Unpacked` is the slow, plain twin of ``unpack.js``.
"""

import base64
import json
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

STEPS = 20_000
"""A segment's largest size in steps: fewer than 16 bits have, so that a rounded step cannot leave them."""
MISSING = -32768
"""The step that stands for NaN."""

Described = dict[str, Any]
"""Where an array lies, as JSON."""


class Packing:
    """Collects the arrays and texts of a page."""

    def __init__(self) -> None:
        self._blocks: dict[str, bytearray] = {}
        self._texts: dict[str, int] = {}

    def text(self, value: str) -> int:
        """The place of a text in the table."""
        return self._texts.setdefault(value, len(self._texts))

    def texts(self, block: str, values: Iterable[str]) -> Described:
        """Places of many texts, as an array."""
        return self.numbers(block, np.asarray([self.text(str(value)) for value in values], dtype=np.int64))

    def numbers(self, block: str, values: Any) -> Described:
        """An array of any shape: whole numbers in the smallest type that holds them, others as 32-bit floats."""
        array = np.asarray(values)
        return self._array(block, array, _kind(array))

    def segments(self, block: str, arrays: Sequence[Any]) -> Described:
        """Short arrays, each in steps of its own; all in one."""
        flat = [np.asarray(array, dtype=np.float64).reshape(-1) for array in arrays]
        sizes = np.asarray([len(one) for one in flat], dtype=np.int64)
        joined = np.concatenate(flat) if flat else np.zeros(0)
        steps = np.asarray([_step(one) for one in flat], dtype=np.float32)
        each = np.repeat(steps.astype(np.float64), sizes)
        codes = np.where(np.isnan(joined), MISSING, np.round(np.nan_to_num(joined) / each)).astype("<i2")
        return {
            "sizes": self.numbers(block, sizes),
            "steps": self.numbers(block, steps),
            "codes": self._array(block, codes, "int16"),
        }

    def _array(self, block: str, array: Any, kind: str) -> Described:
        at = self._append(block, _by_place(array.astype(kind)))
        return {"block": block, "at": at, "kind": kind, "shape": list(array.shape)}

    def _append(self, block: str, data: bytes) -> int:
        held = self._blocks.setdefault(block, bytearray())
        at = len(held)
        held += data
        return at

    def header(self, about: dict[str, Any]) -> str:
        """The header as JSON that can stand inside a script element."""
        return script_json(about)

    def blocks(self) -> dict[str, str]:
        """All blocks, the table of texts among them, deflated and in base64."""
        table = json.dumps(list(self._texts), ensure_ascii=False, separators=(",", ":")).encode()
        return {name: deflated(bytes(data)) for name, data in (*self._blocks.items(), ("texts", table))}


@dataclass(frozen=True, eq=False)
class Unpacked:
    """Header and blocks of a page, read back."""

    header: dict[str, Any]
    encoded: dict[str, str]
    _opened: dict[str, bytes] = field(default_factory=dict)

    def block(self, name: str) -> bytes:
        """The bytes of a block."""
        if name not in self._opened:
            self._opened[name] = zlib.decompress(base64.b64decode(self.encoded[name]))
        return self._opened[name]

    def table(self) -> list[str]:
        """All texts, in their places."""
        return list(json.loads(self.block("texts")))

    def texts(self, described: Described) -> list[str]:
        """The texts of an array of places."""
        table = self.table()
        return [table[place] for place in self.numbers(described).reshape(-1).tolist()]

    def numbers(self, described: Described) -> Any:
        """An array as it was packed."""
        kind = np.dtype(described["kind"]).newbyteorder("<")
        count = int(np.prod(described["shape"], dtype=np.int64))
        data = self.block(described["block"])[described["at"] : described["at"] + count * kind.itemsize]
        planes = np.frombuffer(data, dtype=np.uint8).reshape(kind.itemsize, count)
        return np.ascontiguousarray(planes.T).view(kind).reshape(described["shape"])

    def segment(self, described: Described, place: int) -> Any:
        """One segment as floats."""
        sizes, steps = self.numbers(described["sizes"]), self.numbers(described["steps"])
        start = int(sizes[:place].sum())
        codes = self.numbers(described["codes"])[start : start + int(sizes[place])].astype(np.float64)
        return np.where(codes == MISSING, np.nan, codes * float(steps[place]))


def read_page(page: str | Path) -> Unpacked:
    """Header and blocks of a written page. ValueError for a file that has none."""
    html = Path(page).read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="header">(.*?)</script>', html, re.DOTALL)
    if found is None:
        raise ValueError(f"{page} has no packed numbers: give the index.html that dashboard wrote")
    blocks = re.findall(r'<script type="text/plain" data-block="([^"]+)">(.*?)</script>', html, re.DOTALL)
    return Unpacked(json.loads(found.group(1)), dict(blocks))


def script_json(value: Any) -> str:
    """JSON that can stand inside a script element: no closing tag, no line separators. NaN is refused."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _kind(array: Any) -> str:
    if array.dtype.kind == "f":
        return "float32"
    least, most = (int(array.min()), int(array.max())) if array.size else (0, 0)
    for name in ("uint8", "int16", "int32"):
        limits = np.iinfo(name)
        if limits.min <= least and most <= limits.max:
            return name
    raise ValueError(f"whole numbers from {least} to {most}: expected at most 32 bits")


def _step(segment: Any) -> float:
    largest = float(np.nanmax(np.abs(segment))) if segment.size and not np.isnan(segment).all() else 0.0
    return float(np.float32(largest / STEPS)) or 1.0


def _by_place(array: Any) -> bytes:
    """Bytes sorted by their place in a number, the lowest first."""
    little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).reshape(-1)
    return little.view(np.uint8).reshape(-1, little.itemsize).T.tobytes()


def deflated(data: bytes) -> str:
    """Bytes as a block: deflated, in base64."""
    return base64.b64encode(zlib.compress(data, 9)).decode()
