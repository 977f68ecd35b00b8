"""What decides the numbers of a trace, the prompts apart; checked against them before the model runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from spiritlens.analysis.grid.grid import Corrupted, Draws, Grid, Screen, drawn, given_screen
from spiritlens.analysis.grid.sites import GridSites, grid_sites
from spiritlens.analysis.tracing.grid import TraceGrid, trace_grid
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.backward import check_read
from spiritlens.runs.corruptions.control_span import control_span
from spiritlens.runs.corruptions.corruption import Corruption, corrupted_embeddings
from spiritlens.runs.corruptions.given import given_corruption
from spiritlens.runs.corruptions.noise import Noise
from spiritlens.runs.metrics import METRIC_NAMED, METRICS, Metric
from spiritlens.terms import BackwardRule

DEFAULT_METRICS = ("probability", "log_probability", "logit")
"""What a trace measures where nothing else is asked for."""


@dataclass(frozen=True)
class TraceSettings:
    """A trace's grid for the model, with all else that decides its numbers."""

    grid: TraceGrid
    corruption: Corruption = field(default_factory=Noise)
    draws: Draws = field(default_factory=lambda: Draws(10))
    metrics: tuple[Metric, ...] = tuple(METRIC_NAMED[name] for name in DEFAULT_METRICS)
    screen: Screen | None = None

    def positions(self, prompt: Prompt) -> tuple[int, ...]:
        """Whose embeddings are corrupted: the subject's, or those of its control."""
        return corrupted_positions(prompt, self.grid.corrupted, self.draws.seed)

    def sites(self, prompt: Prompt) -> GridSites:
        """The sites of the grid in a prompt."""
        return grid_sites(prompt, self.grid.at, self.grid.spans)

    def corrupted(self, lens: Lens, prompt: Prompt, forced: Sequence[int]) -> torch.Tensor:
        """Embeddings ``[sample pos d_model]`` of the corrupted run."""
        return corrupted_embeddings(
            lens,
            prompt,
            self.corruption,
            positions=self.positions(prompt),
            samples=self.draws.samples,
            seed=self.draws.seed,
            forced=forced,
        )


def given_trace_settings(
    lens: Lens,
    prompts: Sequence[Prompt],
    grid: Grid | Sequence[str] | None,
    corruption: Corruption | None,
    metrics: tuple[Metric, ...],
    samples: int | Draws,
    screen: float | Screen | BackwardRule | None = None,
) -> TraceSettings:
    """The settings of a call whose metrics every prompt can serve; the corruption is resolved for the lens."""
    noise = Noise() if corruption is None else corruption
    found = TraceSettings(trace_grid(lens.backend, grid), noise, drawn(samples), metrics, given_screen(screen))
    if found.screen is not None:
        check_screenable(found)
        check_read(found.screen.rule, found.grid.components)
    positions = []
    for prompt in prompts:
        found.sites(prompt)
        positions.append(found.positions(prompt))
    return replace(found, corruption=given_corruption(lens, noise, prompts[0], positions[0]))


def check_screenable(settings: TraceSettings) -> None:
    """Nothing is severed, and the first metric has a gradient to screen by."""
    metric, sever = settings.metrics[0], settings.grid.sever
    if sever != "none":
        raise ValueError(f"sever={sever!r}: attribution patching does not know severing; screen with sever='none'")
    if not metric.smooth:
        smooth = ", ".join(other.name for other in METRICS if other.smooth)
        raise ValueError(
            f"cells are screened by the gradient of the first metric, and {metric.name!r} has no useful one; put one "
            f"of {smooth} first"
        )


def corrupted_positions(prompt: Prompt, corrupted: Corrupted, seed: int) -> tuple[int, ...]:
    """Positions of the subject, or of the control that the seed draws."""
    return (prompt.subject if corrupted == "subject" else control_span(prompt, seed)).positions
