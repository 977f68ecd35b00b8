"""The main job: the same facts written and spoken, checked, traced and compared.

1. **Check.** All settings, the folder and the facts, before anything is spoken or run.
2. **Ask.** The model answers facts in writing (T2T) and in speech (S2T), in random order, until enough are *known*
   (`spiritlens.studies.pairs`). What cannot be spoken or asked is left out, counted and named.
3. **Choose.** A seeded sample is traced: of the facts that are known in *both* modalities, so that both maps are of the
   same facts, or as `selection` says (`spiritlens.studies.selection`); how many facts were left out, and why, is kept
   and shown.
4. **Trace** with noise on the subject, of a dose that is the same in both modalities (`spiritlens.studies.doses`).
   Written prompts end with the marker that ends spoken ones. Spans of all tokens of a role are restored together, which
   makes a written word of two pieces and a spoken one of ten units comparable; a few facts are traced token by token as
   well. With protocol="seed" the seed study's protocol is run beside it, on the facts and prompts that were asked
   (`spiritlens.studies.seed`).
5. **Trace what the map is read against**: the same written prompts without the marker, for the marker's own effect
   (`spiritlens.studies.marker_effect`), floors, which must not agree as far (`spiritlens.studies.floors`), and, where
   they are asked for, ceilings (`spiritlens.studies.ceilings`).
6. **Compare** the modalities with intervals over facts, make the table of the four cells of knowing with their maps
   (`spiritlens.studies.cells`) and, where asked for, of kinds of recall (`spiritlens.studies.recall`), and write the
   page.

The folder is the run directory of the trace by role (see `spiritlens.effects.store`) with ``study.json`` (what decides
its numbers), ``answers.jsonl`` (a line an answer, as they come; shards write theirs into ``answers/``),
``accuracy.json``, ``left_out.json``, ``dose.json``, ``cells.json`` and ``cells/``, ``recall.json`` and ``recall/``,
``comparison.nc``, ``wavs/``, ``page.json`` (what the page is made of, so that `sl.page.of_folder` makes it anew),
``index.html``. Run directories of their own are ``plain/`` (writing without the marker), ``tokens/`` (maps by token),
those in ``floors/`` and ``ceilings/``, and ``seed/`` (the seed protocol, with ``subsets.json`` and ``beside.json``).
The same call resumes what was interrupted.
"""

import json
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.arguments import check_choice, listed, told_keywords
from spiritlens.comparison.compare import compare
from spiritlens.comparison.result import Comparison
from spiritlens.effects.run_directory import RunDirectory
from spiritlens.effects.shards import WHOLE, RunFolder, share
from spiritlens.files.atomic import write_whole
from spiritlens.models.given import given_lens
from spiritlens.models.lens import Lens
from spiritlens.prompts.facts.fact import Fact, check_phrasing
from spiritlens.prompts.facts.foils import drawn_foils
from spiritlens.prompts.facts.loading import load_facts
from spiritlens.report.page.run_folder.of_folder import of_folder
from spiritlens.runs.side_by_side import by_threads
from spiritlens.studies.accuracy import accuracy_rows
from spiritlens.studies.begun import begin
from spiritlens.studies.ceilings import study_ceilings
from spiritlens.studies.cells import FourCells, four_cells
from spiritlens.studies.design import design_sentences
from spiritlens.studies.doses import StudyDose, study_dose
from spiritlens.studies.floors import Floors, study_floors, unknown_pairs
from spiritlens.studies.marker_effect import MarkerEffect, marker_effect
from spiritlens.studies.page_record import BY_ROLE, BY_TOKEN, PLAIN, SEED, OnPage, write_page_record
from spiritlens.studies.pairs import KINDS, Asked, LeftOut, PairedPrompts
from spiritlens.studies.pairs import ask as ask_facts
from spiritlens.studies.recall import StudyRecall, fact_kinds, recall_maps, tagged
from spiritlens.studies.seed import METRICS, SeedStudy, seed_study, write_seed
from spiritlens.studies.selection import ChosenFact, choose, selection_sentences
from spiritlens.studies.settings import Protocol, StudySettings, given_folder, given_settings
from spiritlens.studies.traces import plain_prompts, prompts_of, trace

DEFAULTS = StudySettings()


