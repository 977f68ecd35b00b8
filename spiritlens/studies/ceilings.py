"""Maps that agree as far as maps of one modality can: what an agreement of two modalities is set against from above.

- ``phrasing``: the traced facts in another of their phrasings, in writing and in speech, each beside the study's own;
- ``voice``: the traced facts in another of the voices that they bring, in speech, beside the study's own.

Two phrasings of a fact, or two recordings, are recalled through the same facts, so their maps say how far two maps of
one modality agree. Facts that have one phrasing or one voice only are left out; nothing is spoken that was not brought
or asked for. A ceiling has as few noise samples as a floor (`spiritlens.studies.traces`).
"""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import xarray as xr

from spiritlens.comparison.conditions import KIND_WORDS
from spiritlens.effects.shards import RunFolder, share
from spiritlens.models.lens import Lens
from spiritlens.own_errors import own_reason
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions.noise import Noise
from spiritlens.studies.pairs import KINDS, UNASKABLE, AskedForm, PairedPrompts, pair_prompts
from spiritlens.studies.settings import Ceiling, StudySettings
from spiritlens.studies.traces import floor_settings, trace

OfOneModality = tuple[xr.Dataset, xr.Dataset]
"""The study's effects and those of the other phrasing or voice, of one modality."""

CEILING_WORDS: Mapping[Ceiling, str] = {"phrasing": "two phrasings", "voice": "two voices"}
OF: Mapping[Ceiling, tuple[str, ...]] = {"phrasing": KINDS, "voice": ("S2T",)}
"""In which modalities each ceiling is made."""


def study_ceilings(
    lens: Lens,
    pairs: Sequence[PairedPrompts],
    settings: StudySettings,
    effects: xr.Dataset,
    folder: RunFolder,
    noise: Noise | None = None,
) -> dict[str, OfOneModality]:
    """The ceilings that the settings ask for, by their words, each traced in a run directory of its own in `folder`.

    `effects` are the study's by role, of the same facts and more. A ceiling that no fact has is not among them.
    """
    found: dict[str, OfOneModality] = {}
    for name in settings.ceilings:
        prompts = [prompt for pair in pairs for prompt in other_prompts(lens, pair, name, settings)]
        if not prompts:
            continue
        others = share(partial(trace, lens, prompts, floor_settings(settings), folder.within(name), noise=noise))
        if others is None:
            continue
        for kind in OF[name]:
            found[f"{CEILING_WORDS[name]} {KIND_WORDS[kind]}"] = _of(effects, kind), _of(others, kind)
    return found


def other_prompts(lens: Lens, pair: PairedPrompts, name: Ceiling, settings: StudySettings) -> tuple[Prompt, ...]:
    """The prompts of a fact in its next phrasing or voice; none where it has no other that can be asked."""
    fact, own = pair.fact, pair.spoken
    if name == "phrasing":
        forms = [AskedForm(own.voice, other, settings.ending) for other in fact.templates if other != own.phrasing]
    else:
        voices = dict.fromkeys(sound.voice for sound in fact.sounds)
        forms = [AskedForm(other, own.phrasing, settings.ending) for other in voices if other != own.voice]
    for form in forms:
        try:
            prompts = pair_prompts(lens, fact, form).prompts
        except UNASKABLE as error:  # no sound in that phrasing, or a subject that its words lack
            own_reason(error)  # that of a device ends the call
            continue
        if name == "phrasing" or prompts[1].voice == form.voice:
            return tuple(prompt for prompt in prompts if prompt.kind in OF[name])
    return ()


def _of(effects: xr.Dataset, kind: str) -> xr.Dataset:
    return effects.isel(prompt=np.flatnonzero(effects["modality"].values == kind))
