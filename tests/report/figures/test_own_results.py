"""What a public method returns is drawn without options by each figure that suits it; the others say what they want."""

import inspect
from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any

import plotly.graph_objects as go
import pytest
import xarray as xr

import spiritlens as sl
from spiritlens.models.planted.planted import Planted
from spiritlens.report.figures import FIGURES

QUIET = {"progress": "none"}
FOIL = {**QUIET, "metrics": ("logit_difference",)}
NODES = sl.paths.Paths((sl.paths.Sender("mlp_out", 2), sl.paths.Sender("z", 4, 0)), (sl.paths.Receiver("logits"),))
SAMPLES = {"samples": 1, **QUIET}

OF_SPANS = (
    "trace_map",
    "difference_map",
    "role_maps",
    "layer_curves",
    "total_effects",
    "peak_layers",
    "accuracy_table",
)
OF_COMPONENTS = (*OF_SPANS, "crossing")
OF_HEADS = ("trace_map", "total_effects", "head_map", "head_ranking", "accuracy_table")


@cache
def interchanged(lens: Any) -> xr.Dataset:
    """Of facts enough, whatever the others are given; they belong to every planted machine."""
    prompts, parts = sl.planted().prompts, sl.heads.Parts(removed="zero", sizes=(2,), random_rankings=1)
    return sl.interchange(lens, prompts[:4], prompts[12:16], parts, progress="none")


RESULTS: dict[str, tuple[Callable[[Any, Any], Any], tuple[str, ...]]] = {
    "causal_trace": (lambda lens, prompts: sl.causal_trace(lens, prompts, ("resid_pre",), **SAMPLES), OF_COMPONENTS),
    "causal_trace, heads": (
        lambda lens, prompts: sl.causal_trace(lens, prompts, sl.Grid(("z",), at="role"), **SAMPLES),
        OF_HEADS,
    ),
    "activation_patch": (lambda lens, prompts: sl.activation_patch(lens, prompts, sl.Noise(), **FOIL), OF_COMPONENTS),
    "activation_patch, heads": (
        lambda lens, prompts: sl.activation_patch(
            lens, prompts, sl.Noise(), sl.Grid(("z",), at="role", heads="each"), **FOIL
        ),
        OF_HEADS,
    ),
    "back_patch": (
        lambda lens, prompts: sl.back_patch(lens, prompts, sl.Noise(), donors=sl.Donors(layers=(3,)), **FOIL),
        OF_COMPONENTS,
    ),
    "attribution_patch": (
        lambda lens, prompts: sl.attribution_patch(lens, prompts, sl.Noise(), sl.Grid(at="role"), **FOIL),
        OF_COMPONENTS,
    ),
    "relevance_patch": (
        lambda lens, prompts: sl.relevance_patch(lens, prompts, sl.Noise(), sl.Grid(at="role"), **FOIL),
        OF_COMPONENTS,
    ),
    "attribute_edges": (
        lambda lens, prompts: sl.attribute_edges(lens, prompts, sl.Noise(), NODES, **FOIL),
        ("path_map", "path_dots"),
    ),
    "path_patch": (
        lambda lens, prompts: sl.path_patch(lens, prompts, sl.Noise(), NODES, **FOIL),
        ("path_map", "path_dots"),
    ),
    "head_knockout": (lambda lens, prompts: sl.heads.head_knockout(lens, prompts, "zero", **QUIET), OF_HEADS),
    "attention_knockout": (lambda lens, prompts: sl.heads.attention_knockout(lens, prompts, **QUIET), OF_SPANS),
    "direct_logit_attribution": (
        lambda lens, prompts: sl.heads.direct_logit_attribution(lens, prompts),
        ("head_map", "head_ranking", "logit_attribution"),
    ),
    "attention_mass": (
        lambda lens, prompts: sl.heads.attention_mass(lens, prompts),
        ("head_map", "head_ranking", "attention_mass"),
    ),
    "attention_mass, modalities": (
        lambda lens, prompts: sl.heads.attention_mass(lens, prompts, by="modality"),
        ("head_map", "head_ranking", "attention_mass"),
    ),
    "detectors": (
        lambda lens, prompts: sl.heads.detectors(lens, prompts),
        ("head_map", "head_ranking", "attention_mass"),
    ),
    "logit_lens": (lambda lens, prompts: sl.lenses.logit_lens(lens, prompts), ("lens_map",)),
    "interchange": (lambda lens, prompts: interchanged(lens), ("faithfulness_curves",)),
    "faithfulness": (lambda lens, prompts: sl.heads.faithfulness(interchanged(lens)), ("faithfulness_curves",)),
    "dose_curve": (lambda lens, prompts: sl.tracing.dose_curve(lens, prompts, (0.5, 1.0), samples=1), ("dose_curves",)),
}
"""A call of each method, and the figures that suit what it returns."""


@pytest.fixture(scope="module")
def machine() -> Planted:
    return sl.planted()


def test_no_method_is_forgotten() -> None:
    public = {name: getattr(space, name) for space in (sl, sl.heads) for name in space.__all__}
    returning = {
        name
        for name, value in public.items()
        if isinstance(value, FunctionType) and inspect.signature(value).return_annotation is xr.Dataset
    }
    assert returning <= {name.partition(",")[0] for name in RESULTS}


@pytest.mark.parametrize("name", RESULTS)
def test_a_methods_own_result_is_drawn_without_options(machine: Planted, name: str) -> None:
    call, suiting = RESULTS[name]
    found = call(machine.lens, [machine.prompts[0], machine.prompts[12]])
    assert {figure.name for figure in FIGURES} >= set(suiting)
    for figure in FIGURES:
        if figure.name in suiting:
            assert isinstance(figure.draw(found), go.Figure)
        else:
            with pytest.raises(
                ValueError,
                match=r"pass what|has heads: draw it with|no heads: trace|expected a Prompt|by the name of their group",
            ):
                figure.draw(found)


@pytest.mark.parametrize("figure", [figure for figure in FIGURES if "averages" in figure.of], ids=lambda one: one.name)
def test_figures_of_averages_draw_averages_as_they_draw_effects(machine: Planted, figure: Any) -> None:
    prompts = [machine.prompts[0], machine.prompts[12]]
    effects = sl.causal_trace(machine.lens, prompts, sl.Grid(("mlp_out",), at="role"), **SAMPLES)
    average = sl.effects.average if figure.of == "averages" else sl.effects.average_total
    assert figure.draw(average(effects)).to_json() == figure.draw(effects).to_json()
