"""How cells that two modalities are compared in came by their values: measured, exact, screened out, or absent.

A cell that at least half of the paired facts have is *measured*. One of the others is *exact* where it is 0 in both
modalities of each fact that has it (nothing can change there), *screened out* where it was so for some prompt, and
else *absent*.
"""

from typing import Any

import numpy as np
import xarray as xr

from spiritlens.comparison.pairing import Pairs
from spiritlens.effects.role_effects import role_counts
from spiritlens.effects.schema import Status
from spiritlens.effects.statistics import of_facts
from spiritlens.terms import READOUT, READOUT_ROLES, Facts


def paired_status(effects: xr.Dataset, pairs: Pairs, facts: Facts) -> Any:
    """Statuses [component layer role] along the axes of the pairs."""
    sizes = np.abs(pairs.values).max(axis=0)
    there = ~np.isnan(sizes)
    still = ~pairs.cells & there.any(axis=0) & np.isclose(np.where(there, sizes, 0).max(axis=0), 0)
    lost = _screened(effects, pairs, facts)
    found = np.where(pairs.cells, Status.MEASURED, np.where(lost, Status.SCREENED, Status.ABSENT))
    return np.where(still, Status.EXACT, found)


def _screened(effects: xr.Dataset, pairs: Pairs, facts: Facts) -> Any:
    """Cells that were screened out [component layer role]."""
    counts = of_facts(role_counts(effects.isel(metric=[0])), facts).sel(status="screened").sum("prompt") > 0
    counts = counts.transpose("component", "layer", "role")
    traced = counts["role"].values.tolist()
    rows = [READOUT_ROLES if role == READOUT else (role,) for role in pairs.roles]
    there = [[role for role in names if role in traced] for names in rows]
    return np.stack([counts.sel(role=names).any("role").values for names in there], axis=2)
