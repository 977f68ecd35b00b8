"""The main job: the same facts written and spoken, checked, traced and compared.

1. **Check.** All settings, the folder and the facts, before anything is spoken or run.
2. **Ask.** The model answers facts in writing (T2T) and in speech (S2T), in random order, until enough are *known*
   (`spiritlens.studies.pairs`). What cannot be spoken or asked is left out, counted and named.
3. **Choose.** A seeded sample is traced: of the facts that are known in *both* modalities, so that both maps are of the
   same facts, or as `selection` says (`spiritlens.studies.selection`); how many facts were left out, and why, is kept
   and shown.
4. **Trace** with noise on the subject: spans of all tokens of a role are restored together, which makes a written word
   of two pieces and a spoken one of ten units comparable; a few facts are traced token by token as well. With
   protocol="seed" the seed study's protocol is run beside it, on the facts that were asked (`spiritlens.studies.seed`).
5. **Compare** the modalities with intervals over facts, make the table of the four cells of knowing with their maps
   (`spiritlens.studies.cells`), and write the page.

The folder is the run directory of the trace by role (see `spiritlens.effects.store`) with ``study.json`` (what decides
its numbers), ``answers.jsonl`` (a line an answer, as they come), ``accuracy.json``, ``left_out.json``, ``cells.json``
and ``cells/``, ``wavs/``, ``index.html``, in ``tokens/`` the run directory of the maps by token, and in ``seed/`` that
of the seed protocol with ``subsets.json`` and ``beside.json``. The same call resumes what was interrupted.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.analysis.grid.grid import Draws, Grid
from spiritlens.analysis.tracing.causal_tracing import DEFAULT_METRICS, causal_trace
from spiritlens.analysis.tracing.cost import Cost, estimate_cost
from spiritlens.analysis.tracing.grid import trace_grid
from spiritlens.arguments import check_choice, number, told_keywords
from spiritlens.comparison.compare import compare
from spiritlens.comparison.result import Comparison
from spiritlens.files.atomic import write_whole
from spiritlens.models.given import given_lens
from spiritlens.models.lens import Lens
from spiritlens.prompts.facts.fact import Fact, check_phrasing
from spiritlens.prompts.facts.foils import drawn_foils
from spiritlens.prompts.facts.loading import load_facts
from spiritlens.prompts.knowing import EXACT
from spiritlens.prompts.prompt import Prompt
from spiritlens.report.page.dashboard import dashboard
from spiritlens.report.page.document import Texts
from spiritlens.speech.engines.process import EngineError
from spiritlens.studies.cell_figures import cell_figures
from spiritlens.studies.cells import FourCells, four_cells
from spiritlens.studies.pairs import KINDS, Asked, LeftOut, accuracy_rows, pair_prompts, write_wavs
from spiritlens.studies.pairs import ask as ask_facts
from spiritlens.studies.seed import METRICS, SeedStudy, seed_study, write_seed
from spiritlens.studies.selection import ChosenFact, choose, selection_sentences
from spiritlens.studies.settings import Protocol, StudySettings, given_folder, given_settings
from spiritlens.terms import At

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
    page: Path = field(default_factory=Path)
    left_out: tuple[LeftOut, ...] = ()
    """Facts that could not be spoken or asked, with the reasons."""
    seed: SeedStudy | None = None
    """The seed study's protocol on the same asked facts; None unless it was asked for."""

    def __repr__(self) -> str:
        left_out = [f"Left out: {each}" for each in self.left_out]
        tables = [repr(self.cells), *([] if self.seed is None else [repr(self.seed)])]
        return "\n".join([*self.findings, *tables, *left_out, f"Page: {self.page}"])


