"""Runs of one study that were made in several folders, on machines that share no disk, brought into one.

Parts are copied as they are, under names made of their content, so that a merge that was stopped goes on; prompts,
failures, environments and answers are united, and effects.nc is joined anew. A prompt that several runs hold counts
once. A study is finished by the same command on the merged folder, which finds everything done and writes the page.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from spiritlens.arguments import listed, told_keywords
from spiritlens.effects.contents import read_contents
from spiritlens.effects.environments import environment_of, read_environments, tell_mixed
from spiritlens.effects.failures import keep_failures, read_failures
from spiritlens.effects.inspecting import RunReport, inspect, runs_within
from spiritlens.effects.netcdf import read_column
from spiritlens.effects.prompt_table import read_table, table_of, write_table
from spiritlens.effects.rejoining import rejoin
from spiritlens.effects.run_directory import RunDirectory, open_run
from spiritlens.files.atomic import given_path, write_whole
from spiritlens.files.lines import shared_files

SAME_FILES = ("study.json", "dose.json")
"""Files of a study that all of its folders have alike."""


@told_keywords
def merge(folders: Iterable[str | Path], out: str | Path) -> tuple[RunReport, ...]:
    """Bring runs of the same configuration into one folder, `out`, new or one of them.

    Returns the state of the merged runs; versions of packages that differ are named in a warning. Raises ValueError for
    runs of other settings, with the difference, for damaged parts, and for folders that hold no run.
    """
    sources = [given_path("folders", folder) for folder in listed("folders", folders)]
    out = given_path("out", out)
    found = {source: runs_within(source) for source in sources}
    for source, runs in found.items():
        for path in runs:
            if source.resolve() != out.resolve():
                _bring(RunDirectory(path), out / path.relative_to(source))
    for source in sources:
        _bring_answers(source, out)
    _bring_same_files(sources, out)
    for path in runs_within(out):
        if RunDirectory(path).done:
            tell_mixed(path, _makers(RunDirectory(path)))
            rejoin(path)
    return inspect(out)


def _makers(run: RunDirectory) -> list[dict[str, Any]]:
    """The environments that made the parts: those that are noted, and those that parts name."""
    of_parts = [environment_of(part.attributes) for part in read_contents(run).parts]
    return [*read_environments(run.folder / "environment.json"), *of_parts]


def _bring(source: RunDirectory, folder: Path) -> None:
    run = open_run(folder, source.read_config())
    with run.at_work():
        for name in source.done:
            _bring_part(source.part(name), run)
        table = run.folder / "prompts.parquet"
        rows = {str(row["id"]): row for row in read_table(source.folder / "prompts.parquet").to_pylist()}
        rows |= {str(row["id"]): row for row in read_table(table).to_pylist()}
        write_table(table_of(rows.values()), table)
        keep_failures(run.folder, "merged", read_failures(source.folder).values())
        path = run.folder / "environment.json"
        here, there = read_environments(path), read_environments(source.folder / "environment.json")
        united = [*here, *(one for one in there if one not in here)]
        write_whole(path, json.dumps(united, indent=2, sort_keys=True).encode())


def _bring_part(path: Path, run: RunDirectory) -> None:
    """Copy a part that is whole, unless it is there."""
    try:
        ids, _ = read_column(path, "prompt_id")
    except Exception as error:
        raise ValueError(
            f"{path} is damaged ({' '.join(str(error).split())}): run its command again, or delete it, then merge"
        ) from error
    data = path.read_bytes()
    name = path.stem if ids == [path.stem] else f"merged-{hashlib.sha256(data).hexdigest()[:16]}"
    if name not in run.done:
        write_whole(run.part(name), data)


def _bring_answers(source: Path, out: Path) -> None:
    """Unite the lines of answers, of the whole and of shards, each once."""
    target = out / "answers.jsonl"
    paths = shared_files(source / "answers.jsonl")
    if paths in ([], [target]):
        return
    files = ([target] if target.is_file() else []) + paths
    lines = dict.fromkeys(line for path in files for line in path.read_bytes().split(b"\n"))
    write_whole(target, b"".join(line + b"\n" for line in lines if line))


def _bring_same_files(sources: Sequence[Path], out: Path) -> None:
    for name in SAME_FILES:
        held = {(source / name).read_bytes(): source for source in (*sources, out) if (source / name).is_file()}
        if len(held) > 1:
            first, second, *_ = held.values()
            raise ValueError(f"{name} differs between {first} and {second}: merge runs of one study")
        for source in held.values():
            if not (out / name).is_file():
                shutil.copyfile(source / name, out / name)
