"""The loop of every method: prompt by prompt, in memory or into a folder, with progress, Ctrl-C and resume.

    def measure(place: int, advance: Advance) -> xr.Dataset:       # the dataset of the prompt at that place
        …
    return each_prompt(Work(prompts, measure, attributes, title="patching"), folder=folder, progress=progress)

In memory, Ctrl-C gives what is finished, with a warning. A folder keeps every finished prompt: the same call goes on
where it stopped, shards of one call may fill it together (`spiritlens.effects.shards`), and one whose settings or model
differ is refused (`spiritlens.analysis.grid.prompt_folder`). A method is then what it does to one prompt; a prompt's
numbers never depend on its neighbours, so that any division of the work gives the same. Several prompts are measured at
once where the lens says so (`spiritlens.runs.side_by_side`), those with most to do first.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr
from tqdm.auto import tqdm

from spiritlens.analysis.grid.prompt_folder import PromptFolder, open_folder
from spiritlens.arguments import check_choice
from spiritlens.effects.failures import Failure
from spiritlens.effects.joining import join_effects
from spiritlens.effects.schema import VERSIONS
from spiritlens.effects.shards import RunFolder
from spiritlens.forked import Done, forked, one_thread, tried
from spiritlens.own_errors import OWN_ERRORS, own_reason
from spiritlens.prompts.prompt import Prompt
from spiritlens.terms import Progress
from spiritlens.warn import warn

Advance = Callable[[float], None]


def _one(place: int) -> float:
    return 1


@dataclass(frozen=True, eq=False)
class Work:
    """What a method does: `measure(place, advance)` gives the dataset of one prompt.

    `attributes` are those of the result, the same for every prompt, and `settings` others that each prompt's dataset
    has: all of them decide the numbers, and a folder with other ones is refused. `together` are the prompts whose
    numbers depend on each other. `size(place)` is how much there is to do for a prompt, in the unit that `advance`
    counts; what is not counted is made up when the prompt is finished. `processes` measure side by side; `ready` is
    called once before the first prompt, for what all of them need.
    """

    prompts: tuple[Prompt, ...]
    measure: Callable[[int, Advance], xr.Dataset]
    attributes: Mapping[str, str | int | float]
    title: str
    unit: str = "prompt"
    size: Callable[[int], float] = _one
    settings: Mapping[str, Any] = field(default_factory=dict)
    together: Sequence[Prompt] = ()
    processes: int = 1
    ready: Callable[[], object] = tuple

    @property
    def config(self) -> dict[str, Any]:
        """What decides the numbers of a folder."""
        made = {name: value for name, value in self.attributes.items() if name not in VERSIONS}
        together = {"screened together": [prompt.id for prompt in self.together]} if self.together else {}
        return {"trace": {**made, **self.settings}, **together}


def each_prompt(work: Work, *, folder: str | Path | RunFolder | None = None, progress: Progress = "bar") -> xr.Dataset:
    """Measure every prompt and join the results; with a shard in `folder`, those of the shard.

    Into a folder, a prompt that cannot be measured is left out, recorded with its reason and named in a warning; where
    none can be, the first error is raised. In memory the first error ends the call.
    """
    check_choice("progress", progress, Progress)
    if folder is None:
        return _in_memory(work, progress)
    return _in_folder(work, open_folder(folder, work.prompts, work.config), progress)


def _in_memory(work: Work, progress: Progress) -> xr.Dataset:
    """All prompts; on Ctrl-C those that are finished, with a warning."""
    parts: dict[int, xr.Dataset] = {}
    count = len(work.prompts)
    sizes = {place: work.size(place) for place in range(count)}
    with _bar(work, sizes, progress) as bar, closing(_each(work, sizes, bar.update)) as each:
        try:
            for done in each:
                parts[done.place] = done.result()
        except KeyboardInterrupt:
            if not parts:
                raise
            warn(f"interrupted: the result holds the {len(parts)} finished of {count} prompts")
    return join_effects([parts[place] for place in sorted(parts)])


def _in_folder(work: Work, kept: PromptFolder, progress: Progress) -> xr.Dataset:
    """All prompts of the shard: those that are waiting are measured, then all are joined."""
    if kept.finished is None and kept.waiting:
        with kept.at_work() as writer:
            places = {prompt.id: place for place, prompt in enumerate(work.prompts)}
            sizes = {places[name]: work.size(places[name]) for name in kept.waiting}
            with _bar(work, sizes, progress) as bar, closing(_each(work, sizes, bar.update)) as each:
                for done in each:
                    prompt = work.prompts[done.place]
                    try:
                        found = done.result()
                    except OWN_ERRORS as error:
                        kept.leave_out(_failure(prompt, error))
                    else:
                        kept.where[prompt.id] = writer.add(found, done.seconds)
        if kept.failures:
            told = "; ".join(str(failure) for failure in kept.failures[:3])
            warn(f"{len(kept.failures)} prompts could not be measured and are left out: {told}")
    return kept.finish()


def _failure(prompt: Prompt, error: Exception) -> Failure:
    """What is recorded of a prompt."""
    return Failure(prompt.id, prompt.fact_id, prompt.kind, own_reason(error))


def _each(work: Work, sizes: Mapping[int, float], advance: Advance) -> Generator[Done[xr.Dataset]]:
    """Every place with a size: one after another or, as they are finished, side by side."""
    work.ready()

    def here(place: int) -> xr.Dataset:
        return _measured(work, place, sizes[place], advance)

    if work.processes == 1 or len(sizes) == 1:
        alone = one_thread() if work.processes > 1 else nullcontext()  # as beside others: threads may decide a digit
        with alone:
            for place in sizes:
                yield tried(here, place)
        return
    largest_first = sorted(sizes, key=lambda place: (-sizes[place], place))
    for done in forked(lambda place: work.measure(place, lambda step: None), largest_first, work.processes):
        advance(sizes[done.place])
        yield done


def _measured(work: Work, place: int, size: float, advance: Advance) -> xr.Dataset:
    """One prompt, for which the bar moves by its size and no further."""
    done = 0.0

    def count(step: float) -> None:
        nonlocal done
        moved = min(step, size - done)
        done += moved
        advance(moved)

    found = work.measure(place, count)
    advance(size - done)
    return found


def _bar(work: Work, sizes: Mapping[int, float], progress: Progress) -> Any:
    return tqdm(total=sum(sizes.values()), desc=work.title, unit=work.unit, unit_scale=True, disable=progress == "none")