@dataclass(frozen=True, eq=False)
class Study:
    """What a study found and where it lies."""

    effects: xr.Dataset
    tokens: xr.Dataset | None
    """The maps by token; None where none was asked for."""
    accuracy: tuple[dict[str, Any], ...]
    cells: FourCells
    """Which facts are known in both modalities, in one, in neither, and the maps of each cell that was traced."""
    comparison: Comparison | None
    """None where no fact that is known in both modalities was traced in both."""
    findings: tuple[str, ...]
    dose: StudyDose
    plain: xr.Dataset | None = None
    """Effects by role of the written prompts without the marker; None where they are not traced, or have none."""
    marker: MarkerEffect | None = None
    """What the marker does by itself; None without `plain`, and where no fact is known both ways."""
    floors: Floors = field(default_factory=Floors)
    """Floors and twins, for the agreement of the modalities to be set against."""
    page: Path = field(default_factory=Path)
    left_out: tuple[LeftOut, ...] = ()
    """Facts that could not be spoken or asked, with the reasons."""
    seed: SeedStudy | None = None
    """The seed study's protocol on the same asked facts; None unless it was asked for."""
    recall: StudyRecall | None = None
    """Kinds of recall of the traced facts, with their maps; None unless they were asked for."""

    def __repr__(self) -> str:
        left_out = [f"Left out: {each}" for each in self.left_out]
        tables = [repr(self.cells), *(repr(one) for one in (self.recall, self.seed) if one is not None)]
        return "\n".join([*self.findings, *tables, *left_out, f"Page: {self.page}"])


@told_keywords
def study(
    lens: Lens,
    out: str | Path | RunFolder,
    settings: StudySettings = DEFAULTS,
    facts: Iterable[Fact] | None = None,
    *,
    protocol: Protocol = "own",
) -> Study:
    """Run the main job on `facts` (None: those of the embedded model) and write its folder `out`.

    `settings.n_facts` of the selected facts are traced by role, their plain written prompts as well, and `n_token_maps`
    of them also token by token; with protocol="seed" those known in each modality token by token, as the seed study
    does. Returns the effects by role, of plain writing, by token and of floors, the comparison of the modalities, the
    four cells of knowing and the page. Raises ValueError for settings that cannot be, for a folder begun with other
    settings or before written prompts ended as spoken ones do, and when no fact is known that is to be traced.
    """
    place = study_place(out)
    if place.shard != WHOLE:
        raise ValueError(
            f"out has the shard {place.shard}: spiritlens.studies.study_shard makes one; then give the whole"
        )
    ready = prepared(lens, place, settings, facts, protocol)
    lens, settings, asked, chosen, dose = ready.lens, ready.settings, ready.asked, ready.chosen, ready.dose
    traced = traces(ready, place)
    floors = study_floors(lens, ready.both, unknown_pairs(asked.pairs), settings, place.within("floors"), dose.noise)
    ceilings = study_ceilings(lens, ready.both, settings, traced[BY_ROLE], place.within("ceilings"), dose.noise)
    floors = replace(floors, ceilings=ceilings)
    seed = None
    if protocol == "seed":
        maps = seed_maps(ready, place)
        seed = seed_study(maps, traced[BY_ROLE], seed_chosen(ready))
        write_seed(seed, place.path / "seed")
        traced[SEED] = seed.effects
    return _written(lens, place.path, settings, asked, chosen, _Found(traced, dose, floors, seed))


@dataclass(frozen=True, eq=False)
class Prepared:
    """A study before its traces: what was asked, chosen, and of what dose."""

    lens: Lens
    settings: StudySettings
    asked: Asked
    chosen: tuple[ChosenFact, ...]
    dose: StudyDose

    @property
    def both(self) -> list[PairedPrompts]:
        """The chosen facts that are traced in both modalities."""
        return [each.pair for each in self.chosen if len(each.kinds) == len(KINDS)]


def study_place(out: str | Path | RunFolder) -> RunFolder:
    """The folder of a study; refused where a file stands in its place."""
    path = given_folder(out.path if isinstance(out, RunFolder) else out)
    return out if isinstance(out, RunFolder) else RunFolder(path)


def prepared(
    lens: Lens, place: RunFolder, settings: StudySettings, facts: Iterable[Fact] | None, protocol: Protocol
) -> Prepared:
    """Check everything, ask the facts, choose those that are traced, and measure the dose.

    A shard asks its share and reads what others asked; one process at a time does on one shard.
    """
    facts = load_facts() if facts is None else listed("facts", facts, of=Fact, empty=True)
    settings = given_settings(settings, facts)
    check_choice("protocol", protocol, Protocol)
    lens = by_threads(asked_lens(lens, settings))
    lens.required_encoder()
    facts = drawn_foils(facts, settings.seed)
    if settings.phrasing is not None:
        check_phrasing(settings.phrasing, facts)
    begin(place.path, lens, settings)
    with _at_work(place):
        asked = _asked(lens, facts, settings, place)
    chosen = choose(asked, settings.n_facts, settings.seed, settings.selection)
    dose = study_dose(lens, prompts_of(chosen), settings, place.path / "dose.json")
    return Prepared(lens, settings, asked, chosen, dose)


def asked_lens(lens: Lens, settings: StudySettings) -> Lens:
    """The lens with the settings' rule of knowing, where they have one."""
    lens = given_lens(lens)
    return lens if settings.knowing is None else replace(lens, knowing=settings.knowing)


@dataclass(frozen=True, eq=False)
class _Found:
    """What was traced, by the names of the page; `BY_ROLE` is there always."""

    traced: dict[str, xr.Dataset]
    dose: StudyDose
    floors: Floors
    seed: SeedStudy | None


