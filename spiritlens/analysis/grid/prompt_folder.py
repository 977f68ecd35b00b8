"""A method's folder: which prompts are finished in it, and whether what is there belongs to this call.

Everything is checked before the model runs. The configuration (settings, and the state of the model) must be that of
the folder; prompts may be added, and several shards may fill one folder (`spiritlens.effects.shards`). A part that was
damaged is named and its prompts are measured again; one of another study, a prompt whose tokens are there with other
words or roles, and parts of other versions of packages that were not accepted, are refused. A finished folder is only
read: the joined results with their checksum, and parts that are not as they were noted
(`spiritlens.effects.part_heads`); `verify` reads all checksums.

Names of a prompt that decide no number (its fact, relation, phrasing, group, what a recogniser heard …) may change:
prompts.parquet and the results have the new ones, whatever the parts say.
"""

import hashlib
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr

from spiritlens.analysis.grid.results import prompt_columns
from spiritlens.effects.contents import Contents, joined, named_as, read_contents, stored_names
from spiritlens.effects.environments import check_versions, environment_of, read_environments
from spiritlens.effects.failures import Failure, keep_failures, read_failures
from spiritlens.effects.netcdf import open_netcdf
from spiritlens.effects.part_heads import Part, keep_heads, read_heads
from spiritlens.effects.part_writer import PartWriter
from spiritlens.effects.prompt_table import holds, read_columns, read_ids, read_table, table_of, write_table
from spiritlens.effects.run_directory import RunDirectory, open_run
from spiritlens.effects.schema import HEARD_COLUMNS, VERSIONS
from spiritlens.effects.settings import setting_differences
from spiritlens.effects.shards import WHOLE, EmptyShard, RunFolder, Shard, given_run_folder
from spiritlens.prompts.prompt import Prompt
from spiritlens.warn import warn

NAMES = (
    *("text", "subject", "answer", "foil", "fact_id", "relation", "phrasing", "group", "audio", "voice"),
    *HEARD_COLUMNS,
)
"""Columns of a stored prompt that decide no number (its voice is part of its id)."""
FINGERPRINT = "fingerprint"
"""Column of prompts.parquet with a digest of what decides the numbers."""

Columns = Mapping[str, list[Any]]
"""The present names of the prompts, one value a prompt (`prompt_columns`)."""


