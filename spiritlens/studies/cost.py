"""What the traces of a study would cost, told before a model is run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from spiritlens.analysis.grid.grid import Corrupted, Draws
from spiritlens.analysis.tracing.cost import Cost, estimate_cost
from spiritlens.analysis.tracing.memory import HELD_TWICE, Memory
from spiritlens.analysis.tracing.settings import DEFAULT_METRICS
from spiritlens.arguments import check_choice, listed, number, shown, told_keywords, whole
from spiritlens.models.given import given_lens
from spiritlens.models.lens import Lens
from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.foils import drawn_foils
from spiritlens.prompts.facts.loading import load_facts
from spiritlens.prompts.prompt import Prompt
from spiritlens.report.page.assets import page_script, plotly_script
from spiritlens.runs.side_by_side import by_threads
from spiritlens.speech.engines.process import EngineError
from spiritlens.studies.floors import with_control
from spiritlens.studies.page_record import PLAIN, SEED
from spiritlens.studies.pairs import KINDS, AskedForm, FormedFact, LeftOut, pair_prompts
from spiritlens.studies.seed import METRICS
from spiritlens.studies.settings import Protocol, StudySettings, given_settings
from spiritlens.studies.study import DEFAULTS
from spiritlens.studies.traces import floor_settings, grid_of
from spiritlens.terms import At

PACKED = 8 * 8
"""Bytes of an effect while the maps of its dataset are packed: eight arrays of 64-bit floats (in the page's rows, one
after another, what a step of each is, and five on the way to whole steps)."""
DIFFERENCES = 2
"""Raw values are held again so often while effects are made of them: as differences from a baseline, and signed."""
AVERAGED = 8 + 4 + 8
"""Bytes of an effect beside these: its mean over samples in 64 bits, and the effects and their averages by fact of the
quantity that was averaged before."""
WRITTEN = 2 + 3 * 4
"""Bytes of an effect while the page is written: in steps (2), which deflating hardly shortens at worst, and with its
status (at most 1) in base64 (4) three times: in its block, in the page's text and in the file's bytes."""
SOUND_WRITTEN = 1 / 3
"""Bytes of a sound in the page, by those of its waveform (64,000 a second): Opus of about 3,200 a second, and in base64
five times."""


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
    settings, tflops = given_settings(settings, facts), number("tflops", tflops, above=0)
    lens = by_threads(given_lens(lens))
    formed = _first(lens, drawn_foils(facts, settings.seed), settings)
    few = floor_settings(settings)

    def cost(
        prompts: Sequence[Prompt],
        given: StudySettings,
        at: At,
        corrupted: Corrupted = "subject",
        metrics: Sequence[str] = DEFAULT_METRICS,
    ) -> Cost:
        grid, draws = grid_of(given, at, corrupted), Draws(given.samples, given.seed)
        return estimate_cost(lens, prompts, grid, samples=draws, metrics=metrics, tflops=tflops)

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
    return costs | ({SEED: cost(prompts, settings, "token", metrics=METRICS)} if protocol == "seed" else {})


@told_keywords
def study_memory(costs: Mapping[str, Cost], *, twins: int = 0, asked: int | None = None) -> Memory:
    """What a study holds at its peak, of the costs of its traces (`study_cost`, `sensitivity_cost`): the weights, a
    second time where it traces `twins`; the trace that takes the most; the results of all; the sounds of the `asked`
    facts (None: as many as are traced); and its page.

    The page takes the sounds a second time, as they are read back for it, and the largest of: what the averages and the
    maps of one dataset take while they are made, and all that is written. Not told: libraries that are first loaded on
    the way. The count is this project's own. Returns a `Memory`, in bytes. Raises ValueError where there is no trace,
    and for a number of twins or of facts below 0.
    """
    if not isinstance(costs, Mapping) or not costs or not all(isinstance(cost, Cost) for cost in costs.values()):
        raise ValueError(f"costs={shown(costs)}: expected the costs of a study's traces, as study_cost gives them")
    held = [cost.memory for cost in costs.values()]
    most = max(held, key=lambda memory: memory.recorded + memory.rows)
    spoken = max(costs.values(), key=lambda cost: cost.memory.sounds)
    traced, sounds = max(1, spoken.prompts // len(KINDS)), spoken.memory.sounds
    asked = traced if asked is None else max(traced, whole("asked", asked, at_least=0))
    averaging = max(averaging_bytes(memory.results // HELD_TWICE, memory.values) for memory in held)
    written = WRITTEN * sum(memory.values for memory in held) + 3 * len(page_script() + plotly_script())
    return replace(
        most,
        weights=most.weights * (2 if whole("twins", twins, at_least=0) else 1),
        results=sum(memory.results for memory in held),
        values=sum(memory.values for memory in held),
        sounds=sounds * asked // traced,
        page=sounds + max(averaging, written + int(SOUND_WRITTEN * sounds)),
        process=min(memory.process for memory in held),
    )


def averaging_bytes(raw: int, values: int) -> int:
    """What a dataset of so many `raw` bytes and effects takes beside them while it is averaged, and while it is
    packed."""
    return max(DIFFERENCES * raw + AVERAGED * values, PACKED * values)


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
