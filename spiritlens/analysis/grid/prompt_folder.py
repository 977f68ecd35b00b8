"""A method's folder: which prompts are finished in it, and whether what is there belongs to this call.

Everything is checked before the model runs. The configuration (settings, and the state of the model) must be that of
the folder; prompts may be added, and several processes may fill one folder, each taking what no other is at. A part
that was damaged is named and measured again; one of another study and a prompt whose tokens are there with other words
or roles, are refused. Names of a prompt that decide no number (its fact, relation, phrasing, group, what a recogniser
heard …) may change: the parts are given the new ones.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.analysis.grid.results import prompt_columns
from spiritlens.effects.joining import join_effects
from spiritlens.effects.run_directory import RunDirectory, open_run
from spiritlens.effects.schema import HEARD_COLUMNS, PROMPT_TEXTS
from spiritlens.effects.settings import setting_differences
from spiritlens.prompts.prompt import Prompt
from spiritlens.warn import warn

NAMES = (
    *("text", "subject", "answer", "foil", "fact_id", "relation", "phrasing", "group", "audio", "voice"),
    *HEARD_COLUMNS,
)
"""Columns of a stored prompt that decide no number (its voice is part of its id)."""


@dataclass(frozen=True, eq=False)
class PromptFolder:
    """A folder opened for these prompts; `parts` are the finished ones among them, by prompt id.

    The parts of `damaged` prompts are there, but are measured again.
    """

    run: RunDirectory
    prompts: tuple[Prompt, ...]
    parts: dict[str, xr.Dataset] = field(default_factory=dict)
    damaged: frozenset[str] = frozenset()

    @property
    def waiting(self) -> tuple[Prompt, ...]:
        """The prompts that are not finished yet."""
        return tuple(prompt for prompt in self.prompts if prompt.id not in self.parts)

    @contextmanager
    def claimed(self, prompt: Prompt, *, wait: bool) -> Iterator[bool]:
        """A context in which to measure the prompt, if it is True; False where another process does, or has done."""
        with self.run.claimed(prompt.id, wait=wait) as ours:
            yield ours and (prompt.id in self.damaged or not self.run.part(prompt.id).is_file())

    def add(self, prompt: Prompt, effects: xr.Dataset) -> None:
        """Keep a finished prompt."""
        self.run.write_part(prompt.id, effects)
        self.parts[prompt.id] = effects

    def finish(self) -> xr.Dataset:
        """Join all finished prompts of the folder into effects.nc; return those of this call, in its order."""
        for prompt in self.waiting:  # finished by another process meanwhile
            self.parts[prompt.id] = self.run.read_prompt(prompt.id)
        asked = join_effects([self.parts[prompt.id] for prompt in self.prompts])
        order = [str(name) for name in self.run.read_prompts()["id"]]
        if order == [prompt.id for prompt in self.prompts]:
            return self.run.write_effects(asked)
        finished, damaged = set(self.run.done), []
        with self.run.locked():
            all_of = []
            for name in (name for name in order if name in finished):
                try:
                    all_of.append(self.parts[name] if name in self.parts else self.run.read_prompt(name))
                except ValueError as error:  # of another call, which measures it again
                    damaged.append(str(error))
            self.run.write_effects(join_effects(all_of))
        if damaged:
            warn(f"effects.nc lacks {len(damaged)} prompts: {'; '.join(damaged[:3])}")
        return asked


def open_folder(folder: str | Path, prompts: Sequence[Prompt], config: Mapping[str, Any]) -> PromptFolder:
    """Open a folder for these prompts, and check what it holds before anything is run.

    `config` holds under "trace" the attributes that every part has.
    """
    run = open_run(folder, config)
    _add_prompts(run, prompts)
    parts, damaged, foreign = {}, {}, []
    for prompt in prompts:
        if not run.part(prompt.id).is_file():
            continue
        try:
            part = run.read_prompt(prompt.id)
        except ValueError as error:
            damaged[prompt.id] = str(error)
            continue
        there = {name: str(part.attrs.get(name, "not set")) for name in config["trace"]}
        unlike = setting_differences(there, {name: str(value) for name, value in config["trace"].items()})
        foreign += [f"{run.part(prompt.id).name} ({line})" for line in unlike[:1]]
        parts[prompt.id] = _renamed(run, prompt, part)
    if foreign:
        raise ValueError(
            f"{folder} holds {len(foreign)} parts of another study, {'; '.join(foreign[:3])}: take them out of parts/"
        )
    if damaged:
        warn(f"{len(damaged)} parts are measured again: {'; '.join([*damaged.values()][:3])}")
    return PromptFolder(run, tuple(prompts), parts, frozenset(damaged))


def _renamed(run: RunDirectory, prompt: Prompt, part: xr.Dataset) -> xr.Dataset:
    """The part under the prompt's present names, rewritten where they changed."""
    columns = prompt_columns([prompt], [False])
    there = {name: part[name].values[0].item() for name in PROMPT_TEXTS if name in part.coords}
    there |= {
        name: part[name].values[0].item() if name in part.coords else unasked for name, unasked in HEARD_COLUMNS.items()
    }
    changed = {name: ("prompt", columns[name]) for name, held in there.items() if not _same(held, columns[name][0])}
    if not changed:
        return part
    part = part.assign_coords(changed)
    run.write_part(prompt.id, part)
    return part


def _add_prompts(run: RunDirectory, prompts: Sequence[Prompt]) -> None:
    """Bring the prompts into prompts.parquet, after those that are there."""
    rows = {prompt.id: prompt.to_dict() for prompt in prompts}
    found = _stored(run)
    for name in rows.keys() & found.keys():
        unlike = [key for key in rows[name] if key not in NAMES and not _same(rows[name][key], found[name].get(key))]
        if unlike:
            raise ValueError(
                f"prompt {name} is in {run.folder} with other {', '.join(unlike)}: its spans are others there; use "
                "another folder"
            )
    encoders = {str(row.get("encoder") or "") for row in (*found.values(), *rows.values())} - {""}
    if len(encoders) > 1:
        raise ValueError(
            f"{run.folder} would hold prompts of {len(encoders)} speech encoders ({', '.join(sorted(encoders))}): "
            "their units are not one study's; use another folder"
        )
    if all(_same(list(row.values()), list(found.get(name, {}).values())) for name, row in rows.items()):
        return
    with run.locked():
        run.write_prompts((_stored(run) | rows).values())


def _stored(run: RunDirectory) -> dict[str, dict[str, Any]]:
    """The rows of prompts.parquet by prompt id, with lists for arrays."""
    records = run.read_prompts().to_dict("records")
    return {
        str(row["id"]): {str(k): v.tolist() if isinstance(v, np.ndarray) else v for k, v in row.items()}
        for row in records
    }


def _same(one: Any, other: Any) -> bool:
    """Equal as texts, so that NaN equals NaN."""
    return repr(one) == repr(other)