@dataclass(eq=False)
class PromptFolder:
    """A folder opened for the prompts of one shard; `where` names the part of each finished one, by prompt id.

    `finished` is the result where nothing is to be done or written any more.
    """

    run: RunDirectory
    prompts: Mapping[str, Prompt]
    shard: Shard
    trace: Mapping[str, Any]
    accept_versions: bool = False
    where: dict[str, str] = field(default_factory=dict)
    damaged: Mapping[str, str] = field(default_factory=dict)
    finished: xr.Dataset | None = None
    failures: list[Failure] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)
    """What is wrong with the damaged parts that were put aside."""
    parts: tuple[Part, ...] = ()
    """The parts as they were last looked at."""
    _noted: tuple[Part, ...] = ()
    """The parts as parts.json notes them."""
    _failed_before: Mapping[str, Failure] = field(default_factory=dict)

    @property
    def waiting(self) -> tuple[str, ...]:
        """Ids of the prompts that are not finished yet."""
        return tuple(name for name in self.prompts if name not in self.where)

    @contextmanager
    def at_work(self) -> Iterator[PartWriter]:
        """A context in which to measure: this process alone does, and what it adds is written at the latest when it
        ends, also by Ctrl-C."""
        noted = read_environments(self.run.folder / "environment.json")
        made_by = [environment_of(part.attributes) for part in self.parts]
        check_versions(self.run.folder, [*noted, *made_by], accept=self.accept_versions)
        with self.run.at_work(self.shard):
            self._put_aside()
            self.look()  # the last process may have ended since the folder was opened
            self._failed_before = read_failures(self.run.folder)
            writer = PartWriter(self.run, self.shard)
            try:
                yield writer
            except OSError:
                raise  # there is no room, or no permission: a second try would hide the first error
            except BaseException:
                writer.write()
                raise
            writer.write()

    def leave_out(self, failure: Failure) -> None:
        """Record a prompt that cannot be measured."""
        self.failures.append(failure)
        keep_failures(self.run.folder, self.shard.label, [failure], self._failed_before)

    def finish(self) -> xr.Dataset:
        """Join the finished prompts of this call, in its order; the whole run joins its folder into effects.nc."""
        if self.finished is not None:
            return self.finished
        if not self.prompts:
            raise EmptyShard(f"shard {self.shard} has none of the prompts: give no more shards than there are prompts")
        ids = [name for name in self.prompts if name in self.where]
        if not ids and self.failures:
            raise ValueError(
                f"none of the {len(self.failures)} prompts could be measured; the first: {self.failures[0]}"
            )
        asked = self._joined(ids)
        if self.shard == WHOLE:
            self._write(asked, ids)
            self._put_aside_what_is_left()
            self.look()
        return asked

    def _joined(self, ids: Sequence[str]) -> xr.Dataset:
        found = joined(self.run, ids, self.where)
        here = [name in self.prompts for name in ids]
        if all(here):
            chosen = [self.prompts[name] for name in ids]
            return named_as(found, prompt_columns(chosen, [False] * len(chosen)))
        return named_as(found, stored_names(self.run, ids))

    def _write(self, asked: xr.Dataset, ids: Sequence[str]) -> None:
        """effects.nc: all finished prompts of the folder, in the order of prompts.parquet."""
        order = read_ids(self.run.folder / "prompts.parquet")
        there = [name for name in order if name in self.where]
        if there == list(ids):
            self.run.write_effects(asked)
            return
        with self.run.locked():
            self.run.write_effects(self._joined(there))
        lacking = [name for name in order if name not in self.where]
        damaged = [*self.aside, *self.damaged.values()]
        if lacking and damaged:
            told = "; ".join(damaged[:3])
            warn(f"effects.nc lacks {len(lacking)} prompts of other calls, which measure them again: {told}")

    def look(self, known: Mapping[str, Part] | None = None) -> None:
        """Read which prompts are finished; of parts that did not change since they were `known` (None: last looked at)
        nothing is read."""
        known = {part.name: part for part in self.parts} if known is None else known
        contents = read_contents(self.run, frozenset(read_ids(self.run.folder / "prompts.parquet")), noted=known)
        _check_study(self.run, contents, self.trace, self.prompts)
        self.where, self.damaged, self.parts = contents.where, contents.damaged, contents.parts
        if not self.waiting and self.parts != self._noted:
            keep_heads(self.run.folder, self.parts)
            self._noted = self.parts

    def _put_aside(self) -> None:
        """Damaged parts of this worker are kept under another name, and their prompts measured again; those of others
        are told."""
        mine = [name for name in self.damaged if self.shard == WHOLE or name.startswith(f"{self.shard.label}.")]
        for name in mine:
            path = self.run.part(name)
            path.replace(path.with_suffix(".damaged"))
        self.aside = [self.damaged[name] for name in mine]
        others = [why for name, why in self.damaged.items() if name not in mine]
        for found, what in ((self.aside, "are damaged and kept as .damaged"), (others, "of other shards are damaged")):
            if found:
                warn(f"{len(found)} parts {what}; their prompts are measured again: {'; '.join(found[:3])}")

    def _put_aside_what_is_left(self) -> None:
        """Damaged parts whose prompts shards measured again, so that nothing was waiting; where that can be written."""
        if self.damaged and not self.aside:
            with suppress(OSError), self.run.at_work():
                self._put_aside()


def open_folder(folder: str | Path | RunFolder, prompts: Sequence[Prompt], config: Mapping[str, Any]) -> PromptFolder:
    """Open a folder for these prompts, and check what it holds before anything is run.

    `config` holds under "trace" the attributes that every part has.
    """
    given = given_run_folder(folder)
    run = open_run(given.path, config)
    by_id = {prompt.id: prompt for prompt in prompts}
    columns = prompt_columns([*by_id.values()], [False] * len(by_id))
    _add_prompts(run, by_id, columns)
    names = list(by_id)
    mine = {names[place]: prompts[place] for place in given.shard.places([len(prompt) for prompt in by_id.values()])}
    heads = read_heads(run.folder)
    kept = PromptFolder(run, mine, given.shard, config["trace"], given.accept_versions, _noted=tuple(heads.values()))
    kept.look(heads)
    kept.finished = _finished(kept, columns) if given.shard == WHOLE else None
    if kept.finished is None:  # parts will be joined: one that decayed since it was noted must be found now
        kept.look({part.name: part for part in kept.parts if heads.get(part.name) != part})
    return kept


def _finished(kept: PromptFolder, columns: Columns) -> xr.Dataset | None:
    """The joined results, where they are of just these prompts under their present names, and every part is whole.

    Their large arrays are read when they are used.
    """
    path = kept.run.folder / "effects.nc"
    if kept.damaged or kept.waiting or not path.is_file():
        return None
    try:
        effects = open_netcdf(path)
    except Exception:  # not there, damaged, of an earlier version: the parts say what there is
        return None
    if "prompt_id" not in effects.coords or effects["prompt_id"].values.tolist() != list(kept.prompts):
        return None
    if _unlike(kept.trace, effects.attrs):
        return None
    return effects if named_as(effects, columns) is effects else None


