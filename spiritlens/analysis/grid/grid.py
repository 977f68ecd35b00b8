"""What a method's call is made of, as values: the grid of cells, the noise samples, the screen.

    grid = Grid(("resid_pre", "mlp_out"), at="role", window=5)    # or the components alone
    sl.causal_trace(lens, prompts, grid, samples=Draws(20, seed=1), screen=Screen(0.1))
    sl.causal_trace(lens, prompts, ("mlp_out",), samples=20)      # short for Grid(("mlp_out",)) and Draws(20)

None, where a field has it, is the method's own choice. A method refuses what it cannot serve.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, cast, get_args

from spiritlens.analysis.grid.sites import DEFAULT_SPANS
from spiritlens.arguments import check_choice, listed, number, shown, whole
from spiritlens.terms import At, BackwardRule, Direction

Heads = Literal["together", "each"]
Sever = Literal["none", "mlp", "attn"]
Corrupted = Literal["subject", "control"]
"""subject: the subject's tokens; control: as many tokens that are not the subject (`control_span`)."""
Keep = Literal["each", "common"]
"""each: the best cells of each prompt; common: the cells that are best over all prompts together."""

DEFAULT_COMPONENTS: tuple[str, ...] = ("resid_pre", "attn_out", "mlp_out")
"""What patching and attribution look at where they are not told."""


@dataclass(frozen=True)
class Grid:
    """The cells of a method: components × layers × sites (× heads), and between which runs values are moved.

    `at` cuts a prompt into sites: tokens, words, the named `spans`, or roles. `heads`: all heads of a component at
    once, or each by itself. `window`: how many neighbouring layers of attn_out and mlp_out are patched together.
    `direction` "denoising": clean values into the corrupted run; "noising": the other way. `sever` holds every later
    MLP (or attention) output of the patched positions at its old value. `corrupted`: whose embeddings are corrupted.
    """

    components: Sequence[str] | None = None
    at: At = "token"
    spans: Sequence[str] = DEFAULT_SPANS
    heads: Heads | None = None
    window: int | None = None
    direction: Direction = "denoising"
    sever: Sever = "none"
    corrupted: Corrupted = "subject"

    def __post_init__(self) -> None:
        if self.components is not None:
            object.__setattr__(self, "components", listed("components", self.components, of=str))
        object.__setattr__(self, "spans", listed("spans", self.spans, of=str, empty=True))
        if self.window is not None:
            object.__setattr__(self, "window", whole("window", self.window, at_least=1))
        check_choice("at", self.at, At)
        if self.heads is not None:
            check_choice("heads", self.heads, Heads)
        check_choice("direction", self.direction, Direction)
        check_choice("sever", self.sever, Sever)
        check_choice("corrupted", self.corrupted, Corrupted)


@dataclass(frozen=True)
class Draws:
    """How many noise samples are drawn, and the seed of all that is random."""

    samples: int
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", whole("samples", self.samples, at_least=1))
        object.__setattr__(self, "seed", whole("seed", self.seed, at_least=0))


@dataclass(frozen=True)
class Screen:
    """Only this fraction of the cells is run; the others are marked screened.

    Cells are chosen by attribution patching (rule="gradient") or by RelP (rule="relp"; `sl.relevance_patch`). Averages
    need the same cells of all prompts: ``keep="common"``.
    """

    fraction: float = 0.1
    keep: Keep = "each"
    rule: BackwardRule = "gradient"

    def __post_init__(self) -> None:
        object.__setattr__(self, "fraction", number("screen", self.fraction, above=0, at_most=1))
        check_choice("keep", self.keep, Keep)
        check_choice("rule", self.rule, BackwardRule)


def given_grid(grid: Grid | Sequence[str] | None, components: Sequence[str], serves: Sequence[str]) -> Grid:
    """The grid with its components; `components` are the method's own, `serves` the other fields that it reads.

    A field that the method does not read, and that is not left as it is, is refused.
    """
    if grid is not None and not isinstance(grid, (Grid, Iterable)):
        raise ValueError(
            f"grid={shown(grid)} ({type(grid).__name__}): expected a Grid, or the names of components such as "
            f"{tuple(components)}"
        )
    asked = grid if isinstance(grid, Grid) else Grid(grid)
    plain = Grid()
    for field in fields(Grid):
        value = getattr(asked, field.name)
        if field.name not in ("components", *serves) and value != getattr(plain, field.name):
            raise ValueError(
                f"grid has {field.name}={shown(value)}, which this method does not know; it reads "
                f"{', '.join(('components', *serves))}"
            )
    return asked if asked.components is not None else replace(asked, components=tuple(components))


def drawn(samples: Any) -> Draws:
    """Draws as they are, or a number of samples with seed 0."""
    return samples if isinstance(samples, Draws) else Draws(samples)


def given_screen(screen: Any) -> Screen | None:
    """A screen as it is, a fraction or a rule as one, or none."""
    if screen is None or isinstance(screen, Screen):
        return screen
    if isinstance(screen, str) and screen in get_args(BackwardRule):
        return Screen(rule=cast(BackwardRule, screen))
    return Screen(screen)
