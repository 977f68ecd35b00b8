"""Numbers that describe maps and curves: the hand-over from role to role, and mass by role.

Axes: maps are [draw role layer], curves [draw layer]; ``draw`` counts bootstrap draws (or is 1 for the
estimate itself). Layers that were not measured are NaN and passed over. Nothing is averaged over draws here, so
intervals stay to the caller. Centres and peaks: `spiritlens.comparison.shifts`.

None of these numbers changes when a map is multiplied by a positive number: they tell *where* effects are, not how
large.

Statistics of this project's own. Agreement of maps: `spiritlens.comparison.agreement`.
"""

from typing import Any

import numpy as np

from spiritlens.comparison.shifts import without_gaps
from spiritlens.effects.clusters import Array


def handovers(subject: Array, other: Array, least: Any = 0.0) -> Array:
    """Place at which another role's curve takes over from the subject's, at or after the subject's peak [draw].

    It takes over where it is no lower than the subject, at least half of its own maximum, and at least `least` [draw]
    or one number: two curves that are both 0 cross everywhere. Curves are straight lines between layers, and the place
    is where the last of the three comes to hold: it moves little where the curves move little. NaN where the other
    never takes over, or where the subject itself never reaches `least`.
    """
    rows, n_layers = np.arange(len(subject)), subject.shape[1]
    least = np.broadcast_to(np.asarray(least, dtype=np.float64), (len(subject),))
    own, others = without_gaps(subject), without_gaps(other)
    start = own.argmax(axis=1)
    highest = own[rows, start]
    carries = (highest > 0) & (highest >= least)
    enough = np.maximum(others.max(axis=1) / 2, least)
    leads = other - subject, other - enough[:, None]
    after = np.arange(n_layers) >= start[:, None]
    ahead = (leads[0] >= 0) & (leads[1] >= 0) & after & carries[:, None]
    at = ahead.argmax(axis=1)
    before = np.maximum(at - 1, 0)
    steps = [_step_to_zero(lead[rows, before], lead[rows, at]) for lead in leads]
    between = np.where(at > start, before + np.maximum(*steps), at)
    return np.where(ahead[rows, at], between, np.nan)


def _step_to_zero(early: Array, late: Array) -> Array:
    """The part of the step from `early` to `late` ≥ 0 at which 0 is reached: none where it was, all after a gap."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(early < 0, early / (early - late), np.where(np.isnan(early), 1.0, 0.0))


def role_shares(maps: Array) -> Array:
    """Share of the mass that lies in each role [draw role], of maps [draw role layer]; absent roles have 0.

    Masses are signed, so noise of either sign cancels and adds to no role: a share may be below 0. NaN where the whole
    is not above 0.
    """
    mass = np.nan_to_num(maps).sum(axis=2)
    total = mass.sum(axis=1, keepdims=True)
    return np.where(total > 0, mass / np.where(total > 0, total, 1.0), np.nan)
