"""Maps that must not agree as far as two modalities do, if it is recall that agrees: floors for an agreement.

- ``control``: the same facts, but as many tokens beside the subject are corrupted: what agrees then is not about the
  subject. Facts that have no room for a control, in either modality, are left out.
- ``unknown``: facts that the model knows in neither modality, traced for what it says instead.
- *twins*: models of the same shape that learnt nothing (`spiritlens.models.untrained`), on the prompts of the study,
  traced for what they happen to say. Agreement of random models varies from one to the next, so several are needed: of
  five or more `spiritlens.comparison.reference_points` makes a bound.

Where a model is traced for what it says itself (`spiritlens.runs.own_answers`), a prompt is known by construction, the
metrics are the study's own, and a fact is paired with itself by its id though it may be answered differently in writing
and in speech.

Maps with layers shifted need no trace: they are made of the study's own.

A floor has at most three noise samples a prompt, for the agreement is of different facts, which noise within facts
does not bias.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import xarray as xr

from spiritlens.arguments import whole
from spiritlens.comparison.references import References
from spiritlens.effects.shards import RunFolder, given_run_folder, share
from spiritlens.models.lens import Lens
from spiritlens.models.untrained import untrained_twin
from spiritlens.prompts.knowing import EXACT
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions.control_span import control_span
from spiritlens.runs.corruptions.noise import Noise
from spiritlens.runs.own_answers import own_answers
from spiritlens.studies.pairs import PairedPrompts
from spiritlens.studies.settings import Floor, StudySettings
from spiritlens.studies.traces import floor_settings, trace


@dataclass(frozen=True, eq=False)
class Floors:
    """What an agreement is set against: effects datasets by role, of floors `by_name`, of `twins` and of `ceilings`
    (`spiritlens.studies.ceilings`).

    `missing` says of each floor that was asked for and could not be made why not.
    """

    by_name: Mapping[Floor, xr.Dataset] = field(default_factory=dict)
    twins: tuple[xr.Dataset, ...] = ()
    missing: Mapping[Floor, str] = field(default_factory=dict)
    ceilings: Mapping[str, tuple[xr.Dataset, xr.Dataset]] = field(default_factory=dict)

    @property
    def references(self) -> References:
        """What `compare` takes."""
        floors = {FLOOR_WORDS[name]: one for name, one in self.by_name.items()}
        return References(twins=self.twins, floors=floors, ceilings=self.ceilings)


FLOOR_WORDS: dict[Floor, str] = {"control": "a control corruption", "unknown": "facts that are not known"}


def study_floors(
    lens: Lens,
    pairs: Sequence[PairedPrompts],
    unknown: Sequence[PairedPrompts],
    settings: StudySettings,
    folder: Path | RunFolder,
    noise: Noise | None = None,
) -> Floors:
    """The floors and twins that the settings ask for, each in a run directory of its own in `folder`.

    `pairs` are traced in both modalities, `unknown` are candidates for the floor of that name; `noise` is the study's,
    and that of twins is of the default scale, which is of their own embeddings. A shard makes its prompts of each.
    """
    place = given_run_folder(folder)
    made: dict[Floor, xr.Dataset] = {}
    missing: dict[Floor, str] = {}
    for name in settings.floors:
        chosen = with_control(pairs, settings.seed) if name == "control" else unknown[: settings.n_facts]
        if not chosen:
            missing[name] = LACKING[name]
            continue
        floor = share(partial(_floor, lens, name, _prompts(chosen), settings, place.within(name), noise))
        if floor is not None:
            made[name] = floor
    twins = [
        share(partial(twin_effects, lens, _prompts(pairs), settings, place.within(f"twin {number}"), seed=number))
        for number in range(settings.twins if pairs else 0)
    ]
    return Floors(made, tuple(twin for twin in twins if twin is not None), missing)


LACKING: dict[Floor, str] = {
    "control": "no traced fact has room beside its subject for a control of equal length in both modalities",
    "unknown": "no asked fact is unknown in both modalities",
}


def unknown_pairs(pairs: Sequence[PairedPrompts]) -> list[PairedPrompts]:
    """The facts that were asked and are known in neither modality."""
    return [pair for pair in pairs if not any(pair.known.values())]


def twin_effects(
    lens: Lens, prompts: Sequence[Prompt], settings: StudySettings, folder: Path | RunFolder, *, seed: int = 0
) -> xr.Dataset:
    """Effects of an untrained twin of the model on these prompts, for what it says to each."""
    twin = untrained_twin(lens, whole("seed", seed, at_least=0))
    return trace(twin, own_answers(twin, prompts), floor_settings(settings), folder)


def _floor(
    lens: Lens, name: Floor, prompts: Sequence[Prompt], settings: StudySettings, folder: RunFolder, noise: Noise | None
) -> xr.Dataset:
    few = floor_settings(settings)
    if name == "control":
        return trace(lens, prompts, few, folder, corrupted="control", noise=noise)
    saying = replace(lens, knowing=EXACT)
    return trace(saying, own_answers(saying, prompts), few, folder, noise=noise)


def _prompts(pairs: Sequence[PairedPrompts]) -> list[Prompt]:
    return [prompt for pair in pairs for prompt in pair.prompts]


class HasPrompts(Protocol):
    """A fact with its T2T and S2T prompts."""

    @property
    def prompts(self) -> tuple[Prompt, Prompt]: ...


Paired = TypeVar("Paired", bound=HasPrompts)


def with_control(pairs: Sequence[Paired], seed: int) -> list[Paired]:
    """Facts whose prompts both have room for a control span."""
    return [pair for pair in pairs if all(_has_control(prompt, seed) for prompt in pair.prompts)]


def _has_control(prompt: Prompt, seed: int) -> bool:
    try:
        control_span(prompt, seed)
    except ValueError:
        return False
    return True
