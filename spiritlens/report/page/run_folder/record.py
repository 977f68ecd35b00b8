"""What a run folder keeps for its page, in ``page.json``: all that is on it and is not in the folder's other files.

The datasets with their names and prompts, the sounds of the prompts, findings, accuracy, notes, settings, and which
further maps and which comparison belong to it, each by the name of its file in the folder. The text ``schema`` is the
version. A study writes it when everything else is there, so that a folder with it is whole.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any, get_args

from spiritlens.arguments import once
from spiritlens.files.atomic import write_whole
from spiritlens.terms import Facts

SCHEMA = "spiritlens.page/1"
FILE = "page.json"


@dataclass(frozen=True)
class KeptDataset:
    """A dataset on the page: its name there, its file, the ids of its prompts in order, attributes that it is given."""

    name: str
    file: str
    prompts: tuple[str, ...]
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class KeptMap:
    """Averages by role of a group of facts; `file` is "" where nothing of it was traced."""

    name: str
    file: str


@dataclass(frozen=True)
class KeptMaps:
    """Maps of groups of facts that stand beside each other, with their heading and a sentence on how to read them."""

    heading: str
    text: str
    groups: tuple[KeptMap, ...]


@dataclass(frozen=True)
class PageRecord:
    """What is kept; ``sounds`` are wavs by prompt id, `settings` what the study was asked for, `comparison` a file."""

    datasets: tuple[KeptDataset, ...]
    prompts: tuple[str, ...] = ()
    sounds: Mapping[str, str] = field(default_factory=dict)
    accuracy: tuple[Mapping[str, Any], ...] = ()
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    facts: Facts = "known"
    maps: tuple[KeptMaps, ...] = ()
    comparison: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


def write_record(folder: Path, record: PageRecord) -> Path:
    """Write ``page.json`` in one step; return its path."""
    text = json.dumps({"schema": SCHEMA, **asdict(record)}, indent=1, ensure_ascii=False)
    return write_whole(folder / FILE, text.encode())


def read_record(folder: Path) -> PageRecord:
    """What `write_record` wrote; ValueError in one sentence for a file that was changed or is of another version."""
    path = folder / FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=once)
        schema = values.pop("schema", None) if isinstance(values, dict) else None
    except ValueError as error:
        raise ValueError(
            f"{path} cannot be read ({error}): it was changed; the same command again writes it anew"
        ) from error
    if schema != SCHEMA:
        raise ValueError(
            f"{path} has the schema {schema!r}, and this version of spiritlens reads {SCHEMA!r}: run the same command "
            "again, which writes it anew"
        )
    try:
        return _record(values)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        said = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{path} was changed ({said}): the same command again writes it anew") from error


def _record(values: Mapping[str, Any]) -> PageRecord:
    missing = {each.name for each in fields(PageRecord)} ^ set(values)
    if missing:
        raise ValueError(f"it has or lacks {', '.join(sorted(missing))}")
    if values["facts"] not in get_args(Facts):
        raise ValueError(f"facts is {values['facts']!r}")
    datasets = tuple(
        KeptDataset(_text(one["name"]), _inside(one["file"]), _texts(one["prompts"]), dict(one["attributes"]))
        for one in values["datasets"]
    )
    if not datasets:
        raise ValueError("it names no dataset")
    return PageRecord(
        datasets=datasets,
        prompts=_texts(values["prompts"]),
        sounds={_text(prompt): _inside(file) for prompt, file in values["sounds"].items()},
        accuracy=tuple(dict(row) for row in values["accuracy"]),
        findings=_texts(values["findings"]),
        notes=_texts(values["notes"]),
        facts=values["facts"],
        maps=tuple(_maps(one) for one in values["maps"]),
        comparison=_inside(values["comparison"]) if values["comparison"] else "",
        settings=dict(values["settings"]),
    )


def _maps(values: Mapping[str, Any]) -> KeptMaps:
    groups = tuple(KeptMap(_text(one["name"]), _inside(one["file"]) if one["file"] else "") for one in values["groups"])
    if not any(group.file for group in groups):
        raise ValueError(f"no group of {values['heading']!r} has a map")
    return KeptMaps(_text(values["heading"]), _text(values["text"]), groups)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} stands where a text should")
    return value


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise ValueError(f"{values!r} stands where a list of texts should")
    return tuple(_text(value) for value in values)


def _inside(value: Any) -> str:
    """The name of a file in the folder; one that leads out of it is refused."""
    path = PurePosixPath(_text(value))
    if not path.parts or path.is_absolute() or ".." in path.parts or "\\" in str(path):
        raise ValueError(f"the file {value!r} would lie outside of the folder")
    return str(path)