def _check_study(
    run: RunDirectory, contents: Contents, trace: Mapping[str, Any], prompts: Mapping[str, Prompt]
) -> None:
    """Parts with prompts of this call have its settings."""
    foreign = []
    for part in contents.parts:
        unlike = _unlike(trace, part.attributes) if any(name in prompts for name in part.ids) else []
        foreign += [f"{part.name}.nc ({line})" for line in unlike[:1]]
    if foreign:
        raise ValueError(
            f"{run.folder} holds {len(foreign)} parts of another study, {'; '.join(foreign[:3])}: take them out of "
            "parts/"
        )


def _unlike(trace: Mapping[str, Any], attributes: Mapping[str, Any]) -> list[str]:
    there = {name: str(attributes.get(name, "not set")) for name in trace if name not in VERSIONS}
    return setting_differences(there, {name: str(trace[name]) for name in there})


def _add_prompts(run: RunDirectory, prompts: Mapping[str, Prompt], columns: Columns) -> None:
    """Bring the prompts, of these names, into prompts.parquet, after those that are there."""
    path = run.folder / "prompts.parquet"
    compared = ("id", FINGERPRINT, "encoder", *NAMES)
    table = read_columns(path, compared)
    if {*compared} <= {*table.column_names}:
        row_of = {name: row for row, name in enumerate(table.column("id").to_pylist())}
        places = [row_of.get(name, -1) for name in prompts]
        there = None if -1 in places else table.take(places)
        if there is not None and _as_held(there, prompts, columns):
            return
    _check_prompts(run, prompts, _rows(read_table(path)))
    with run.locked():
        rows = _rows(read_table(path)) | {name: _row(prompt) for name, prompt in prompts.items()}
        write_table(table_of(rows.values()), path)


def _as_held(rows: Any, prompts: Mapping[str, Prompt], columns: Columns) -> bool:
    """Whether the rows of these prompts have their fingerprints and present names."""
    prints = list(map(fingerprint, prompts.values()))
    return holds(rows.column(FINGERPRINT), prints) and all(holds(rows.column(name), columns[name]) for name in NAMES)


def _check_prompts(run: RunDirectory, prompts: Mapping[str, Prompt], found: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse prompts that are there with other words or roles, and units of two encoders."""
    encoders = {str(row.get("encoder") or "") for row in found.values()}
    for name, prompt in prompts.items():
        encoders.add(prompt.encoder)
        if name not in found:
            continue
        row = prompt.to_dict()
        unlike = [key for key in row if key not in NAMES and not _same(row[key], found[name].get(key))]
        if unlike:
            raise ValueError(
                f"prompt {name} is in {run.folder} with other {', '.join(unlike)}: its spans are others there; use "
                "another folder"
            )
    encoders -= {""}
    if len(encoders) > 1:
        raise ValueError(
            f"{run.folder} would hold prompts of {len(encoders)} speech encoders ({', '.join(sorted(encoders))}): "
            "their units are not one study's; use another folder"
        )


UNIT = "\x1f"
"""What stands between the texts of a fingerprint."""


def fingerprint(prompt: Prompt) -> str:
    """A digest of what decides a prompt's numbers and its id does not: where its words and roles are, and whose tokens
    and units it has."""
    own = (prompt.vocabulary, prompt.encoder, prompt.kind)
    texts = (prompt.words, prompt.roles, prompt.parts, own, (prompt.foil_rule,), prompt.aliases)
    words = "".join([f"{len(some)} {UNIT.join(some)}" for some in texts])
    size = len(prompt.word_index)
    numbers = struct.pack(f"{size}q{2 * size}d", *prompt.word_index, *prompt.starts, *prompt.ends)
    return hashlib.sha256(words.encode("utf-8", "surrogatepass") + numbers).hexdigest()[:16]


def _row(prompt: Prompt) -> dict[str, Any]:
    return {**prompt.to_dict(), FINGERPRINT: fingerprint(prompt)}


def _rows(table: Any) -> dict[str, dict[str, Any]]:
    """The rows of prompts.parquet by prompt id."""
    rows: Iterable[dict[str, Any]] = table.to_pylist()
    return {str(row["id"]): row for row in rows}


def _same(one: Any, other: Any) -> bool:
    """Equal as texts, so that NaN equals NaN."""
    return repr(one) == repr(other)
