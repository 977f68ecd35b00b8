"""One table of methods and settings through every backend and through plain hooks on Hugging Face's model, in float64:
equal at 1e-9, with grouped-query attention, with and without biases.

A row is the public call and the same written out in `plain_methods` and `plain_runs`; every cell that one of them has
is compared. Every public function that takes a lens has a row, or is told here to be made of those that have.
"""

import inspect
from functools import lru_cache
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import pytest
from parity_case import ARCHITECTURES, Cells, Row, case, plain_model
from parity_methods import ROWS
from parity_runs import RUNS

import spiritlens as sl
from spiritlens.models import backends

TOLERANCE = 1e-9
BACKENDS = [row.maker.name for row in backends.BACKENDS if row.maker]
TABLE = (*ROWS, *RUNS)
MADE_OF = {
    "tracing.match_dose": ("tracing.dose_curve",),
    "tracing.rome": ("corruptions.noise_scale", "known_prompts"),
    "tracing.verify": ("causal_trace",),
    "prompts.recall_kinds": ("known_prompts",),
    "study": ("causal_trace", "known_prompts", "tracing.dose_curve"),
    "sensitivity": ("causal_trace", "known_prompts", "tracing.dose_curve"),
    "studies.study_shard": ("causal_trace", "known_prompts", "tracing.dose_curve"),
}
"""Public functions without a row of their own, and the methods that all their numbers come from."""
NO_NUMBERS = {
    "selfcheck": "compares with Hugging Face's model itself",
    "studies.untrained_twin": "makes a model of other weights",
    "tracing.estimate_cost": "counts operations",
    "studies.study_cost": "counts operations",
    "studies.sensitivity_cost": "counts operations",
    "prompts.spoken_prompt": "makes a prompt",
    "prompts.spoken_prompts": "makes prompts",
}
"""Public functions in which a model computes nothing, and what they do."""


def test_every_public_function_of_a_lens_has_a_row() -> None:
    groups = {"": sl, **{f"{name}.": getattr(sl, name) for name in sl.__all__}}
    of_lenses = {
        f"{group}{name}"
        for group, space in groups.items()
        if isinstance(space, ModuleType)
        for name in space.__all__
        if _takes_a_lens(getattr(space, name))
    }
    with_rows = {row.method for row in TABLE}
    assert of_lenses == with_rows | set(MADE_OF) | set(NO_NUMBERS)
    assert not with_rows & (set(MADE_OF) | set(NO_NUMBERS))
    assert {part for parts in MADE_OF.values() for part in parts} <= with_rows
    assert len({row.name for row in TABLE}) == len(TABLE)


def _takes_a_lens(value: object) -> bool:
    return isinstance(value, FunctionType) and any(
        parameter.annotation is sl.Lens for parameter in inspect.signature(value).parameters.values()
    )


@lru_cache
def twins(kind: str, row: Row, place: int) -> Cells:
    """The slow side, once for all backends."""
    prompt, other = case(kind, BACKENDS[0]).prompts[place]
    return row.twin(plain_model(kind), prompt, other)


@pytest.mark.parametrize("row", TABLE, ids=[row.name for row in TABLE])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_every_method_is_plain_hooks_on_hugging_face_s_model(kind, backend, row) -> None:
    found_of, largest = case(kind, backend), 0.0
    for place in row.places:
        found, cells = row.call(found_of, *found_of.prompts[place]), twins(kind, row, place)
        apart = {
            labels: float(np.max(np.abs(np.asarray(_cell(found, row.axes, labels)) - value)))
            for labels, value in cells.items()
        }
        assert {labels: gap for labels, gap in apart.items() if not gap <= TOLERANCE} == {}
        assert _filled(found) == sum(np.size(value) for value in cells.values()), "cells that the twin has not"
        largest = max(largest, *(float(np.max(np.abs(value))) for value in cells.values()))
    assert largest > 1e-3


def _cell(found: Any, axes: tuple[str, ...], labels: tuple[object, ...]) -> Any:
    if isinstance(found, dict):
        return found[labels]
    return found.sel(dict(zip(axes, labels, strict=True))).values


def _filled(found: Any) -> int:
    if isinstance(found, dict):
        return sum(np.size(value) for value in found.values())
    return int(np.isfinite(found.values).sum())
