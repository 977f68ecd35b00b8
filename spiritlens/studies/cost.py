"""What the traces of a study would cost, told before a model is run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from spiritlens.analysis.grid.grid import Corrupted, Draws
from spiritlens.analysis.tracing.cost import Cost, estimate_cost
from spiritlens.analysis.tracing.memory import HELD_TWICE, Memory
from spiritlens.arguments import check_choice, listed, number, shown, told_keywords, whole
from spiritlens.models.given import given_lens
from spiritlens.models.lens import Lens
from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.foils import drawn_foils
from spiritlens.prompts.facts.loading import load_facts
from spiritlens.prompts.prompt import Prompt
from spiritlens.report.page.assets import page_script, plotly_script
from spiritlens.speech.engines.process import EngineError
from spiritlens.studies.floors import with_control
from spiritlens.studies.page_record import PLAIN, SEED
from spiritlens.studies.pairs import AskedForm, FormedFact, LeftOut, pair_prompts
from spiritlens.studies.settings import Protocol, StudySettings, given_settings
from spiritlens.studies.study import DEFAULTS
from spiritlens.studies.traces import floor_settings, grid_of
from spiritlens.terms import At

PAGE_BYTES = 20
"""Bytes of a page per average that it shows, while it is written: as a number (8) and in steps (2), deflated (at most
2) and three times in base64 (8 together): in its block, in the page's text and in the file's bytes."""


@told_keywords
def study_cost(
    lens: Lens,
    settings: StudySettings = DEFAULTS,
    facts: Iterable[Fact] | None = None,
    *,
    tflops: float = 1.0,
    protocol: Protocol = "own",
) -> dict[str, Cost]:
    """What a study's traces would cost: by role, of plain writing, by token, of floors and twins, and, where it is
    asked for, by the seed protocol; no model is run: the first facts stand for the known, and for the unknown.

    Not counted: asking, and matching the dose, which takes some ten passes a prompt and sample. Returns cells,
    token-layers, FLOPs, memory at its peak and hours at `tflops` TFLOP/s. Raises ValueError for settings that cannot
    be, and when none of the facts can be spoken.
    """
    check_choice("protocol", protocol, Protocol)
    facts = load_facts() if facts is None else listed("facts", facts, of=Fact, empty=True)
    settings, tflops, lens = given_settings(settings, facts), number("tflops", tflops, above=0), given_lens(lens)
    formed = _first(lens, drawn_foils(facts, settings.seed), settings)
    few = floor_settings(settings)

    def cost(prompts: Sequence[Prompt], given: StudySettings, at: At, corrupted: Corrupted = "subject") -> Cost:
        return estimate_cost(
            lens, prompts, grid_of(given, at, corrupted), samples=Draws(given.samples, given.seed), tflops=tflops
        )

    prompts = [prompt for each in formed for prompt in each.prompts]
    plain = [each.plain for each in formed if each.plain is not None] if settings.ending == "both" else []
    controlled = [prompt for each in with_control(formed, settings.seed) for prompt in each.prompts]
    maps = prompts[: 2 * settings.n_token_maps]
    costs = {"by role": cost(prompts, settings, "role")}
    if plain:
        costs[PLAIN] = cost(plain, settings, "role")
    if maps:
        costs["by token"] = cost(maps, settings, "token")
    if "control" in settings.floors and controlled:
        costs["control"] = cost(controlled, few, "role", "control")
    if "unknown" in settings.floors:
        costs["unknown"] = cost(prompts, few, "role")
    costs |= {f"another {name}": cost(prompts, few, "role") for name in settings.ceilings}
    costs |= {f"twin {number}": cost(prompts, few, "role") for number in range(settings.twins)}
    return costs | ({SEED: cost(prompts, settings, "token")} if protocol == "seed" else {})


@told_keywords
def study_memory(costs: Mapping[str, Cost], *, twins: int = 0) -> Memory:
    """What a study holds at its peak, of the costs of its traces (`study_cost`, `sensitivity_cost`): the weights, a
    second time where it traces `twins`; the trace that takes the most; the results of all; and its page.

    The count is this project's own. Returns a `Memory`, in bytes. Raises ValueError where there is no trace, and for a
    number of twins below 0.
    """
    if not isinstance(costs, Mapping) or not costs or not all(isinstance(cost, Cost) for cost in costs.values()):
        raise ValueError(f"costs={shown(costs)}: expected the costs of a study's traces, as study_cost gives them")
    held = [cost.memory for cost in costs.values()]
    most = max(held, key=lambda memory: memory.recorded + memory.rows)
    weights = most.weights * (2 if whole("twins", twins, at_least=0) else 1)
    results = sum(memory.results for memory in held)
    values = sum(memory.values for memory in held)
    page = PAGE_BYTES * values + 3 * len(page_script() + plotly_script()) + results // HELD_TWICE
    return replace(most, weights=weights, results=results, values=values, page=page)


def _first(lens: Lens, facts: Sequence[Fact], settings: StudySettings) -> list[FormedFact]:
    """The first facts that can be spoken, with their prompts."""
    form = AskedForm(settings.voice, settings.phrasing, settings.ending)
    found: list[FormedFact] = []
    reasons: list[LeftOut] = []
    for fact in facts:
        if len(found) == settings.n_facts:
            break
        try:
            found.append(pair_prompts(lens, fact, form))
        except (ValueError, EngineError) as error:
            reasons.append(LeftOut(fact, str(error)))
    if not found:
        raise ValueError(f"none of the {len(facts)} facts can be spoken; the first: {reasons[0]}")
    return found
