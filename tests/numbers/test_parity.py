"""One table of methods and settings through every backend and through plain hooks on Hugging Face's model, in float64:
equal at 1e-9, with grouped-query attention, with and without biases.

A row is the public call, as an array, and the same written out by hand (`plain_methods`, `plain_heads`, `plain_runs`,
`plain_sets`); every cell that one of them has is compared.
"""

import inspect
from collections.abc import Callable
from functools import lru_cache
from types import FunctionType, ModuleType
from typing import Any

import head_rows
import method_rows
import numpy as np
import plain_methods as slow
import pytest
import run_rows
from parity_cases import ARCHITECTURES, BACKENDS, Row, case, plain_model

import spiritlens as sl

TOLERANCE = 1e-9
ROWS = (*method_rows.ROWS, *head_rows.ROWS, *run_rows.ROWS)
WITHOUT_A_ROW = {
    "first_look": "attribution_patch, judged by causal_trace",
    "match_dose": "dose_curve at scales that it looks for",
    "rome": "settings of causal_trace",
    "verify": "causal_trace again, compared with a folder",
    "sensitivity": "causal_trace and activation_patch under several settings",
    "study": "the methods of its recipe",
    "study_shard": "the methods of its recipe",
    "recall_kinds": "known_prompts and probabilities of several wordings",
    "selfcheck": "compares the lens with whole passes itself, on either backend",
    "estimate_cost": "counts of cells, and of what they cost",
    "study_cost": "counts of cells, and of what they cost",
    "sensitivity_cost": "counts of cells, and of what they cost",
    "lens_map": "a figure",
    "spoken_prompt": "runs no model but the encoder",
    "spoken_prompts": "runs no model but the encoder",
    "writable": "runs no model",
    "untrained_twin": "a model, drawn in the shapes of its backend",
}
"""Public functions of a lens that no row asks by themselves, and what they are."""


@lru_cache
def twins(kind: str, row: Row, place: int) -> slow.Cells:
    """The slow side, once for all backends."""
    prompt, other = case(kind, BACKENDS[0]).prompts[place]
    return row.twin(plain_model(kind), prompt, other)


@pytest.mark.parametrize("backend", BACKENDS)  # one after the other: the slow side is made once for both
@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_every_method_is_plain_hooks_on_hugging_face_s_model(kind, backend, row) -> None:
    found_of = case(kind, backend)
    for place, (prompt, other) in enumerate(found_of.prompts):
        found, cells = row.call(found_of, prompt, other), twins(kind, row, place)
        cell_at = _cells(found, row.axes)
        apart = {labels: float(np.max(np.abs(np.asarray(cell_at(labels)) - value))) for labels, value in cells.items()}
        assert {labels: gap for labels, gap in apart.items() if not gap <= TOLERANCE} == {}
        assert _filled(found) == sum(np.size(value) for value in cells.values()), "cells that the twin has not"
    assert max(abs(float(np.ravel(value)[0])) for value in cells.values()) > 1e-3


def _cells(found: Any, axes: tuple[str, ...]) -> Callable[[tuple[object, ...]], Any]:
    """What there is at the labels along the axes."""
    if isinstance(found, dict):
        return lambda labels: found.get(labels, np.nan)
    values = found.transpose(*axes, ...).values
    places = [{label: place for place, label in enumerate(found[axis].values.tolist())} for axis in axes]
    return lambda labels: values[tuple(of[label] for of, label in zip(places, labels, strict=True))]


def _filled(found: Any) -> int:
    if isinstance(found, dict):
        return sum(np.size(value) for value in found.values())
    return int(np.isfinite(found.values).sum())


def test_no_two_rows_are_one() -> None:
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names)


def test_every_public_method_and_every_verb_has_a_row() -> None:
    """A method is a public function of a lens; a verb makes an intervention."""
    groups = [value for name in sl.__all__ if isinstance(value := getattr(sl, name), ModuleType)]
    public = {name: getattr(space, name) for space in (sl, *groups) for name in space.__all__}
    methods = {name for name, value in public.items() if isinstance(value, FunctionType) and _of_a_model(value)}
    rows = {row.method for row in ROWS}
    assert methods - rows == set(WITHOUT_A_ROW)
    assert rows <= methods


def _of_a_model(function: FunctionType) -> bool:
    signature = inspect.signature(function)
    return "lens" in signature.parameters or signature.return_annotation is sl.Intervention
