"""Sets of parts removed from every prompt, prompt by prompt, in memory or into a folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import xarray as xr

from spiritlens.analysis.grid.each_prompt import Advance, Work, each_prompt
from spiritlens.analysis.grid.results import prompt_columns
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


def measure_sets(
    lens: Lens,
    prompts: Sequence[Prompt],
    runs: SetRuns,
    removed: Callable[[Prompt], Sequence[Sequence[int]]],
    names: Sequence[str],
    attributes: Mapping[str, str | int | float],
    place: Place,
) -> xr.Dataset:
    """Values ``[prompt set]`` of each prompt with each of its sets `removed`; `names` are those of the sets."""
    title = str(attributes["method"])

    def measure(number: int, advance: Advance) -> xr.Dataset:
        prompt = prompts[number]
        found = runs.values(prompt, removed(prompt))
        baselines = {name: [getattr(found, name)] for name in ("clean", "empty", "noise_floor")}
        columns = prompt_columns([prompt], [given_answer(lens, prompt).known])
        return new_sets(found.values[None], baselines, names, columns, attributes)

    work = Work(tuple(prompts), measure, attributes, title)
    return whole(each_prompt(work, folder=place.within(title), progress=place.progress), prompts)


def whole(found: xr.Dataset, prompts: Sequence[Prompt]) -> xr.Dataset:
    """The dataset of all prompts; what was interrupted ranks nothing."""
    if found.sizes["prompt"] < len(prompts):
        raise KeyboardInterrupt("rankings need all prompts; with folder=… the same call goes on where it stopped")
    return found
