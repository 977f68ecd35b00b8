"""Effects in files: datasets are checked when written and when read, and read back before they are a file.

A file is written as a whole under a name of its own and then renamed (`spiritlens.files.atomic`), so that one that is
there is complete; one that cannot be read, or whose checksum is not that of its content, was damaged afterwards.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import xarray as xr

from spiritlens.arguments import shown, told_keywords
from spiritlens.effects.canaries import warn_of_canary
from spiritlens.effects.interchange import INTERCHANGE_SCHEMA, SETS_SCHEMA, check_interchange, check_sets
from spiritlens.effects.measures import MEASURE_CHECKS
from spiritlens.effects.netcdf import is_sealed, read_netcdf, write_netcdf
from spiritlens.effects.paths import PATHS_SCHEMA, check_paths
from spiritlens.effects.schema import (
    SCHEMA,
    check_effects,
)
from spiritlens.files.atomic import given_path
from spiritlens.warn import warn

CHECKS: dict[str, Callable[[xr.Dataset], xr.Dataset]] = {
    SCHEMA: check_effects,
    PATHS_SCHEMA: check_paths,
    INTERCHANGE_SCHEMA: check_interchange,
    SETS_SCHEMA: check_sets,
    **MEASURE_CHECKS,
}


@told_keywords
def save(dataset: xr.Dataset, path: str | Path) -> Path:
    """Check the dataset of a method (or averages) and write it as netCDF.

    The file appears when it is complete and has been read back equal, value by value; else there is one error. Returns
    the path. Raises ValueError for what no schema has or netCDF cannot hold, OSError with the bytes needed and free.
    """
    path = given_path("path", path)
    return write_netcdf(_check(dataset, "this dataset"), path)


@told_keywords
def load(path: str | Path) -> xr.Dataset:
    """Read a dataset written by `save` into memory, and check its checksum and its schema.

    Returns it, with a warning where its canary fails (`spiritlens.effects.canaries`). Raises FileNotFoundError without
    such a file, ValueError where it is damaged or of no schema.
    """
    path = given_path("path", path)
    if not path.is_file():
        kind = "is a folder; name the file in it, such as effects.nc" if path.is_dir() else "is not there: name a file"
        raise FileNotFoundError(f"no such file: {path} {kind} that effects.save or a trace wrote")
    try:
        dataset = read_netcdf(path)
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read as netCDF ({error}): the file is damaged; delete it and run the same command again"
        ) from error
    _warn_of_cut_labels(dataset, path)
    checked = _check(dataset, str(path))
    warn_of_canary(checked, str(path))
    return checked


def _warn_of_cut_labels(dataset: xr.Dataset, path: Path) -> None:
    """Versions 0.1 joined parts into files whose labels were cut to the width of the first part's."""
    by_0_1 = str(dataset.attrs.get("spiritlens_version", "")).startswith("0.1.")
    if by_0_1 and path.name == "effects.nc" and (path.parent / "parts").is_dir() and not is_sealed(path):
        warn(
            f"{path} was written by spiritlens {dataset.attrs['spiritlens_version']}, which cut labels to the length "
            f"of the first prompt's: facts may fall together. Its parts are whole: `spiritlens rejoin {path.parent}` "
            f"or spiritlens.effects.rejoin({str(path.parent)!r}) writes it anew"
        )


def _check(dataset: xr.Dataset, name: str) -> xr.Dataset:
    return CHECKS[schema_of(dataset, name)](dataset)


def schema_of(dataset: Any, name: str) -> str:
    """The schema that a dataset says it has, one of `CHECKS`."""
    if not isinstance(dataset, xr.Dataset):
        raise ValueError(f"{name} is {shown(dataset)} ({type(dataset).__name__}): give a dataset that a trace returned")
    schema = dataset.attrs.get("schema")
    if not isinstance(schema, str) or schema not in CHECKS:
        raise ValueError(f"{name} has the schema {schema!r}; this version of spiritlens reads {', '.join(CHECKS)}")
    return schema
