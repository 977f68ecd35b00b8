"""What the traces of a study would cost, told before a model is run."""

from collections.abc import Iterable, Sequence

from spiritlens.analysis.grid.grid import Corrupted, Draws
from spiritlens.analysis.tracing.cost import Cost, estimate_cost
from spiritlens.arguments import check_choice, listed, number, told_keywords
from spiritlens.models.given import given_lens
from spiritlens.models.lens import Lens
from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.foils import drawn_foils
from spiritlens.prompts.facts.loading import load_facts
from spiritlens.prompts.prompt import Prompt
from spiritlens.speech.engines.process import EngineError
from spiritlens.studies.floors import with_control
from spiritlens.studies.page_record import PLAIN, SEED
from spiritlens.studies.pairs import AskedForm, FormedFact, LeftOut, pair_prompts
from spiritlens.studies.settings import Protocol, StudySettings, given_settings
from spiritlens.studies.study import DEFAULTS
from spiritlens.studies.traces import floor_settings, grid_of
from spiritlens.terms import At


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
    token-layers, FLOPs, bytes of memory and hours at `tflops` TFLOP/s. Raises ValueError for settings that cannot be,
    and when none of the facts can be spoken.
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
