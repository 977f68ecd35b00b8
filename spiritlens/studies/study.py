"""The main job: the same facts written and spoken, checked, traced and compared.

1. **Check.** All settings, the folder and the facts, before anything is spoken or run.
2. **Ask.** The model answers facts in writing (T2T) and in speech (S2T), in random order, until enough are *known* in
   both (`spiritlens.studies.pairs`). What cannot be spoken or asked is left out, counted and named.
3. **Choose.** A seeded sample of the facts that are known in *both* modalities is traced, so that both maps are of the
   same facts; how many facts were left out, and why, is kept and shown.
4. **Trace** with noise on the subject: spans of all tokens of a role are restored together, which makes a written word
   of two pieces and a spoken one of ten units comparable; a few facts are traced token by token as well.
5. **Compare** the modalities with intervals over facts, and write the page.

The folder is the run directory of the trace by role (see `spiritlens.effects.store`) with ``study.json`` (what decides
its numbers), ``answers.jsonl`` (a line an answer, as they come), ``accuracy.json``, ``left_out.json``, ``wavs/``,
``index.html`` and, in ``tokens/``, the run directory of the maps by token. The same call resumes what was interrupted.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.analysis.grid.grid import Draws, Grid
from spiritlens.analysis.tracing.causal_tracing import causal_trace
from spiritlens.analysis.tracing.cost import Cost, estimate_cost
from spiritlens.analysis.tracing.grid import trace_grid
from spiritlens.arguments import number, told_keywords
from spiritlens.comparison.compare import compare
from spiritlens.comparison.result import Comparison
from spiritlens.files.atomic import write_whole
from spiritlens.models.given import given_lens
from spiritlens.models.lens import Lens
from spiritlens.prompts.facts.fact import Fact, check_phrasing
from spiritlens.prompts.facts.foils import drawn_foils
from spiritlens.prompts.facts.loading import load_facts
from spiritlens.prompts.prompt import Prompt
from spiritlens.report.page.dashboard import dashboard
from spiritlens.report.page.document import Texts
from spiritlens.speech.engines.process import EngineError
from spiritlens.studies.pairs import (
    Asked,
    LeftOut,
    accuracy_rows,
    choose_known,
    pair_prompts,
    selection_sentences,
    write_wavs,
)
from spiritlens.studies.pairs import ask as ask_facts
from spiritlens.studies.settings import StudySettings, given_folder, given_settings
from spiritlens.terms import At

DEFAULTS = StudySettings()


@dataclass(frozen=True, eq=False)
class Study:
    """What a study found and where it lies."""

    effects: xr.Dataset
    tokens: xr.Dataset | None
    """The maps by token; None where none was asked for."""
    accuracy: tuple[dict[str, Any], ...]
    comparison: Comparison
    findings: tuple[str, ...]
    page: Path = field(default_factory=Path)
    left_out: tuple[LeftOut, ...] = ()
    """Facts that could not be spoken or asked, with the reasons."""

    def __repr__(self) -> str:
        left_out = [f"Left out: {each}" for each in self.left_out]
        return "\n".join([*self.findings, *left_out, f"Page: {self.page}"])


@told_keywords
def study(
    lens: Lens,
    out: str | Path,
    settings: StudySettings = DEFAULTS,
    facts: Iterable[Fact] | None = None,
) -> Study:
    """Run the main job on `facts` (None: those of the embedded model) and write its folder `out`.

    `settings.n_facts` facts known in both modalities are traced by role, `n_token_maps` of them also token by token.
    Returns the effects by role and by token, the comparison of the modalities and the page. Raises ValueError for
    settings that cannot be, for a folder begun with other settings, and when no fact is known in both modalities.
    """
    settings = given_settings(settings)
    out, lens = given_folder(out), given_lens(lens)
    lens.required_encoder()
    facts = load_facts() if facts is None else drawn_foils(facts, settings.seed)
    check_phrasing(settings.phrasing, facts)
    begin(out, lens, settings)
    asked = _asked(lens, facts, settings, out / "answers.jsonl")
    chosen = choose_known(asked, settings.n_facts, settings.seed)
    prompts = [prompt for each in chosen for prompt in each.prompts]

    def trace(some: Sequence[Prompt], at: At, folder: Path) -> xr.Dataset:
        return causal_trace(
            lens, some, _grid(settings, at), samples=Draws(settings.samples, settings.seed), folder=folder
        )

    effects = trace(prompts, "role", out)
    maps = prompts[: 2 * settings.n_token_maps]
    tokens = trace(maps, "token", out / "tokens") if maps else None
    accuracy = accuracy_rows(asked)
    _write_json(out / "accuracy.json", accuracy)
    _write_json(out / "left_out.json", [{"fact": each.fact.id, "reason": each.reason} for each in asked.left_out])
    write_wavs(prompts, out / "wavs")
    comparison = compare(effects)
    page = dashboard(
        {"by role": effects, **({} if tokens is None else {"by token": tokens})},
        out,
        prompts=prompts,
        accuracy=accuracy,
        findings=comparison.findings,
        texts=Texts(notes=selection_sentences(asked, chosen)),
    )
    return Study(effects, tokens, tuple(accuracy), comparison, comparison.findings, page, asked.left_out)


def begin(out: Path, lens: Lens, settings: StudySettings) -> None:
    """Before anything is spoken: the model has what is asked for, and the folder was begun with the same settings."""
    grid = trace_grid(lens.backend, _grid(settings, "role"))
    wanted = {
        "model": lens.id,
        "components": list(grid.components),
        "window": grid.window,
        "samples": settings.samples,
        "seed": settings.seed,
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
            f"{name}: {found.get(name, 'not set')!r} there, {value!r} here"
            for name, value in wanted.items()
            if found.get(name) != value
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
    return ask_facts(lens, facts, voice=settings.voice, phrasing=settings.phrasing, enough=enough, answers=answers)


@told_keywords
def study_cost(
    lens: Lens,
    settings: StudySettings = DEFAULTS,
    facts: Iterable[Fact] | None = None,
    *,
    tflops: float = 1.0,
) -> dict[str, Cost]:
    """What a study's traces would cost, by role and by token; no model is run: the first facts stand for the known.

    Returns cells, token-layers, FLOPs, bytes of memory and hours at `tflops` TFLOP/s. Raises ValueError for settings
    that cannot be, and when none of the facts can be spoken.
    """
    settings, tflops, lens = given_settings(settings), number("tflops", tflops, above=0), given_lens(lens)
    prompts = _first_prompts(lens, load_facts() if facts is None else drawn_foils(facts, settings.seed), settings)

    def cost(some: Sequence[Prompt], at: At) -> Cost:
        return estimate_cost(lens, some, _grid(settings, at), samples=settings.samples, tflops=tflops)

    maps = prompts[: 2 * settings.n_token_maps]
    return {"by role": cost(prompts, "role"), **({"by token": cost(maps, "token")} if maps else {})}


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
