"""Head knock-out: take a head's output away and see what the answer loses; one head at a time, or a set of heads
together.

A head's z is replaced at a site by ``zero``, by the ``mean`` over reference prompts, or by a value drawn from them
(``resample``, once per sample). Mean and resample take tokens of the same role as the replaced one (a subject's by
subjects', a marker's by markers'), so that a knocked-out head still says what it says on average there. Without
references, the prompts serve as each other's.

Result: an effects dataset, direction="noising": ``restored`` holds the knocked-out run's metric. ``corrupted`` is the
run without any head (all heads of all layers knocked out, at all spans together). Axes: ``prompt component layer span
[head] sample metric``. With groups, the component is the group's name and the layer −1.

Signs: effect = metric(clean) − metric(knocked out), positive where the head was needed. Heads that only stand by
(backup) have none.

Source: Wang et al. 2022 (arXiv 2211.00593), section 2.2 (mean ablation); Chan et al. 2022 (resampling).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from spiritlens.analysis.grid.canary import Deviations, canary_programs
from spiritlens.analysis.grid.cells import Along, CellRuns, Cells, Place, effects_of
from spiritlens.analysis.grid.each_prompt import Advance, Work, each_prompt
from spiritlens.analysis.grid.given import given_scored
from spiritlens.analysis.grid.grid import Draws, drawn
from spiritlens.analysis.grid.results import array, metric_settings, model_attributes
from spiritlens.analysis.grid.sites import GridSites, grid_sites
from spiritlens.analysis.heads.references import LeaveOut, Reference, check_stand_ins
from spiritlens.arguments import check_choice, listed, shown, told_keywords, whole
from spiritlens.components import hook_name
from spiritlens.effects.shards import RunFolder
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_each, given_lens, given_prompts
from spiritlens.models.lens import Lens
from spiritlens.models.protocol import HookFunction, LensModel
from spiritlens.out_of_memory import joined, of_slices
from spiritlens.prompts.prompt import Prompt, Span
from spiritlens.prompts.spans import EVERYWHERE
from spiritlens.runs.answers import knows
from spiritlens.runs.corruptions.knock_out import KnockOutKind
from spiritlens.runs.metrics import Metric
from spiritlens.runs.scoring import Scorer, prompt_scorers
from spiritlens.runs.side_by_side import processes_of
from spiritlens.runs.sweep.plan import Action, Program
from spiritlens.runs.sweep.recorded import RecordedPair, RecordedRun, record
from spiritlens.runs.sweep.sweep import SweepResult, plan_sweep
from spiritlens.terms import Progress

HeadName = tuple[int, int]
"""Layer and head."""


@dataclass(frozen=True)
class Ablation:
    """What is put in the place of a head's z, and where.

    `kind`: zero, the mean over the `reference` prompts, or a value drawn from them in each sample (resample). Without
    references, the prompts serve as each other's. `spans` are sites by name (`spiritlens.prompts.spans`), each knocked
    out alone.
    """

    kind: KnockOutKind = "mean"
    reference: Sequence[Prompt] | None = None
    spans: Sequence[str] = (EVERYWHERE,)

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, KnockOutKind)
        if self.reference is not None:
            object.__setattr__(self, "reference", listed("reference", self.reference, of=Prompt))
        object.__setattr__(self, "spans", listed("spans", self.spans, of=str))


@dataclass(frozen=True, eq=False)
class KnockOutSettings:
    """What decides the numbers, prompts apart; without `groups`, each head is knocked out alone."""

    kind: KnockOutKind
    spans: tuple[str, ...]
    groups: Mapping[str, Sequence[HeadName]] | None
    metrics: tuple[Metric, ...]
    draws: Draws


@told_keywords
@plain_torch
def head_knockout(
    lens: Lens,
    prompts: Sequence[Prompt],
    ablation: Ablation | KnockOutKind = "mean",
    metrics: Sequence[str | Metric] = ("probability", "log_probability"),
    *,
    groups: Mapping[str, Sequence[HeadName]] | None = None,
    samples: int | Draws = 1,
    folder: str | Path | RunFolder | None = None,
    progress: Progress = "bar",
) -> xr.Dataset:
    """Knock out every head (or each group of heads) of each prompt at each span.

    `ablation` is an `Ablation`, or its kind alone. `samples` count for ``resample`` only. `folder` keeps each finished
    prompt, and the same call goes on where it stopped; without it, Ctrl-C returns what is finished.

    Returns an effects dataset, ``restored [prompt component layer span (head) sample metric]``. Raises ValueError for
    heads that the model lacks, spans that no prompt knows, tokens that nothing can stand in for (one prompt alone has
    no mean: ``Ablation("mean", reference=…)``), and a folder of other settings.
    """
    prompts = given_prompts(given_lens(lens), prompts)
    asked = ablation if isinstance(ablation, Ablation) else Ablation(ablation)
    groups = None if groups is None else given_head_groups(lens.backend, groups)
    draws = drawn(samples) if asked.kind == "resample" else Draws(1, drawn(samples).seed)
    others = prompts if asked.reference is None else given_each(lens, asked.reference, "reference")
    leave_out: LeaveOut = "same subject" if asked.reference is None else "nothing"
    for prompt in prompts:
        positions = knocked_out(prompt, tuple(asked.spans))
        if asked.kind != "zero":
            check_stand_ins(prompt, positions, others, leave_out)
    prompts, metrics = given_scored(lens, prompts, metrics)
    settings = KnockOutSettings(asked.kind, tuple(asked.spans), groups, metrics, draws)
    attributes = _attributes(lens, settings, others, leave_out)

    @cache
    def pool() -> Reference | None:
        return None if settings.kind == "zero" else Reference(lens.backend, others, settings.kind, leave_out)

    def measure(place: int, advance: Advance) -> xr.Dataset:
        return _one_prompt(lens, prompts[place], pool(), settings, attributes)

    within = {"samples": draws.samples, "at": "span", "direction": "noising"}
    processes = processes_of(lens)
    work = Work(*(prompts, measure, attributes, "head knock-out"), settings=within, processes=processes, ready=pool)
    return each_prompt(work, folder=folder, progress=progress)


def _attributes(
    lens: Lens, settings: KnockOutSettings, reference: Sequence[Prompt], leave_out: LeaveOut
) -> dict[str, str | int | float]:
    """Global attributes of the result: what was done, with which model, and every setting as JSON."""
    kind = settings.kind
    config = {
        "kind": kind,
        "groups": {name: list(heads) for name, heads in (settings.groups or {}).items()},
        "spans": settings.spans,
        "reference": [] if kind == "zero" else [other.id for other in reference],
        "left_out": leave_out,
        **metric_settings(settings.metrics),
    }
    return {
        **model_attributes(lens, settings.draws.seed, config),
        "corruption": f"{kind} knock-out of all heads",
        "method": f"head knock-out ({kind})",
    }


def given_head_groups(model: LensModel, groups: Mapping[str, Sequence[HeadName]]) -> dict[str, tuple[HeadName, ...]]:
    """Groups of heads by name: at least one group, each of at least one (layer, head) that the model has."""
    if not isinstance(groups, Mapping):
        raise ValueError(f"groups={shown(groups)}: expected names with their heads, such as {{'movers': [(5, 1)]}}")
    if not groups:
        raise ValueError("groups is empty, so nothing would be knocked out: name groups, or leave it out for each head")
    return {_group_name(name): _group(model, name, heads) for name, heads in groups.items()}


def _group_name(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise ValueError(
            f"groups has the name {shown(name)} ({type(name).__name__}): expected a text that is not empty"
        )
    return name


def _group(model: LensModel, name: str, heads: Sequence[HeadName]) -> tuple[HeadName, ...]:
    given = listed(f"groups[{name!r}]", heads)
    return tuple(_head(model, name, f"groups[{name!r}][{place}]", head) for place, head in enumerate(given))


def _head(model: LensModel, group: str, name: str, head: HeadName) -> HeadName:
    pair = tuple(head) if isinstance(head, (tuple, list)) else ()
    if len(pair) != 2:
        raise ValueError(f"{name} is {shown(head)}: expected a pair (layer, head), such as [(5, 1)] for one head")
    layer, number = (whole(f"{name}, {axis}", value) for axis, value in zip(("layer", "head"), pair, strict=True))
    if not (0 <= layer < model.n_layers and 0 <= number < model.n_heads):
        raise ValueError(
            f"group {group!r} names L{layer}H{number}; the model has {model.n_layers} layers of {model.n_heads} heads"
        )
    return layer, number


def knocked_out(prompt: Prompt, spans: tuple[str, ...]) -> tuple[int, ...]:
    """All positions of the spans, at least one."""
    found = {position for span in grid_sites(prompt, "span", spans).spans if span is not None for position in span}
    if not found:
        raise ValueError(f"prompt {prompt.id} has none of the spans {spans}")
    return tuple(sorted(found))


def _one_prompt(
    lens: Lens,
    prompt: Prompt,
    pool: Reference | None,
    settings: KnockOutSettings,
    attributes: Mapping[str, str | int | float],
) -> xr.Dataset:
    model, draws, groups = lens.backend, settings.draws, settings.groups
    sites = grid_sites(prompt, "span", settings.spans)
    programs, places, shape = _cells(model, groups, sites)
    positions = knocked_out(prompt, settings.spans)
    parts = prompt_scorers(lens, prompt, settings.metrics)
    nothing: Program = {0: (Action("z", (len(prompt) - 1,), None, "base"),)}
    own = canary_programs(("z",), model.n_layers, range(len(prompt)), prompt.id)[0]
    n_cells = len(programs)
    programs = [*programs, _program(_all_heads(model), Span("all spans", positions)), nothing, own]
    put_in = None if pool is None else pool.values(prompt, positions, draws.samples, draws.seed)
    found = [_swept(lens, prompt, positions, put_in, programs, scorer, draws.samples) for scorer in parts]
    results, plainly = [result for result, _ in found], array(torch.stack([score for _, score in found]).sum(0))
    values = array(sum((found.values for found in results[1:]), results[0].values))
    base = array(sum((found.base for found in results[1:]), results[0].base))
    everyone, unpatched, unmoved = values[n_cells], values[n_cells + 1], values[n_cells + 2]
    runs = CellRuns(
        base[:1],
        everyone,
        values[:n_cells],
        np.abs(unpatched - base).max(axis=0),
        canary=Deviations(*(np.abs(one).max(axis=0) for one in (unmoved - base, everyone - plainly))),
        exact=frozenset.intersection(*(frozenset(found.unmoved) for found in results)),
    )
    components, layers = (("z",), range(model.n_layers)) if groups is None else (tuple(groups), (-1,))
    along = Along(components, layers, settings.metrics, "noising", attributes)
    cells = Cells(tuple(places), shape, by_head=groups is None)
    return effects_of(prompt, knows(lens, prompt), sites, cells, runs, along)


def _cells(
    model: LensModel, groups: Mapping[str, Sequence[HeadName]] | None, sites: GridSites
) -> tuple[list[Program], list[Place], Place]:
    """Programs with their places ``(component, layer, span, head)``, and the shape of these axes."""
    programs: list[Program] = []
    places: list[Place] = []
    for column, span in enumerate(sites.spans):
        if span is None:
            continue
        if groups is None:
            for layer, head in _all_heads(model):
                programs.append(_program([(layer, head)], span))
                places.append((0, layer, column, head))
        else:
            for row, heads in enumerate(groups.values()):
                programs.append(_program(heads, span))
                places.append((row, 0, column, 0))
    n_sites = len(sites.spans)
    shape = (1, model.n_layers, n_sites, model.n_heads) if groups is None else (len(groups), 1, n_sites, 1)
    return programs, places, shape


def _all_heads(model: LensModel) -> list[HeadName]:
    return [(layer, head) for layer in range(model.n_layers) for head in range(model.n_heads)]


def _program(heads: Sequence[HeadName], span: Span) -> Program:
    program: dict[int, tuple[Action, ...]] = {}
    for layer, head in sorted(set(heads)):
        program[layer] = (*program.get(layer, ()), Action("z", span.positions, head))
    return program


def _swept(
    lens: Lens,
    prompt: Prompt,
    positions: Sequence[int],
    put_in: Tensor | None,
    programs: Sequence[Program],
    scorer: Scorer,
    samples: int,
) -> tuple[SweepResult, Tensor]:
    """All programs in one sweep, of which the last two change nothing and are run all the same; and scores ``[sample
    metric]`` of the run without any head, made with hooks alone, for the canary."""
    model = lens.backend
    tokens = torch.tensor([[*prompt.ids, *scorer.forced]], device=model.device)
    z_names = [hook_name("z", layer) for layer in range(model.n_layers)]
    sweep = plan_sweep(
        model, programs, tokens.shape[1], 0, scorer.n_readouts, always=(len(programs) - 2, len(programs) - 1)
    )
    base = record(model, tokens, None, [*sweep.names["base"], *z_names], scorer.n_readouts)
    replaced = _replaced(base, z_names, positions, put_in, samples)
    marker = torch.zeros(samples, 1, 1, dtype=model.dtype, device=model.device) if samples > 1 else None
    source = RecordedRun(tokens, marker, replaced, base.logits)
    runs: RecordedPair = {"base": base, "source": source}
    scored = scorer.with_clean(base.logits)
    result = sweep.run(model, runs, scored, memory_budget=lens.memory_budget)
    return result, scored(_without_heads(model, tokens, replaced, positions, scorer.n_readouts))


@torch.no_grad()
def _without_heads(
    model: LensModel, tokens: Tensor, replaced: Mapping[str, Tensor], positions: Sequence[int], n_readouts: int
) -> Tensor:
    """Logits ``[sample readout d_vocab]`` with z replaced at the positions in every block, by one hook a block."""
    where = list(positions)

    def put(values: Tensor) -> HookFunction:
        def hook(z: Tensor) -> Tensor:
            z = z.clone()
            z[:, where] = values[:, where]
            return z

        return hook

    def of_samples(rows: slice) -> Tensor:
        with model.hooked([(name, put(values[rows])) for name, values in replaced.items()]):
            return model.forward(tokens.expand(rows.stop - rows.start, -1))[:, -n_readouts:].clone()

    return joined(of_slices(len(next(iter(replaced.values()))), of_samples))


def _replaced(
    base: RecordedRun, names: Sequence[str], positions: Sequence[int], put_in: Tensor | None, samples: int
) -> dict[str, Tensor]:
    """What is put in the place of z, by hook name, ``[sample pos head d_head]``: zero, or `put_in` ``[sample position
    layer head d_head]`` at the positions."""
    result = {name: torch.zeros_like(base.values[name]).repeat(samples, 1, 1, 1) for name in names}
    if put_in is not None:
        for layer, name in enumerate(names):
            result[name][:, list(positions)] = put_in[:, :, layer]
    return result
