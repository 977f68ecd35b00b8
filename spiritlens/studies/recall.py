"""Kinds of recall of the facts that a study traced, and the maps of each kind.

Facts that are recalled exactly, by a heuristic, or guessed have other maps, which an average over all of them blurs.
With ``StudySettings(recall="kinds")`` each traced fact is asked as `spiritlens.runs.recall` says: in the phrasing in
which it was traced, in its others, without its subject and about made-up subjects (a dozen forward passes or so, where
its map takes hundreds). The study's effects then have the coordinate ``recall``, and each kind its average effects over
its facts, where it has at least `FEWEST_CLUSTERS` subjects: below that nothing could be told of it.

A study's folder has ``recall.json`` (the rule and the tag of each fact, so that a fact is asked once) and the averages
in ``recall/``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.effects.averages import average
from spiritlens.effects.intervals import FEWEST_CLUSTERS
from spiritlens.effects.schema import RECALL
from spiritlens.effects.statistics import subject_names
from spiritlens.effects.store import save
from spiritlens.files.atomic import write_whole
from spiritlens.models.lens import Lens
from spiritlens.prompts.facts.fact import Fact
from spiritlens.runs.recall import KINDS, RecallKind, RecallRule, recall_kinds
from spiritlens.text_tables import text_table


@dataclass(frozen=True, eq=False)
class KindMaps:
    """The traced facts of one kind of recall, how many subjects they are about, and their average effects by modality
    (None: too few subjects)."""

    kind: RecallKind
    facts: tuple[str, ...]
    n_subjects: int
    averages: xr.Dataset | None


@dataclass(frozen=True, eq=False)
class StudyRecall:
    """The kinds of recall of the traced facts, each with its maps; prints itself as a table."""

    kinds: tuple[KindMaps, ...]

    def __getitem__(self, kind: str) -> KindMaps:
        for one in self.kinds:
            if one.kind == kind:
                return one
        raise KeyError(f"no kind {kind!r}; there are {', '.join(KINDS)}")

    def __repr__(self) -> str:
        rows = [("recalled", "facts", "subjects", "map")]
        for one in self.kinds:
            has = "yes" if one.averages is not None else f"none below {FEWEST_CLUSTERS} subjects"
            rows.append((one.kind, str(len(one.facts)), str(one.n_subjects), has))
        return text_table(rows, right=(1, 2))

    def write(self, folder: Path) -> None:
        """Write the averages of each kind; those of an earlier call are replaced."""
        for one in self.kinds:
            path = folder / recall_file(one.kind)
            if one.averages is None:
                path.unlink(missing_ok=True)
            else:
                save(one.averages, path)


def recall_file(kind: RecallKind) -> str:
    """The averages of a kind, as a file in a study's folder."""
    return f"recall/{kind}.nc"


def fact_kinds(lens: Lens, asked: Sequence[tuple[Fact, str]], path: Path) -> dict[str, RecallKind]:
    """The tag of each fact, asked in its phrasing, by its id; what an earlier call wrote to `path` is not asked again.

    Made-up subjects are made of these facts, so all are asked anew where others are among them.
    """
    wanted = {"rule": asdict(RecallRule()), "asked": {fact.id: phrasing for fact, phrasing in asked}}
    kept = _read(path)
    if {name: kept.get(name) for name in wanted} == wanted:
        return dict(kept["kinds"])
    kinds: dict[str, RecallKind] = {}
    for phrasing in dict.fromkeys(phrasing for _, phrasing in asked):
        some = [fact for fact, own in asked if own == phrasing]
        kinds |= recall_kinds(lens, some, phrasing=phrasing, progress="none").kinds
    write_whole(path, json.dumps({**wanted, "kinds": kinds}, indent=1, ensure_ascii=False).encode())
    return kinds


def _read(path: Path) -> dict[str, Any]:
    """What was written, or nothing: a file that cannot be read is made anew."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def tagged(effects: xr.Dataset, kinds: Mapping[str, RecallKind]) -> xr.Dataset:
    """Effects with the coordinate ``recall [prompt]``; "" for a fact without a tag."""
    tags = [kinds.get(str(fact), "") for fact in effects["fact_id"].values]
    return effects.assign_coords({RECALL: ("prompt", np.asarray(tags, dtype=np.str_))})


def recall_maps(effects: xr.Dataset) -> StudyRecall:
    """The maps of each kind, of tagged effects."""
    return StudyRecall(tuple(_of_kind(kind, effects) for kind in KINDS))


def _of_kind(kind: RecallKind, effects: xr.Dataset) -> KindMaps:
    some = effects.isel(prompt=np.flatnonzero(effects[RECALL].values == kind))
    facts, n_subjects = dict.fromkeys(some["fact_id"].values.tolist()), len(set(subject_names(some).tolist()))
    return KindMaps(
        kind, tuple(facts), n_subjects, average(some, facts="all") if n_subjects >= FEWEST_CLUSTERS else None
    )
