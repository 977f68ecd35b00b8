"""A run directory: the parts of one study, filled over several sessions, by one process or by several.

    config.json        what decides the numbers, made once; another configuration is refused with the difference
    environment.json   Python, platform and package versions of every environment that wrote parts, oldest first
    prompts.parquet    one row per prompt, in the order in which they were first asked for
    parts/<name>.nc    finished pieces of the work
    effects.nc         the parts joined, in that order
    report/            the page, where one was made

Files appear whole or not at all (`spiritlens.files.atomic`); what killed writers left is swept up when a folder is
opened. A folder that needs no writing is only read.
"""

import contextlib
import hashlib
import io
import json
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr
from filelock import FileLock, Timeout

from spiritlens.arguments import shown
from spiritlens.effects.joining import join_effects
from spiritlens.effects.netcdf import differences, read_netcdf
from spiritlens.effects.settings import setting_differences
from spiritlens.effects.store import load, save
from spiritlens.files.atomic import create_whole, given_path, sweep, write_whole

PACKAGES = (
    "spiritlens",
    "torch",
    "transformer-lens",
    "transformers",
    "numpy",
    "xarray",
    "soundfile",
    "espeakng-loader",
)
"""Packages whose versions are written to environment.json."""


CHECKSUM = b"spiritlens sha256"
"""Where prompts.parquet keeps the checksum of its rows: those of its pages leave out headers and names."""


@dataclass(frozen=True)
class RunDirectory:
    """A folder of parts that one configuration fills; made by `open_run`."""

    folder: Path

    @property
    def done(self) -> tuple[str, ...]:
        """Names of the finished parts, sorted."""
        return tuple(sorted(path.stem for path in (self.folder / "parts").glob("[!.]*.nc")))

    def part(self, name: str) -> Path:
        """Where a part lies, or will."""
        if not isinstance(name, str) or not name or name != Path(name).name or name.startswith("."):
            raise ValueError(f"part name {name!r}: use a plain file name, such as a prompt's id")
        return self.folder / "parts" / f"{name}.nc"

    def write_part(self, name: str, effects: xr.Dataset) -> Path:
        """Write one part; from then on the name is in `done`."""
        path = self.part(name)
        self._note_environment()
        return save(effects, path)

    def read_part(self, name: str) -> xr.Dataset:
        """Read one finished part; an unreadable one is an error that names the file."""
        return load(self.part(name))

    def read_prompt(self, name: str) -> xr.Dataset:
        """Read the part that is named after its one prompt; another prompt's in its place is an error."""
        part = self.read_part(name)
        if part["prompt_id"].values.tolist() != [name]:
            raise ValueError(
                f"{self.part(name)} holds the prompt {', '.join(part['prompt_id'].values)}: delete the file and run "
                "the same command again"
            )
        return part

    def write_prompts(self, rows: Iterable[Mapping[str, Any]]) -> Path:
        """Write prompts.parquet, one row per prompt."""
        table = list(rows)
        names = dict.fromkeys(name for row in table for name in row)
        columns = {name: [row.get(name) for row in table] for name in names}
        data = io.BytesIO()
        # not by pandas, which makes None of NaN within lists, such as the times of a text's tokens
        made = pa.table(columns)
        pq.write_table(made.replace_schema_metadata({CHECKSUM: _checksum(made)}), data, write_page_checksum=True)
        return write_whole(self.folder / "prompts.parquet", data.getvalue())

    def read_prompts(self) -> pd.DataFrame:
        """The rows of prompts.parquet; none where it is not there yet."""
        path = self.folder / "prompts.parquet"
        if not path.is_file():
            return pd.DataFrame()
        try:
            table = pq.read_table(path, page_checksum_verification=True)
            if _checksum(table) != (table.schema.metadata or {}).get(CHECKSUM, _checksum(table)):
                raise ValueError("its checksum is not that of its rows")
            return table.to_pandas()
        except Exception as error:
            raise ValueError(
                f"{path} is damaged ({error}): delete it and run the same command again, which writes it anew"
            ) from error

    def finish(self, names: Sequence[str] | None = None) -> xr.Dataset:
        """Join the parts (`names` in this order, by default all that are done) into effects.nc and return them."""
        wanted = self.done if names is None else tuple(names)
        missing = sorted(set(wanted) - set(self.done))
        if missing:
            raise ValueError(
                f"{len(missing)} parts are not done yet, such as {missing[0]!r}: run the same command again"
            )
        return self.write_effects(join_effects([self.read_part(name) for name in wanted]))

    def write_effects(self, effects: xr.Dataset) -> xr.Dataset:
        """Write effects.nc, unless it holds just this already; return the dataset."""
        path = self.folder / "effects.nc"
        with contextlib.suppress(OSError, ValueError):
            if not differences(effects, read_netcdf(path)):
                return effects
        save(effects, path)
        return effects

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """A context that one process at a time is in, for what is read, changed and written back."""
        path = self.folder / ".lock"
        try:
            lock = FileLock(path)
            lock.acquire()
        except OSError as error:
            raise OSError(error.errno, f"{self.folder} cannot be written ({error.strerror}): allow it") from error
        try:
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def claimed(self, name: str, *, wait: bool) -> Iterator[bool]:
        """A context in which this process alone makes a part, if it is True; without `wait` it may be another's."""
        path = self.part(name)
        lock = FileLock(path.with_name(f".{name}.lock"))
        try:
            lock.acquire(blocking=wait)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()
            with contextlib.suppress(OSError):
                Path(lock.lock_file).unlink()  # at worst two make the same part, and both make it alike

    def _note_environment(self) -> None:
        """Add this environment to those that wrote parts here."""
        now, path = environment(), self.folder / "environment.json"
        if now in _environments(path):
            return
        with self.locked():
            found = _environments(path)
            if now not in found:
                write_whole(path, _json([*found, now]))


