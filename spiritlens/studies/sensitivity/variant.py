"""A variant: one thing of a study made in another way, as a function from the baseline to what is to be measured.

A row of your own::

    def longer_window(ground: Ground) -> Setup:
        return replace(ground.setup, grid=replace(ground.setup.grid, window=6))

    variants = (*sl.studies.VARIANTS, sl.studies.Variant("window of 6", "window", longer_window))
    sl.sensitivity(lens, "runs/sensitivity", variants=variants)

A `Setup` is all that decides the numbers of a map: prompts, grid, corruption, noise, metric. A variant's function
returns the baseline's with something changed, or raises ValueError with the reason why it cannot be made here (no
recogniser, a voice that is not installed): its row then says so, and the others go on. What is the baseline's already
(prompts under the same grid, corruption and noise) is not traced again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from spiritlens.analysis.grid.grid import Draws, Grid
from spiritlens.arguments import listed, shown, written
from spiritlens.models.lens import Lens
from spiritlens.prompts.knowing import Knowing
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions.corruption import Corruption
from spiritlens.runs.corruptions.given import is_corruption
from spiritlens.studies.pairs import Asked
from spiritlens.studies.selection import ChosenFact
from spiritlens.studies.settings import SensitivitySettings

METRICS = ("probability", "log_probability", "logit")
"""Metrics of every trace; a setup is read by one of them."""


@dataclass(frozen=True, eq=False)
class Setup:
    """What is measured: `prompts` traced by `grid` under `corruption` (None: the default noise), read by `metric`.

    `left_out` says, by prompt or fact, what of the baseline is not in it, and why. Raises ValueError for other values.
    """

    prompts: tuple[Prompt, ...]
    grid: Grid
    draws: Draws
    corruption: Corruption | None = None
    metric: str = METRICS[0]
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "prompts", listed("prompts", self.prompts, of=Prompt))
        object.__setattr__(self, "left_out", listed("left_out", self.left_out, of=str, empty=True))
        for name, kind in (("grid", Grid), ("draws", Draws)):
            if not isinstance(getattr(self, name), kind):
                raise ValueError(f"{name}={shown(getattr(self, name))}: expected sl.{kind.__name__}(…)")
        if self.corruption is not None and not is_corruption(self.corruption):
            raise ValueError(f"corruption={shown(self.corruption)}: expected a corruption, such as sl.Noise()")
        if self.metric not in METRICS:
            raise ValueError(f"metric={shown(self.metric)}: expected one of {', '.join(METRICS)}")

    def measured_as(self, other: "Setup") -> bool:
        """Whether a prompt of both has the same numbers in both, all metrics of them."""
        return (self.grid, self.draws, self.corruption) == (other.grid, other.draws, other.corruption)

    def same_in(self, other: "Setup", kind: str) -> bool:
        """Whether the map of one modality is the other's, so that nothing of it was changed."""
        own, theirs = ({prompt.id for prompt in one.prompts if prompt.kind == kind} for one in (self, other))
        return self.metric == other.metric and self.measured_as(other) and own == theirs


@dataclass(frozen=True, eq=False)
class Ground:
    """What a variant changes: the baseline's `setup`, with what it was made of.

    `asked` are the facts that the model was asked, `chosen` those of the baseline (known in both modalities).
    What runs a model is asked for by functions, so that a cost can be told without: `asked_by` asks the same facts by
    another rule of knowing, `matched` finds the noise of equal doses. `heard` are the baseline's spoken prompts by id,
    with what a recogniser heard of them; None where none listened.
    """

    lens: Lens
    settings: SensitivitySettings
    asked: Asked
    chosen: tuple[ChosenFact, ...]
    setup: Setup
    asked_by: Callable[[Knowing], Asked]
    matched: Callable[[], Corruption]
    heard: Mapping[str, Prompt] | None = None

    def of(self, kind: str) -> tuple[Prompt, ...]:
        """The baseline's prompts of one modality."""
        return tuple(prompt for prompt in self.setup.prompts if prompt.kind == kind)

    def with_facts(self, chosen: tuple[ChosenFact, ...]) -> Setup:
        """The baseline's setup of other facts."""
        return replace(self.setup, prompts=tuple(prompt for each in chosen for prompt in each.prompts))

    def with_spoken(self, change: Callable[[Prompt], Prompt]) -> Setup:
        """The baseline's setup with its spoken prompts changed; where one cannot be, it is left out, with the reason.

        Raises ValueError, with the first reason, where none can be.
        """
        changed: list[Prompt] = []
        left_out: list[str] = []
        for prompt in self.of("S2T"):
            try:
                changed.append(change(prompt))
            except ValueError as error:
                left_out.append(f"{prompt.fact_id or prompt.id}: {' '.join(str(error).split())}")
        if not changed:
            raise ValueError(f"none of the {len(left_out)} spoken prompts can be changed; {left_out[0]}")
        return replace(self.setup, prompts=(*self.of("T2T"), *changed), left_out=tuple(left_out))


@dataclass(frozen=True)
class Variant:
    """A row of the table: its `name`, what it `changes` (rows of one kind stand together), and how it is made.

    Raises ValueError for a name or kind without a word, and for what cannot be called.
    """

    name: str
    changes: str
    setup: Callable[[Ground], Setup] = field(repr=False)

    def __post_init__(self) -> None:
        written("name", self.name)
        written("changes", self.changes)
        if not callable(self.setup):
            raise ValueError(f"setup={shown(self.setup)}: expected a function from a Ground to a Setup")
