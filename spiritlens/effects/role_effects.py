"""From tokens, words and spans to roles: rows that prompts of both modalities share.

A map by token or word is averaged over the tokens (words) of each role, within its prompt: *each restored alone*. A map
at="role" has these rows already: *all restored together*, which is another question. Named spans (at="span") keep their
names as rows. Order of rows: `spiritlens.terms.ROLES`, then other names as they come.
"""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import xarray as xr

from spiritlens.arguments import check_choice, told_keywords
from spiritlens.effects.given import given_traces
from spiritlens.effects.quantities import Quantity, of_quantity
from spiritlens.effects.schema import Status, site_axis
from spiritlens.terms import ROLES, SUBJECT_PARTS

Split = Literal["role", "part"]
"""role: one row per role; part: the subject in its first, middle and last token ("subject first" …), others by role."""


def ordered_roles(names: Iterable[str], split: Split = "role") -> list[str]:
    """Names in the order in which figures show them: roles first, in their order, then others as they come."""
    known: list[str] = list(ROLES)
    if split == "part":
        place = known.index("subject")
        known[place : place + 1] = SUBJECT_PARTS
    found = list(dict.fromkeys(name for name in names if name))
    return [name for name in known if name in found] + [name for name in found if name not in known]


@told_keywords
def by_role(effects: xr.Dataset, *, quantity: Quantity = "indirect", split: Split = "role") -> xr.DataArray:
    """Effects of each prompt [prompt component layer role (head) metric]; NaN where a prompt has no such role.

    Returns [prompt component layer role metric], with [head] where there are heads. Raises ValueError for effects of
    another kind, and where a mean would mix different cells.
    """
    effects = given_traces(effects)
    effect = of_quantity(effects, quantity)
    check_choice("split", split, Split)
    return _in_roles(effects, effect, split)


def role_runs(effects: xr.Dataset) -> xr.DataArray:
    """The share of each role's cells that were run rather than known to hold the baseline's value, axes as
    `by_role` without metric; NaN where a prompt has no such role."""
    effects = given_traces(effects)
    status = effects["status"]
    ran = np.where(status.values < Status.SCREENED, status.values == Status.MEASURED, np.nan)
    return _in_roles(effects, status.copy(data=ran).rename("ran"), "role")


def role_counts(effects: xr.Dataset, split: Split = "role") -> xr.DataArray:
    """How many of each role's cells have each status [prompt component layer role (head) status]."""
    names = [status.name.lower() for status in Status]
    flags = ((effects["status"] == status).astype(np.int8).rename("n_cells") for status in Status)  # one at a time
    counts = [_in_roles(effects, one, split, "sum").astype(np.int32) for one in flags]
    return xr.concat(counts, dim="status").transpose(..., "status").assign_coords(status=names)


def traced_roles(effects: xr.Dataset) -> list[str]:
    """The roles (or named spans) of all prompts, in their order."""
    axis = site_axis(effects)
    labels = effects["role"].values if axis == "role" else _site_labels(effects, axis, "role")
    return ordered_roles(labels.reshape(-1).tolist())


def _in_roles(
    effects: xr.Dataset, effect: xr.DataArray, split: Split, over: Literal["mean", "sum"] = "mean"
) -> xr.DataArray:
    """Values of sites as means (or sums) by role."""
    axis = site_axis(effects)
    obstacle = mixed_screening(effects)
    if obstacle:
        raise ValueError(obstacle)
    if split == "part" and axis != "pos":
        raise ValueError("split='part' needs single tokens; this run restored several together: trace with at='token'")
    if axis == "role":
        return effect
    labels = _site_labels(effects, axis, split)
    names = ordered_roles(labels.reshape(-1).tolist(), split)
    masks = xr.DataArray(np.stack([labels == name for name in names]), dims=("role", "prompt", axis))
    means = [effect.where(mask).mean(axis) if over == "mean" else effect.where(mask, 0).sum(axis) for mask in masks]
    order = ["role" if dim == axis else dim for dim in effect.dims]
    joined = xr.concat(means, dim="role").assign_coords(role=np.asarray(names, dtype=np.str_)).transpose(*order)
    return joined.assign_attrs(effect.attrs).rename(effect.name)


def _site_labels(effects: xr.Dataset, axis: str, split: Split) -> Any:
    """Label of each site [prompt site]: its role, the subject's part, or the name of a named span."""
    if axis == "span":
        return effects["span_name" if effects.attrs["at"] == "span" else "span_role"].values
    roles = effects["role"].values
    if split == "role":
        return roles
    return np.where(roles == "subject", np.char.add("subject ", effects["part"].values), roles)


def mixed_screening(effects: xr.Dataset) -> str:
    """Why the cells of a screened map cannot be averaged: they were not all kept, or screened out, in all prompts that
    have them; "" where they can."""
    if not (effects.variables["status"].values == Status.SCREENED).any():
        return ""
    screened = effects["status"] == Status.SCREENED
    mixed = screened.any("prompt") & (effects["status"] < Status.SCREENED).any("prompt")
    if _same_sites(effects, site_axis(effects)) and not bool(mixed.any()):
        return ""
    return (
        "some cells were screened out, and others in other prompts or tokens, so a mean would mix different cells: "
        "trace without screen, or with sl.Screen(…, keep='common') and at='role' or at='span'"
    )


def _same_sites(effects: xr.Dataset, axis: str) -> bool:
    """Whether each place along the site axis is the same role, or the same named span, in all prompts."""
    if axis != "span":
        return axis == "role"
    names = effects["span_name"].values
    return bool(effects.attrs["at"] == "span" and (names == names[:1]).all())