def traces(ready: Prepared, place: RunFolder) -> dict[str, xr.Dataset]:
    """The map by role, that of plain writing, and the maps by token, where they are asked for; of a shard, those of
    which it has prompts."""
    chosen, settings, dose = ready.chosen, ready.settings, ready.dose
    traced = partial(trace, ready.lens, settings=settings, noise=dose.noise)
    plain = plain_prompts(chosen) if settings.ending == "both" else []
    maps = prompts_of(chosen[: settings.n_token_maps])
    found = {
        BY_ROLE: share(lambda: traced(prompts_of(chosen), folder=place).assign_attrs(dose=dose.rule)),
        PLAIN: share(lambda: traced(plain, folder=place.within("plain"))) if plain else None,
        BY_TOKEN: share(lambda: traced(maps, folder=place.within("tokens"), at="token")) if maps else None,
    }
    return {name: effects for name, effects in found.items() if effects is not None}


def seed_chosen(ready: Prepared) -> tuple[ChosenFact, ...]:
    """The facts known in each modality, of which the seed protocol makes maps."""
    return choose(ready.asked, ready.settings.n_facts, ready.settings.seed, "each")


def seed_maps(ready: Prepared, place: RunFolder) -> xr.Dataset:
    """Their maps, token by token, by the probability."""
    prompts, folder = prompts_of(seed_chosen(ready)), place.within("seed")
    return trace(ready.lens, prompts, ready.settings, folder, at="token", noise=ready.dose.noise, metrics=METRICS)


def _written(
    lens: Lens, out: Path, settings: StudySettings, asked: Asked, chosen: Sequence[ChosenFact], found: _Found
) -> Study:
    """What was found, with its files and its page."""
    effects, plain, accuracy = found.traced[BY_ROLE], found.traced.get(PLAIN), accuracy_rows(asked)
    cells = four_cells(asked.pairs, effects, lens.knowing)
    _write_json(out / "accuracy.json", accuracy)
    _write_json(out / "left_out.json", [{"fact": each.fact.id, "reason": each.reason} for each in asked.left_out])
    cells.write(out)
    recall = None
    if settings.recall == "kinds":
        asked_in = [(each.pair.fact, each.pair.written.phrasing) for each in chosen]
        effects = tagged(effects, fact_kinds(lens, asked_in, out / "recall.json"))
        recall = recall_maps(effects)
        recall.write(out)
    paired = any(each.pair.known_in_both and len(each.kinds) == len(KINDS) for each in chosen)
    comparison = compare(effects, references=found.floors.references) if paired else None
    marker = None if plain is None else marker_effect(effects, plain, seed=settings.seed)
    findings = (
        *(comparison.findings if comparison is not None else (NOT_COMPARED,)),
        *design_sentences(chosen, found.dose, marker),
    )
    notes = selection_sentences(asked, chosen, settings.selection)
    on_page = OnPage(found.traced, prompts_of(chosen), accuracy, findings, notes, cells, comparison, recall)
    protocol = "own" if found.seed is None else "seed"
    write_page_record(out, on_page, settings, {"model": lens.id, "knowing": str(lens.knowing), "protocol": protocol})
    return Study(
        effects=effects,
        tokens=found.traced.get(BY_TOKEN),
        accuracy=tuple(accuracy),
        cells=cells,
        comparison=comparison,
        findings=findings,
        dose=found.dose,
        plain=plain,
        marker=marker,
        floors=found.floors,
        page=of_folder(out),
        left_out=asked.left_out,
        seed=found.seed,
        recall=recall,
    )


NOT_COMPARED = (
    "No fact that is known in both modalities was traced in both, so their maps are of other facts and were not "
    "compared."
)


def _at_work(place: RunFolder) -> AbstractContextManager[None]:
    """While a shard asks, no other process does on the same one; a whole study is told when it traces."""
    if place.shard == WHOLE:
        return nullcontext()
    run = RunDirectory(place.path)
    run.parts.mkdir(exist_ok=True)
    return run.at_work(place.shard)


def _asked(lens: Lens, facts: tuple[Fact, ...], settings: StudySettings, place: RunFolder) -> Asked:
    """All facts in their order, or in a seeded random order as many as it takes."""
    enough = None
    if settings.ask == "enough":
        enough = settings.n_facts
        order = np.random.default_rng([settings.seed, len(facts)]).permutation(len(facts))
        facts = tuple(facts[place] for place in order)
    return ask_facts(
        lens,
        facts,
        voice=settings.voice,
        phrasing=settings.phrasing,
        enough=enough,
        selection=settings.selection,
        ending=settings.ending,
        answers=place.path / "answers.jsonl",
        shard=place.shard,
    )


def _write_json(path: Path, value: Any) -> None:
    write_whole(path, json.dumps(value, indent=1, ensure_ascii=False).encode())