def open_run(folder: str | Path, config: Mapping[str, Any]) -> RunDirectory:
    """Open a run directory for this configuration: new, or the same one again, so that finished parts are kept.

    `config` holds what decides the numbers (JSON values). A folder that another configuration began is refused, with
    the settings that differ.
    """
    if not isinstance(config, Mapping):
        raise ValueError(f"config={shown(config)}: expected a mapping of settings")
    folder, wanted = given_path("folder", folder), _json(config)
    existing = next((path for path in (folder, *folder.absolute().parents) if path.exists()), folder)
    if existing.exists() and not existing.is_dir():
        raise ValueError(f"folder={str(folder)!r}: {existing} is a file; name a folder, new or of an earlier run")
    path, parts = folder / "config.json", folder / "parts"
    if not path.is_file():
        if parts.is_dir() and any(parts.glob("*.nc")):
            raise ValueError(
                f"{folder} holds parts but no config.json, so what made them is unknown: use another folder"
            )
        create_whole(path, wanted)
    found = _read_config(path)
    unlike = setting_differences(found, json.loads(wanted))
    if unlike:
        raise ValueError(
            f"{folder} was begun with other settings ({'; '.join(unlike)}): "
            "choose another folder, or repeat the command with the old settings"
        )
    if not parts.is_dir():
        parts.mkdir(parents=True, exist_ok=True)
    for place in (folder, parts):
        sweep(place)
    for left in parts.glob(".*.lock"):
        with contextlib.suppress(OSError, Timeout), FileLock(left, blocking=False):
            left.unlink()
    return RunDirectory(folder)


def _checksum(table: pa.Table) -> bytes:
    rows = {name: table.column(name).to_pylist() for name in table.column_names}
    return hashlib.sha256(repr(rows).encode("utf-8", "surrogatepass")).hexdigest().encode()


def environment() -> dict[str, Any]:
    """Python, platform and installed package versions (read from their metadata; nothing is imported)."""
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": {package: version(package) for package in PACKAGES},
    }


def version(package: str) -> str:
    """The installed version of a package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _environments(path: Path) -> list[Any]:
    """What environment.json holds; version 0.1 kept one alone. A damaged one begins anew: no number depends on it."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return found if isinstance(found, list) else [found]


def _read_config(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
        problem = f"a {type(found).__name__}, expected a mapping"
    except ValueError as error:  # not JSON, or not UTF-8
        problem = str(error)
    raise ValueError(f"{path} is not JSON of settings ({problem}): the folder is damaged; use another one")


def _json(value: Any) -> bytes:
    """JSON as bytes; numpy's numbers become plain ones."""
    try:
        text = json.dumps(
            dict(value) if isinstance(value, Mapping) else value,
            indent=2,
            sort_keys=True,
            ensure_ascii=False,
            default=_plain,
        )
        return (text + "\n").encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"the configuration cannot be written as JSON ({error}): give texts and numbers") from error


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} is a {type(value).__name__}")