@told_keywords
def study(
    lens: Lens,
    out: str | Path,
    settings: StudySettings = DEFAULTS,
    facts: Iterable[Fact] | None = None,
    *,
    protocol: Protocol = "own",
) -> Study:
    """Run the main job on `facts` (None: those of the embedded model) and write its folder `out`.

    `settings.n_facts` of the selected facts are traced by role, `n_token_maps` of them also token by token; with
    protocol="seed" those known in each modality token by token as well, as the seed study does. Returns the effects by
    role and by token, the comparison of the modalities, the four cells of knowing and the page. Raises ValueError for
    settings that cannot be, for a folder begun with other settings, and when no fact is known that is to be traced.
    """
    settings = given_settings(settings)
    check_choice("protocol", protocol, Protocol)
    out, lens = given_folder(out), asked_lens(lens, settings)
    lens.required_encoder()
    facts = load_facts() if facts is None else drawn_foils(facts, settings.seed)
    if settings.phrasing is not None:
        check_phrasing(settings.phrasing, facts)
    begin(out, lens, settings)
    asked = _asked(lens, facts, settings, out / "answers.jsonl")
    chosen = choose(asked, settings.n_facts, settings.seed, settings.selection)
    effects = _trace(lens, _prompts(chosen), settings, "role", out)
    maps = _prompts(chosen[: settings.n_token_maps])
    tokens = _trace(lens, maps, settings, "token", out / "tokens") if maps else None
    seed = _seed(lens, asked, settings, effects, out / "seed") if protocol == "seed" else None
    traced = {"by role": effects} | ({} if tokens is None else {"by token": tokens})
    return _written(lens, out, settings, asked, chosen, traced | ({} if seed is None else {SEED: seed.effects}), seed)


SEED = "seed protocol"


def asked_lens(lens: Lens, settings: StudySettings) -> Lens:
    """The lens with the settings' rule of knowing, where they have one."""
    lens = given_lens(lens)
    return lens if settings.knowing is None else replace(lens, knowing=settings.knowing)


def _prompts(chosen: Sequence[ChosenFact]) -> list[Prompt]:
    return [prompt for each in chosen for prompt in each.prompts]


def _trace(
    lens: Lens,
    prompts: Sequence[Prompt],
    settings: StudySettings,
    at: At,
    folder: Path,
    metrics: Sequence[str] = DEFAULT_METRICS,
) -> xr.Dataset:
    draws = Draws(settings.samples, settings.seed)
    return causal_trace(lens, prompts, _grid(settings, at), metrics=metrics, samples=draws, folder=folder)


def _seed(lens: Lens, asked: Asked, settings: StudySettings, own: xr.Dataset, folder: Path) -> SeedStudy:
    """The facts known in each modality, token by token, by the probability."""
    chosen = choose(asked, settings.n_facts, settings.seed, "each")
    found = seed_study(_trace(lens, _prompts(chosen), settings, "token", folder, METRICS), own, chosen)
    write_seed(found, folder)
    return found


def _written(
    lens: Lens,
    out: Path,
    settings: StudySettings,
    asked: Asked,
    chosen: Sequence[ChosenFact],
    traced: dict[str, xr.Dataset],
    seed: SeedStudy | None,
) -> Study:
    """What was found, with its files and its page."""
    effects, accuracy = traced["by role"], accuracy_rows(asked)
    cells = four_cells(asked.pairs, effects, lens.knowing)
    _write_json(out / "accuracy.json", accuracy)
    _write_json(out / "left_out.json", [{"fact": each.fact.id, "reason": each.reason} for each in asked.left_out])
    cells.write(out)
    write_wavs(_prompts(chosen), out / "wavs")
    paired = any(each.pair.known_in_both and len(each.kinds) == len(KINDS) for each in chosen)
    comparison = compare(effects) if paired else None
    findings = comparison.findings if comparison is not None else (NOT_COMPARED,)
    page = dashboard(
        traced,
        out,
        prompts=_prompts(chosen),
        accuracy=accuracy,
        findings=findings,
        texts=Texts(notes=selection_sentences(asked, chosen, settings.selection)),
        figures=cell_figures(cells),
        facts="all" if settings.selection == "all" else "known",
    )
    tokens = traced.get("by token")
    return Study(effects, tokens, tuple(accuracy), cells, comparison, findings, page, asked.left_out, seed)


