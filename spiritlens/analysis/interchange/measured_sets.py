"""Sets of parts removed from every prompt, prompt by prompt, in memory or into a folder.

A prompt that cannot be measured is left out of the results of its stage, with a warning (`each_prompt`). Rankings are
made of the others: `spread` gives such a prompt NaN.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.analysis.grid.each_prompt import Advance, Work, each_prompt
from spiritlens.analysis.grid.results import prompt_columns
from spiritlens.analysis.interchange.rankings import Array
from spiritlens.analysis.interchange.set_runs import SetRuns
from spiritlens.effects.interchange import new_sets
from spiritlens.effects.shards import RunFolder
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.answers import given_answer
from spiritlens.terms import Progress


@dataclass(frozen=True, eq=False)
class Place:
    """Where the finished prompts of a call are kept (None: in memory), and how its progress is shown."""

    folder: RunFolder | None
    progress: Progress

    def within(self, name: str) -> RunFolder | None:
        """The folder of one stage."""
        return None if self.folder is None else self.folder.within(name)

    def finished(self, found: xr.Dataset, prompts: Sequence[Prompt]) -> xr.Dataset:
        """What a stage found of all prompts; in memory, one that was interrupted ranks nothing.

        In a folder a prompt is missing only where it could not be measured: Ctrl-C ends the call.
        """
        if self.folder is None and found.sizes["prompt"] < len(prompts):
            raise KeyboardInterrupt("rankings need all prompts; with folder=… the same call goes on where it stopped")
        return found


def measure_sets(
    lens: Lens,
    prompts: Sequence[Prompt],
    runs: SetRuns,
    removed: Callable[[Prompt], Sequence[Sequence[int]]],
    names: Sequence[str],
    attributes: Mapping[str, str | int | float],
    place: Place,
    stage: str = "",
) -> xr.Dataset:
    """Values ``[prompt set]`` of each prompt with each of its sets `removed`; `names` are those of the sets.

    `stage` names the folder (""; the method itself). Prompts that could not be measured are left out.
    """
    title = str(attributes["method"])

    def measure(number: int, advance: Advance) -> xr.Dataset:
        prompt = prompts[number]
        found = runs.values(prompt, removed(prompt))
        baselines = {name: [getattr(found, name)] for name in ("clean", "empty", "noise_floor")}
        columns = prompt_columns([prompt], [given_answer(lens, prompt).known])
        return new_sets(found.values[None], baselines, names, columns, attributes)

    work = Work(tuple(prompts), measure, attributes, title)
    return place.finished(each_prompt(work, folder=place.within(stage or title), progress=place.progress), prompts)


def spread(values: Any, found: xr.Dataset, prompts: Sequence[Prompt]) -> Array:
    """Values of the prompts of a dataset [found …] as those of all `prompts` [prompt …]; NaN where one is missing."""
    places = {prompt.id: place for place, prompt in enumerate(prompts)}
    values = np.asarray(values, dtype=np.float64)
    every = np.full((len(prompts), *values.shape[1:]), np.nan)
    every[[places[name] for name in found["prompt_id"].values.tolist()]] = values
    return every
