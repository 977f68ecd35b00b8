"""Every dataset that a public method returns can be saved, and comes back as it was."""

import inspect
from functools import cache
from types import FunctionType

import pytest
import xarray as xr

import spiritlens as sl

QUIET = {"progress": "none"}
FOIL = {**QUIET, "metrics": ("logit_difference",)}
NODES = sl.paths.Paths((sl.paths.Sender("mlp_out", 2),), (sl.paths.Receiver("logits"),))


def traced(lens, prompts):
    return sl.causal_trace(lens, prompts, sl.Grid(("resid_post",), at="role"), samples=2, progress="none")


@cache
def interchanged(lens):
    """Of facts enough, whatever the others are given; they belong to every planted machine."""
    prompts, parts = sl.planted().prompts, sl.heads.Parts(removed="zero", sizes=(2,), random_rankings=1)
    return sl.interchange(lens, prompts[:4], prompts[12:16], parts, progress="none")


METHODS = {
    "causal_trace": traced,
    "activation_patch": lambda lens, prompts: sl.activation_patch(
        lens, prompts, sl.Noise(), sl.Grid(("z",), at="role"), **FOIL
    ),
    "back_patch": lambda lens, prompts: sl.back_patch(lens, prompts, sl.Noise(), donors=sl.Donors(layers=(3,)), **FOIL),
    "path_patch": lambda lens, prompts: sl.path_patch(lens, prompts, sl.Noise(), NODES, **FOIL),
    "attribution_patch": lambda lens, prompts: sl.attribution_patch(
        lens, prompts, sl.Noise(), sl.Grid(at="role"), **FOIL
    ),
    "relevance_patch": lambda lens, prompts: sl.relevance_patch(lens, prompts, sl.Noise(), sl.Grid(at="role"), **FOIL),
    "attribute_edges": lambda lens, prompts: sl.attribute_edges(lens, prompts, sl.Noise(), NODES, **FOIL),
    "direct_logit_attribution": lambda lens, prompts: sl.heads.direct_logit_attribution(lens, prompts),
    "head_knockout": lambda lens, prompts: sl.heads.head_knockout(lens, prompts, "zero", **QUIET),
    "attention_knockout": lambda lens, prompts: sl.heads.attention_knockout(lens, prompts, **QUIET),
    "attention_mass": lambda lens, prompts: sl.heads.attention_mass(lens, prompts),
    "detectors": lambda lens, prompts: sl.heads.detectors(lens, prompts),
    "logit_lens": lambda lens, prompts: sl.lenses.logit_lens(lens, prompts),
    "dose_curve": lambda lens, prompts: sl.tracing.dose_curve(lens, prompts, (0.5, 1.0), samples=1),
    "interchange": lambda lens, prompts: interchanged(lens),
    "faithfulness": lambda lens, prompts: sl.heads.faithfulness(interchanged(lens)),
    "average": lambda lens, prompts: sl.effects.average(traced(lens, prompts)),
    "average_total": lambda lens, prompts: sl.effects.average_total(traced(lens, prompts)),
}


@pytest.fixture(scope="module")
def machine():
    return sl.planted()


def test_no_method_is_forgotten():
    spaces = (sl, sl.effects, sl.heads, sl.lenses, sl.tracing)
    public = {name: getattr(space, name) for space in spaces for name in space.__all__}
    returning = {
        name
        for name, value in public.items()
        if isinstance(value, FunctionType) and inspect.signature(value).return_annotation is xr.Dataset
    }
    assert returning - {"load"} == set(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_what_a_method_returns_is_read_back_as_it_was(machine, name, tmp_path):
    found = METHODS[name](machine.lens, [machine.prompts[0], machine.prompts[12]])
    again = sl.effects.load(sl.effects.save(found, tmp_path / "found.nc"))
    xr.testing.assert_identical(again.drop_encoding(), found)


@pytest.mark.parametrize("by", ["token", "role", "modality"])
def test_attributions_by_source_are_read_back(machine, by, tmp_path):
    found = sl.heads.direct_logit_attribution(machine.lens, machine.prompts[:2], by=by)
    again = sl.effects.load(sl.effects.save(found, tmp_path / "found.nc"))
    xr.testing.assert_identical(again, found)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("direct_logit_attribution", lambda found: found.drop_vars("mlps"), "mlps is missing"),
        ("direct_logit_attribution", lambda found: found.rename(heads="heads_by_source"), "heads is missing"),
        ("attention_mass", lambda found: found.transpose(), "wants mass .* or score"),
        ("logit_lens", lambda found: found.drop_vars("labels"), "labels is missing"),
        ("dose_curve", lambda found: found.drop_vars("scale"), "scale is missing"),
        ("average", lambda found: found.transpose("metric", ...), "group first and metric last"),
        ("average_total", lambda found: found.drop_vars("low"), "low is missing"),
    ],
)
def test_damaged_datasets_are_not_written(machine, name, change, message, tmp_path):
    found = METHODS[name](machine.lens, machine.prompts[:1])
    with pytest.raises(ValueError, match=message):
        sl.effects.save(change(found), tmp_path / "found.nc")
    assert not list(tmp_path.iterdir())
