"""From effects of single parts to rankings, and the sizes at which a ranking is cut.

A part's *score* on a half of facts is the larger of two shares,

    restored:  Σ (m(corrupted, the part at its clean value) − m(corrupted)) / Σ (m(clean) − m(corrupted))
    removed:   Σ (m(clean) − m(the part removed)) / Σ (m(clean) − m(all parts removed))

over the half's prompts, m being the metric. Either alone is fooled by a *backup*, a part that is silent in the clean
run and takes over when another fails. Removed, a part with a backup loses nothing: it looks idle, though it carries the
fact. Kept alone and left to itself, the backup wakes and looks like the carrier. Restored, by contrast, parts get what
they said *in the clean run*, where a backup is silent, and everything after them is computed anew: the carrier scores,
the backup does not. And parts of which each is needed, which restored one by one give nothing, score when removed.

Axes: effects ``[prompt part]``, scores and orders ``[part]``. Source: this project; restoring and removing are those
of Meng et al. 2022 (arXiv 2202.05262) and Wang et al. 2022 (arXiv 2211.00593), backups are described in the latter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spiritlens.runs.corruptions.noise import derived_seed

Array = np.ndarray[Any, np.dtype[np.float64]]
Whole = np.ndarray[Any, np.dtype[np.int64]]

DIGITS = 9
"""Scores are compared to so many digits, so that rounding errors order nothing."""


@dataclass(frozen=True, eq=False)
class PartEffects:
    """Signed effects of single parts ``[prompt part]``, NaN where a prompt lacks it, and of all ``[prompt]``, NaN where
    a prompt could not be measured."""

    effects: Array
    totals: Array

    def shares(self, rows: Sequence[bool]) -> Array:
        """Mean effect of each part over these prompts, as a share of the mean total."""
        chosen = self.effects[np.asarray(rows)]
        has = ~np.isnan(chosen)
        means = np.where(has, chosen, 0.0).sum(axis=0) / np.maximum(has.sum(axis=0), 1)
        total = abs(float(self.totals[np.asarray(rows)].mean()))
        return np.asarray(np.where(has.any(axis=0), means / (total or 1.0), np.nan))


def part_scores(restored: PartEffects, removed: PartEffects, rows: Sequence[bool]) -> Array:
    """The larger of both shares of each part; NaN where no prompt has it."""
    return np.fmax(restored.shares(rows), removed.shares(rows))


def ranked(scores: Array) -> Whole:
    """Places of the parts from the highest score to the lowest; ties keep their order, NaN comes last."""
    return np.argsort(-np.round(np.where(np.isnan(scores), -np.inf, scores), DIGITS), kind="stable").astype(np.int64)


def random_order(n_parts: int, number: int, seed: int) -> Whole:
    """The parts in an order of chance, the same for all prompts."""
    draw = np.random.default_rng(derived_seed(seed, f"random ranking {number}"))
    return draw.permutation(n_parts).astype(np.int64)


def default_sizes(n_parts: int) -> tuple[int, ...]:
    """0, 1, 2, 4 … parts, as many below the number of all, and all of them."""
    powers = [1 << power for power in range(n_parts.bit_length()) if 1 << power < n_parts]
    return tuple(sorted({0, *powers, *(n_parts - size for size in powers), n_parts}))
