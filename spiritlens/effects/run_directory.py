"""A run directory: the parts of one study, filled over several sessions, by one process or by several shards.

    config.json        what decides the numbers, made once; another configuration is refused with the difference
    environment.json   Python, platform and package versions of every environment that wrote parts, oldest first
    prompts.parquet    one row per prompt, in the order in which they were first asked for
    parts.json         what is in each part, as it was last read; it may be deleted (`spiritlens.effects.part_heads`)
    parts/<name>.nc    finished pieces of the work, of many prompts each (before version 0.4 one prompt each)
    failures/          the prompts that could not be measured, with the reasons
    effects.nc         the parts joined, in the order of prompts.parquet
    report/            the page, where one was made

Files appear whole or not at all (`spiritlens.files.atomic`); what killed writers left is swept up when a folder is
opened. A folder that needs no writing is only read. Two locks hold processes apart: `locked` for the files of the
whole folder, for a moment, and `at_work` for the parts of a shard, for as long as it runs; a killed process holds none.
"""

import contextlib
import json
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from filelock import FileLock, Timeout

from spiritlens.arguments import shown
from spiritlens.effects.environments import environment, read_environments
from spiritlens.effects.prompt_table import read_table, table_of, write_table
from spiritlens.effects.settings import setting_differences
from spiritlens.effects.shards import WHOLE, Shard
from spiritlens.effects.store import load, save
from spiritlens.files.atomic import create_whole, given_path, sweep, write_whole

PATIENCE = 1.0
"""Seconds after which a lock that is held counts as held: others hold it for a moment, to see whether it is."""


@dataclass(frozen=True)
class RunDirectory:
    """A folder of parts that one configuration fills; made by `open_run`."""

    folder: Path

    @property
    def parts(self) -> Path:
        """The folder of the parts."""
        return self.folder / "parts"

    @property
    def done(self) -> tuple[str, ...]:
        """Names of the finished parts, sorted."""
        return tuple(sorted(path.stem for path in self.parts.glob("[!.]*.nc")))

    def part(self, name: str) -> Path:
        """Where a part lies, or will."""
        if not isinstance(name, str) or not name or name != Path(name).name or name.startswith("."):
            raise ValueError(f"part name {name!r}: use a plain file name, such as 1-of-8.0001")
        return self.parts / f"{name}.nc"

    def write_part(self, name: str, effects: xr.Dataset, *, worker: str = "", seconds: float = 0.0) -> Path:
        """Write one part, with the worker that made it, the seconds that it took and the versions of packages."""
        path = self.part(name)
        now = self._note_environment()
        return save(effects.assign_attrs(worker=worker, seconds=float(seconds), environment=json.dumps(now)), path)

    def read_part(self, name: str) -> xr.Dataset:
        """Read one finished part; an unreadable one is an error that names the file."""
        return load(self.part(name))

    def write_prompts(self, rows: Iterable[Mapping[str, Any]]) -> Path:
        """Write prompts.parquet, one row per prompt."""
        return write_table(table_of(rows), self.folder / "prompts.parquet")

    def read_prompts(self) -> pd.DataFrame:
        """The rows of prompts.parquet; none where it is not there yet."""
        return read_table(self.folder / "prompts.parquet").to_pandas()

    def read_config(self) -> dict[str, Any]:
        """What decides the numbers of the folder."""
        return read_config(self.folder / "config.json")

    def write_effects(self, effects: xr.Dataset) -> xr.Dataset:
        """Write effects.nc, unless it holds just this already; return the dataset."""
        save(effects, self.folder / "effects.nc")
        return effects

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """A context that one process at a time is in, for what is read, changed and written back."""
        lock = self._acquired(self.folder / ".lock", -1)
        assert lock is not None  # it waits for as long as it takes
        try:
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def at_work(self, shard: Shard = WHOLE) -> Iterator[None]:
        """A context in which this process alone makes the parts of a shard; refused while another does.

        The whole run and its shards, or shards of another number of them, do not go together either.
        """
        lock = self._acquired(self._lock(shard.label), PATIENCE)
        if lock is None:
            raise ValueError(f"{self._busy(shard.label)}: wait for it, or give each process a shard of its own")
        try:
            others = [label for label in self.running() if label.rpartition("-")[2] != str(shard.of)]
            if others:
                raise ValueError(f"{self._busy(others[0])}: wait until it has ended")
            write_whole(self._note(shard.label), _json(_whoami()))
            yield
        finally:
            self._note(shard.label).unlink(missing_ok=True)
            lock.release()

    def running(self) -> tuple[str, ...]:
        """Labels of the shards that a process is at work on, of this machine or of another one."""
        held = []
        for path in sorted(self.parts.glob(".*.lock")):
            label = path.name[1 : -len(".lock")]
            if not self._note(label).is_file():
                continue
            try:
                lock = self._acquired(path, 0)
            except OSError:
                continue  # where nothing can be written, nobody is at work
            if lock is None:
                held.append(label)
                continue
            with contextlib.suppress(OSError):
                self._note(label).unlink(missing_ok=True)  # of a process that was killed
            lock.release()
        return tuple(held)

    def _lock(self, label: str) -> Path:
        return self.parts / f".{label}.lock"

    def _note(self, label: str) -> Path:
        return self.parts / f".{label}.worker"

    def _busy(self, label: str) -> str:
        """Who is at work on a shard, in words."""
        who = ""
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            note = json.loads(self._note(label).read_text(encoding="utf-8"))
            who = f" (process {note['process']} on {note['machine']}, since {note['since']})"
        number, _, of = label.partition("-of-")
        what = "this run" if label == WHOLE.label else f"shard {number}/{of} of this run"
        return f"{self.folder}: another process is at work on {what}{who}"

    def _acquired(self, path: Path, timeout: float) -> FileLock | None:
        """A lock, or None where another process holds it for longer."""
        lock = FileLock(path)
        try:
            lock.acquire(timeout=timeout)
        except Timeout:
            return None
        except OSError as error:
            raise OSError(error.errno, f"{self.folder} cannot be written ({error.strerror}): allow it") from error
        return lock

    def _note_environment(self) -> dict[str, Any]:
        """Add this environment to those that wrote parts here."""
        now, path = environment(), self.folder / "environment.json"
        if now not in read_environments(path):
            with self.locked():
                found = read_environments(path)
                if now not in found:
                    write_whole(path, _json([*found, now]))
        return now


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
    unlike = setting_differences(read_config(path), json.loads(wanted))
    if unlike:
        raise ValueError(
            f"{folder} was begun with other settings ({'; '.join(unlike)}): "
            "choose another folder, or repeat the command with the old settings"
        )
    if not parts.is_dir():
        parts.mkdir(parents=True, exist_ok=True)
    for place in (folder, parts):
        sweep(place)
    run = RunDirectory(folder)
    run.running()  # which takes away the notes of killed processes
    return run


def read_config(path: Path) -> dict[str, Any]:
    """The settings in a config.json; ValueError where it holds none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
        problem = f"a {type(found).__name__}, expected a mapping"
    except ValueError as error:  # not JSON, or not UTF-8
        problem = str(error)
    raise ValueError(f"{path} is not JSON of settings ({problem}): the folder is damaged; use another one")


def _whoami() -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"process": os.getpid(), "machine": socket.gethostname(), "since": now}


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
