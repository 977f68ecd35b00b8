"""Any source of facts as a table: rows one by one, the declared columns where there are any, and a name for messages.

Files of text are read by `text_tables`; parquet, Arrow, folders and the names of data sets by `datasets`, streamed from
files and folders; a data set by name is kept in its cache, from which it opens without the net. Columns of sound are
left undecoded.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spiritlens.arguments import shown
from spiritlens.prompts.facts.left_out import Refusal
from spiritlens.prompts.facts.shipped import ASSETS
from spiritlens.prompts.facts.text_tables import TEXT_ENDINGS, Row, text_rows
from spiritlens.prompts.facts.triples import triple_rows
from spiritlens.speech.recording_rows import table_rows
from spiritlens.speech.rows_on_disk import rows_on_disk
from spiritlens.speech.spoken_sets.triples import has_triples

BINARY_ENDINGS = {".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow"}
ENDINGS = (*TEXT_ENDINGS, *BINARY_ENDINGS)
NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
"""The name of a data set on the hub: ``owner/name``."""
EXPECTED = (
    "expected 'embedded', the path of a JSON file or another table, a folder, a data set's 'owner/name', a data set, a "
    "frame of pandas or a list of rows"
)


@dataclass(frozen=True, eq=False)
class Table:
    """Rows that are read once, in order; ``features`` as `datasets` declares them, ``folder`` where paths start."""

    name: str
    rows: Iterator[Row]
    features: Mapping[str, Any] | None = None
    folder: Path | None = None


def open_table(source: Any, split: str | None = None, config: str | None = None) -> Table:
    """The table of a source. Raises FileNotFoundError where there is none, ValueError for what is no table."""
    if isinstance(source, (str, Path)):
        return _named(source, split, config)
    if split is not None and not isinstance(source, Mapping):
        raise ValueError(f"split={shown(split)}: only folders and data sets by name have splits; leave it out")
    if isinstance(source, Mapping) and all(hasattr(part, "column_names") for part in source.values()) and source:
        return _of_dataset(_one_split(source, split, "the data set"), "the data set")
    if hasattr(source, "column_names") and hasattr(source, "features"):
        return _of_dataset(source, "the data set")
    if hasattr(source, "to_batches"):
        return Table("the Arrow table", (row for batch in source.to_batches() for row in batch.to_pylist()))
    if hasattr(source, "itertuples"):
        return Table("the frame", _frame_rows(source))
    if isinstance(source, (bytes, Mapping)) or not isinstance(source, Iterable):
        raise ValueError(f"source={shown(source)} ({type(source).__name__}): {EXPECTED}")
    return Table("the rows", _given_rows(source))


def _named(source: str | Path, split: str | None, config: str | None) -> Table:
    path = ASSETS / "facts.json" if source == "embedded" else Path(source)
    if os.path.isdir(path) and str(source).strip():
        return _of_folder(path, split, config)
    if not os.path.isfile(path):  # unlike Path.is_file, False for a name that no file can have
        if isinstance(source, str) and NAME.fullmatch(source) and path.suffix.lower() not in ENDINGS:
            return _of_hub(source, split, config)
        raise FileNotFoundError(
            f"no facts at {shown(str(path), 200)}; give 'embedded', the path of a file ({', '.join(ENDINGS)}) or of a "
            f"folder, or a data set's 'owner/name'; a JSON file may look like {ASSETS / 'facts.json'}"
        )
    if split is not None:
        raise ValueError(f"split={shown(split)}: {path} is one file and has no splits; leave it out")
    ending = path.suffix.lower()
    if ending in TEXT_ENDINGS:
        return Table(str(path), text_rows(path), folder=path.parent)
    if ending not in BINARY_ENDINGS:
        raise ValueError(f"{path}: no table is read from files of this ending; give one of {', '.join(ENDINGS)}")
    found = _loaded(str(path), BINARY_ENDINGS[ending], data_files=str(path), split="train", streaming=True)
    return _of_dataset(found, str(path), path.parent)


def _of_folder(path: Path, split: str | None, config: str | None) -> Table:
    """The folder of a data set: what `save_to_disk` wrote, a table of sound, triples, or files."""
    from datasets import load_from_disk

    rows: Iterable[Row] | None = triple_rows(path) if has_triples(path) else table_rows(path)
    if rows is not None:
        if split is not None:
            raise ValueError(f"split={shown(split)}: {path} has no splits; leave it out")
        return Table(str(path), iter(rows), folder=path)
    if (path / "dataset_dict.json").is_file() or (path / "state.json").is_file():
        found = load_from_disk(str(path))
    else:
        if not any(name.is_file() for name in path.rglob("*")):
            raise ValueError(
                f"{path} is an empty folder, so there are no facts at it; give a JSON file or another table"
            )
        found = _loaded(str(path), str(path), config, streaming=True)
    if isinstance(found, Mapping):
        found = _one_split(found, split, str(path))
    elif split is not None:
        raise ValueError(f"split={shown(split)}: {path} has no splits; leave it out")
    return _of_dataset(found, str(path), path)


def _of_hub(name: str, split: str | None, config: str | None) -> Table:
    found = _loaded(name, name, config)
    return _of_dataset(_one_split(found, split, name), name)


def _loaded(name: str, *given: Any, **options: Any) -> Any:
    from datasets import load_dataset

    try:
        return load_dataset(*given, **options)
    except Exception as error:  # of each builder and of the hub, in many classes
        why = " ".join(str(error).split())
        raise ValueError(
            f"no facts at {name}: `datasets` cannot open it ({type(error).__name__}: {why}); name its config= where it "
            "has several, or give a file of it"
        ) from error


def _one_split(found: Mapping[str, Any], split: str | None, name: str) -> Any:
    if split is None and len(found) == 1:
        return next(iter(found.values()))
    if split is None or split not in found:
        given = "" if split is None else f", no {shown(split)}"
        raise ValueError(f"{name} has the splits {', '.join(map(str, found))}{given}: say which by split=")
    return found[split]


def _of_dataset(found: Any, name: str, folder: Path | None = None) -> Table:
    return Table(name, _told(rows_on_disk(found), name), found.features, folder)


def _told(rows: Iterable[Any], name: str) -> Iterator[Row]:
    """The rows of a data set; an error of its reader is told with the place."""
    read = 0
    try:
        for row in rows:
            yield row
            read += 1
    except Exception as error:
        why = " ".join(str(error).split())
        raise ValueError(f"{name} cannot be read after row {read} ({type(error).__name__}: {why})") from error


def _frame_rows(frame: Any) -> Iterator[Row]:
    columns = [str(column) for column in frame.columns]
    return (dict(zip(columns, row, strict=True)) for row in frame.itertuples(index=False, name=None))


def _given_rows(rows: Iterable[Any]) -> Iterator[Row]:
    for place, row in enumerate(rows):
        if isinstance(row, Mapping):
            yield row
        elif place == 0:
            raise ValueError(f"source[0] is {shown(row)} ({type(row).__name__}): {EXPECTED}, each row a mapping")
        else:
            yield Refusal("the row cannot be read", f"{shown(row)} is no mapping of columns")
