"""``prompts.parquet``: one row per prompt of a run directory, in the order in which they were first asked for.

Its checksum is that of its columns, kept in the file: those that the format makes of its pages leave out headers and
names. A `fingerprint` of what decides a prompt's numbers lets thousands of prompts be compared at once.
"""

import contextlib
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from spiritlens.files.atomic import write_whole

CHECKSUM = b"spiritlens sha256 of columns"
"""Where the file keeps its checksum. Version 0.3 wrote another one, of its rows; such a file is read without."""


def table_of(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table; not by pandas, which makes None of NaN within lists, such as the times of a text's tokens."""
    listed = list(rows)
    names = dict.fromkeys(name for row in listed for name in row)
    return pa.table({name: [row.get(name) for row in listed] for name in names})


def write_table(table: pa.Table, path: Path) -> Path:
    """Write the table with its checksum."""
    data = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({CHECKSUM: _checksum(table)}), data, write_page_checksum=True)
    return write_whole(path, data.getvalue())


def read_table(path: Path) -> pa.Table:
    """The table of a file, empty where there is none; ValueError where it is damaged."""
    if not path.is_file():
        return pa.table({})
    try:
        table = pq.read_table(path, page_checksum_verification=True)
        if _checksum(table) != (table.schema.metadata or {}).get(CHECKSUM, _checksum(table)):
            raise ValueError("its checksum is not that of its rows")
        return table
    except Exception as error:
        raise ValueError(
            f"{path} is damaged ({error}): delete it and run the same command again, which writes it anew"
        ) from error


def read_columns(path: Path, names: Sequence[str]) -> pa.Table:
    """Those of these columns that the table has; none where there is no table, or a damaged one."""
    with contextlib.suppress(OSError, pa.ArrowInvalid, KeyError):
        return pq.read_table(path, columns=list(names), page_checksum_verification=True)
    return pa.table({})


def read_ids(path: Path) -> tuple[str, ...]:
    """The ids of the prompts, in their order; none where there is no table, or a damaged one."""
    table = read_columns(path, ["id"])
    return tuple(map(str, table.column("id").to_pylist())) if "id" in table.column_names else ()


def holds(column: pa.ChunkedArray, values: Sequence[Any]) -> bool:
    """Whether a column holds just these values, NaN for NaN; texts and numbers are compared without a copy of each."""
    with contextlib.suppress(pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):  # other kinds, half characters
        now = pa.chunked_array([pa.array(values, column.type)])
        if pa.types.is_string(column.type):
            return bool(column.equals(now))
        if pa.types.is_floating(column.type) and not (column.null_count or now.null_count):
            return np.array_equal(column.to_numpy(), now.to_numpy(), equal_nan=True)
    there = column.to_pylist()
    return there == [*values] or repr(there) == repr([*values])


def _checksum(table: pa.Table) -> bytes:
    digest = hashlib.sha256()
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        digest.update(f"{name} {len(column)}".encode("utf-8", "surrogatepass"))
        _digest(column, digest.update)
    return digest.hexdigest().encode()


def _digest(values: Any, update: Any) -> None:
    """Feed an array's values: which are missing, how long each list and text is, and what is in them."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    update(np.packbits(values.is_null().to_numpy(zero_copy_only=False)).tobytes())
    kind = values.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        update(pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False).astype(np.int64).tobytes())
        _digest(pc.list_flatten(values), update)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        update(pc.fill_null(pc.binary_length(values), 0).to_numpy(zero_copy_only=False).astype(np.int64).tobytes())
        update("".join(pc.fill_null(values, "").to_pylist()).encode("utf-8", "surrogatepass"))
    elif not pa.types.is_null(kind):
        numbers = pc.fill_null(values, False if pa.types.is_boolean(kind) else 0)
        update(str(kind).encode() + numbers.to_numpy(zero_copy_only=False).tobytes())