NOT_COMPARED = (
    "No fact that is known in both modalities was traced in both, so their maps are of other facts and were not "
    "compared."
)


BEFORE = {"knowing": str(EXACT)}
"""Settings that earlier versions did not write, and what held then."""


def begin(out: Path, lens: Lens, settings: StudySettings) -> None:
    """Before anything is spoken: the model has what is asked for, and the folder was begun with the same settings."""
    grid = trace_grid(lens.backend, _grid(settings, "role"))
    wanted = {
        "model": lens.id,
        "components": list(grid.components),
        "window": grid.window,
        "samples": settings.samples,
        "seed": settings.seed,
        "knowing": str(lens.knowing),
    }
    path = out / "study.json"
    if path.is_file():
        try:
            found = dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{path} cannot be read ({error}): it was changed; delete it, or use another folder"
            ) from error
        differing = [
            f"{name}: {found.get(name, BEFORE.get(name, 'not set'))!r} there, {value!r} here"
            for name, value in wanted.items()
            if found.get(name, BEFORE.get(name)) != value
        ]
        if differing:
            raise ValueError(
                f"{out} was begun with other settings ({'; '.join(differing)}): choose another folder, or repeat the "
                "command with the old settings"
            )
    out.mkdir(parents=True, exist_ok=True)
    _write_json(path, wanted)


def _grid(settings: StudySettings, at: At) -> Grid:
    return Grid(settings.components, at=at, window=settings.window)


def _asked(lens: Lens, facts: tuple[Fact, ...], settings: StudySettings, answers: Path) -> Asked:
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
        answers=answers,
    )


@told_keywords
def study_cost(
    lens: Lens,
    settings: StudySettings = DEFAULTS,
    facts: Iterable[Fact] | None = None,
    *,
    tflops: float = 1.0,
    protocol: Protocol = "own",
) -> dict[str, Cost]:
    """What a study's traces would cost, by role, by token and, where it is asked for, by the seed protocol; no model is
    run: the first facts stand for the known.

    Returns cells, token-layers, FLOPs, bytes of memory and hours at `tflops` TFLOP/s. Raises ValueError for settings
    that cannot be, and when none of the facts can be spoken.
    """
    check_choice("protocol", protocol, Protocol)
    settings, tflops, lens = given_settings(settings), number("tflops", tflops, above=0), given_lens(lens)
    prompts = _first_prompts(lens, load_facts() if facts is None else drawn_foils(facts, settings.seed), settings)

    def cost(some: Sequence[Prompt], at: At) -> Cost:
        return estimate_cost(lens, some, _grid(settings, at), samples=settings.samples, tflops=tflops)

    maps = prompts[: 2 * settings.n_token_maps]
    costs = {"by role": cost(prompts, "role"), **({"by token": cost(maps, "token")} if maps else {})}
    return costs | ({SEED: cost(prompts, "token")} if protocol == "seed" else {})


def _first_prompts(lens: Lens, facts: Sequence[Fact], settings: StudySettings) -> list[Prompt]:
    """Both prompts of the first facts that can be spoken."""
    prompts: list[Prompt] = []
    reasons: list[LeftOut] = []
    for fact in facts:
        if len(prompts) == 2 * settings.n_facts:
            break
        try:
            prompts += pair_prompts(lens, fact, settings.voice, settings.phrasing)
        except (ValueError, EngineError) as error:
            reasons.append(LeftOut(fact, str(error)))
    if not prompts:
        raise ValueError(f"none of the {len(facts)} facts can be spoken; the first: {reasons[0]}")
    return prompts


def _write_json(path: Path, value: Any) -> None:
    write_whole(path, json.dumps(value, indent=1, ensure_ascii=False).encode())
