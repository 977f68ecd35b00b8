"""A comparison in a file, and read from there: one sealed netCDF file, which opens without torch and unpickles nothing.

The cells [component layer role] are its variables; everything else is one text, JSON, in its variable ``record``: the
fields of `Comparison` by their names, and those of the values that it is made of. What a field may hold is read from
its annotation, so that the classes themselves are the format, and a file with another field, or another kind of value
in it, is refused.

The attribute ``schema`` names the version. The bytes end with a checksum, and before they become a file they are
decoded and compared with what is in memory. Source: this project's own format.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

import spiritlens
from spiritlens.arguments import once, shown, told_keywords
from spiritlens.comparison.result import Comparison
from spiritlens.effects.netcdf import is_sealed, read_netcdf, write_netcdf
from spiritlens.files.atomic import given_path

SCHEMA = "spiritlens.comparison/1"
RECORD, CELLS = "record", "cells"
AGAIN = "compare(effects) makes it again"


@told_keywords
def save(comparison: Comparison, path: str | Path) -> Path:
    """Write a comparison as one netCDF file, which appears when it is complete and is read back equal.

    Returns the path. Raises ValueError for another value, OSError with the bytes needed and free.
    """
    if not isinstance(comparison, Comparison):
        raise ValueError(
            f"comparison={shown(comparison, 40)} ({type(comparison).__name__}): expected what sl.compare(effects) "
            "returns"
        )
    path = given_path("path", path)
    record = {
        field.name: _plain(getattr(comparison, field.name)) for field in fields(Comparison) if field.name != CELLS
    }
    text = json.dumps(record, ensure_ascii=False)
    cells = comparison.cells.assign({RECORD: ((), np.array(text))})
    attributes = {"schema": SCHEMA, "spiritlens_version": spiritlens.__version__}
    return write_netcdf(cells.assign_attrs(attributes), path)


@told_keywords
def load(path: str | Path) -> Comparison:
    """Read a comparison that `save` wrote, or that a study keeps as ``comparison.nc`` in its folder.

    Returns it, with every number, label and sentence. Raises FileNotFoundError without such a file, ValueError where it
    is damaged, of another kind or of another version.
    """
    path = given_path("path", path)
    if not path.is_file():
        kind = "is a folder; name the file in it, comparison.nc" if path.is_dir() else "is not there: name a file"
        raise FileNotFoundError(f"no such file: {path} {kind} that sl.comparison.save or a study wrote")
    try:
        found = read_netcdf(path)
    except Exception as error:
        raise ValueError(f"{path} cannot be read ({error}): the file is damaged; delete it, {AGAIN}") from error
    schema = found.attrs.pop("schema", None)
    if schema != SCHEMA or RECORD not in found.variables:
        raise ValueError(f"{path} has the schema {schema!r}, expected {SCHEMA!r}: give a file of sl.comparison.save")
    if not is_sealed(path):
        raise ValueError(f"{path} was changed after it was written: delete it, {AGAIN}")
    version = found.attrs.pop("spiritlens_version", "")
    try:
        record = json.loads(str(found[RECORD].values), object_pairs_hook=once)
        values = _fields(Comparison, record, "comparison", without=(CELLS,))
    except ValueError as error:
        raise ValueError(
            f"{path} was written by spiritlens {version}, whose comparisons had other numbers ({error}): {AGAIN}"
        ) from error
    return Comparison(**values, cells=found.drop_vars(RECORD))


def _plain(value: Any) -> Any:
    """A value as JSON holds it."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return value


def _fields(kind: type[Any], record: Any, name: str, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields of a dataclass, each of its annotated kind."""
    hints = {field: hint for field, hint in _hints(kind).items() if field not in without}
    if not isinstance(record, dict) or set(record) != set(hints):
        unlike = sorted(set(record if isinstance(record, dict) else ()) ^ set(hints))
        raise ValueError(f"{name} has or lacks {', '.join(unlike)}")
    return {field: _value(hint, record[field], f"{name}.{field}") for field, hint in hints.items()}


def _hints(kind: type[Any]) -> dict[str, Any]:
    found = get_type_hints(kind)
    return {field.name: found[field.name] for field in fields(kind)}


def _value(hint: Any, value: Any, name: str) -> Any:
    """What an annotation makes of a value of JSON; ValueError where it is another kind's."""
    if is_dataclass(hint) and isinstance(hint, type):
        return hint(**_fields(hint, value, name))
    origin = get_origin(hint) or hint
    if origin in (Union, UnionType):
        (inner,) = (one for one in get_args(hint) if one is not NoneType)
        return None if value is None else _value(inner, value, name)
    reader = READERS.get(origin)
    if reader is None:
        raise ValueError(f"{name} is of no kind that files hold")
    return reader(hint, value, name)


def _one_of(hint: Any, value: Any, name: str) -> Any:
    if value not in get_args(hint):
        raise ValueError(f"{name} is {value!r}, none of {', '.join(map(str, get_args(hint)))}")
    return value


def _several(hint: Any, value: Any, name: str) -> tuple[Any, ...]:
    kinds = get_args(hint)
    if not isinstance(value, list) or (kinds[-1] is not Ellipsis and len(value) != len(kinds)):
        raise ValueError(f"{name} is {shown(value, 30)}, not {hint}")
    each = kinds[:1] * len(value) if kinds[-1] is Ellipsis else kinds
    return tuple(_value(kind, item, f"{name}[{at}]") for at, (kind, item) in enumerate(zip(each, value, strict=True)))


def _by_name(hint: Any, value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} is {shown(value, 30)}, not {hint}")
    return {key: _value(get_args(hint)[1], item, f"{name}[{key!r}]") for key, item in value.items()}


def _numbers(hint: Any, value: Any, name: str) -> Any:
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {shown(value, 30)}, not numbers") from None


def _alone(hint: Any, value: Any, name: str) -> Any:
    """A text, a truth, a whole number, or a real one (which may be whole)."""
    kinds = (int, float) if hint is float else (hint,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and hint is not bool):
        raise ValueError(f"{name} is {shown(value, 30)}, not {hint.__name__}")
    return hint(value)


READERS: dict[Any, Callable[[Any, Any, str], Any]] = {
    **dict.fromkeys((str, bool, int, float), _alone),
    Literal: _one_of,
    tuple: _several,
    Mapping: _by_name,
    dict: _by_name,
    np.ndarray: _numbers,
}
"""How a value of each kind of annotation is read."""
