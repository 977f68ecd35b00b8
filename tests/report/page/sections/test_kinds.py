"""Every method's own result has its section; what none shows is refused in a true sentence."""

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import xarray as xr

import spiritlens as sl
from spiritlens.report.acts import done_words
from spiritlens.report.page.sections.given import Among
from spiritlens.report.page.sections.kinds import CLASSES, KINDS, given_result, sections_of

QUIET = {"progress": "none"}
FOIL = {**QUIET, "metrics": ("logit_difference",)}
NODES = sl.paths.Paths((sl.paths.Sender("mlp_out", 2), sl.paths.Sender("z", 4, 0)), (sl.paths.Receiver("logits"),))


@cache
def interchanged(lens: Any) -> xr.Dataset:
    prompts, parts = sl.planted().prompts, sl.heads.Parts(removed="zero", sizes=(2,), random_rankings=1)
    return sl.interchange(lens, prompts[:4], prompts[12:16], parts, progress="none")


def traced(lens: Any, prompts: Any) -> xr.Dataset:
    return sl.causal_trace(lens, prompts, sl.Grid(("mlp_out",), at="role"), samples=1, **QUIET)


RESULTS: dict[str, tuple[Callable[[Any, Any], Any], str, str]] = {
    "causal_trace": (traced, "effects-x", "Values of each prompt's own clean run were put into its corrupted run."),
    "heads": (
        lambda lens, prompts: sl.causal_trace(lens, prompts, sl.Grid(("z",), at="role"), samples=1, **QUIET),
        "heads-x",
        "Each cell is one head.",
    ),
    "activation_patch": (
        lambda lens, prompts: sl.activation_patch(lens, prompts, sl.Noise(), sl.Grid(("mlp_out",), at="role"), **FOIL),
        "effects-x",
        "Each cell puts one place of one run into another.",
    ),
    "back_patch": (
        lambda lens, prompts: sl.back_patch(lens, prompts, sl.Noise(), donors=sl.Donors(layers=(3,)), **FOIL),
        "effects-x",
        "own clean run, taken from layer 3, were put into the corrupted run.",
    ),
    "attribution_patch": (
        lambda lens, prompts: sl.attribution_patch(lens, prompts, sl.Noise(), sl.Grid(at="role"), **FOIL),
        "effects-x",
        "Effects were estimated from gradients, and nothing was patched.",
    ),
    "head_knockout": (
        lambda lens, prompts: sl.heads.head_knockout(lens, prompts, "zero", **QUIET),
        "heads-x",
        "A head's output was put to 0.",
    ),
    "attention_knockout": (
        lambda lens, prompts: sl.heads.attention_knockout(lens, prompts, **QUIET),
        "effects-x",
        "Queries could not look at keys (subject → last token, relation → last token",
    ),
    "attribute_edges": (
        lambda lens, prompts: sl.attribute_edges(lens, prompts, sl.Noise(), NODES, **FOIL),
        "paths-x",
        "no path was patched",
    ),
    "path_patch": (
        lambda lens, prompts: sl.path_patch(lens, prompts, sl.Noise(), NODES, **FOIL),
        "paths-x",
        "Heads and MLPs between them were held.",
    ),
    "direct_logit_attribution": (
        lambda lens, prompts: sl.heads.direct_logit_attribution(lens, prompts, **QUIET),
        "attribution-x",
        "It is no causal effect",
    ),
    "attention_mass": (
        lambda lens, prompts: sl.heads.attention_mass(lens, prompts, **QUIET),
        "attention-x",
        "where a head looks, not what it moves",
    ),
    "detectors": (
        lambda lens, prompts: sl.heads.detectors(lens, prompts, **QUIET),
        "attention-x",
        "the place that each detector names",
    ),
    "logit_lens": (
        lambda lens, prompts: sl.lenses.logit_lens(lens, prompts, **QUIET),
        "lens-x",
        "Every state was read",
    ),
    "dose_curve": (
        lambda lens, prompts: sl.tracing.dose_curve(lens, prompts, (0.5, 1.0), samples=1),
        "doses-x",
        "no equal dose",
    ),
    "interchange": (lambda lens, prompts: interchanged(lens), "interchange-x", "the parts serve both"),
    "faithfulness": (
        lambda lens, prompts: sl.heads.faithfulness(interchanged(lens)),
        "interchange-x",
        "the parts serve both",
    ),
    "average": (lambda lens, prompts: sl.effects.average(traced(lens, prompts)), "averages-x", "were put into"),
    "average_total": (
        lambda lens, prompts: sl.effects.average_total(traced(lens, prompts)),
        "averages-x",
        "Total effects, fact by fact",
    ),
    "compare": (lambda lens, prompts: sl.compare(traced(lens, prompts)), "comparison-x", "known both in writing"),
    "overlap": (lambda lens, prompts: pd.Series({"top": 3, "p": -0.25}), "table-x", ""),
}
"""A call of each method, the section that it makes, and words of its text."""


@cache
def made(name: str) -> Any:
    """The result of a method on one fact in both modalities."""
    machine = sl.planted()
    return RESULTS[name][0](machine.lens, [machine.prompts[0], machine.prompts[12]])


def read(path: Path) -> tuple[str, dict[str, Any]]:
    """The page without scripts, and its figures."""
    html = path.read_text("utf-8")
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', html, re.DOTALL)
    assert found
    return re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL), json.loads(found.group(1))


def test_no_kind_is_forgotten() -> None:
    results = [made(name) for name in RESULTS]
    assert {one.attrs["schema"] for one in results if isinstance(one, xr.Dataset)} == set(KINDS)
    assert {type(one) for one in results if not isinstance(one, xr.Dataset)} <= {kind for kind, *_ in CLASSES}


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_has_its_section_and_its_words(name: str) -> None:
    _, key, words = RESULTS[name]
    (section,) = sections_of({"x": given_result("effects['x']", made(name))}, Among("known"))
    assert section.key == key
    assert words in section.text
    assert bool(section.plots) == (name not in ("overlap", "compare"))
    assert bool(section.tables) == (name in ("overlap", "compare", "interchange"))
    assert len({plot.key for plot in section.plots}) == len(section.plots)
    assert all(plot.key.startswith(key) and plot.subtitle.startswith("x ·") for plot in section.plots)


@pytest.mark.parametrize(
    "names", [("path_patch",), ("overlap",), ("compare", "logit_lens")], ids=lambda one: "+".join(one)
)
def test_a_page_needs_no_effects(names: tuple[str, ...], tmp_path: Path) -> None:
    page, figures = read(sl.dashboard({name: made(name) for name in names}, tmp_path))
    assert len(re.findall(r'<section id="(paths|table|comparison|lens)-', page)) == len(names)
    assert set(re.findall(r'data-figure="([^"]+)"', page)) == set(figures)
    assert ("Every residual state was read" in page) == ("logit_lens" in names)


def test_several_results_stand_on_one_page_in_their_order(tmp_path: Path) -> None:
    names = {"by role": "causal_trace", "back": "back_patch", "heads": "heads"}
    results = {key: made(name) for key, name in names.items()}
    results |= {"looks": made("attention_mass"), "beside": made("compare")}
    page, figures = read(sl.dashboard(results, tmp_path))
    order = ["maps", "curves", "accuracy", "effects-back", "heads-heads", "attention-looks", "comparison-beside"]
    assert [key for key in re.findall(r'<section id="([^"]+)"', page) if key in order] == order
    assert {"comparison-beside-map", "effects-back-maps", "heads-heads-ranking-0"} <= set(figures)
    assert "Causal tracing and back-patching and attention and detectors of the model" in page
    assert "Attention mass was measured on 2 prompts" in page


def test_what_no_section_shows_is_refused_truly() -> None:
    with pytest.raises(ValueError, match=r"effects=5 \(int\): expected one Dataset.* a page shows effects, averages"):
        given_result("effects", 5)
    with pytest.raises(ValueError, match="has the schema 'None', which is none of a result: a page shows"):
        given_result("effects", xr.Dataset())
    with pytest.raises(ValueError, match="sets of parts removed, which no figure draws"):
        given_result("effects", xr.Dataset(attrs={"schema": "spiritlens.part_sets/1"}))
    means = made("average")
    with pytest.raises(ValueError, match="the facts they are of"):
        given_result("effects", means.drop_vars("fact_mean"))


def test_donors_are_told() -> None:
    """Whose values were put in, how they were pooled, and that they are a control."""
    machine = sl.planted()
    written, spoken = machine.prompts[:2], machine.prompts[12:14]
    grid = sl.Grid(("resid_pre",), at="role")
    crossed, control = (
        sl.activation_patch(
            machine.lens, spoken, sl.Noise(), grid, ("logit",), donors=sl.Donors(written, "last", each), **QUIET
        )
        for each in ("none", "other word")
    )
    whose = (
        "values of the clean run of another prompt (T2T to S2T, of the same subject; the last token of each donor word)"
    )
    assert done_words(crossed) == f"{whose} were put into the corrupted run"
    assert done_words(control) == f"{whose}, as a control of another word of the donor, were put into the corrupted run"
    noising = crossed.assign_attrs(direction="noising")
    assert done_words(noising).endswith("were put into the clean run")
    assert "T2T to S2T, of the same subject" in sl.methods(crossed).paragraph
    assert sl.figures.role_maps(crossed).layout.title.text.startswith("Where patching brings the answer back")


def test_acts_are_told_apart_in_captions() -> None:
    lost, cut = made("head_knockout"), made("attention_knockout")
    assert "a head's output taken away" in sl.figures.head_map(lost).layout.title.text
    assert "loss by the knock-out on the" in sl.figures.head_map(lost).layout.title.text
    figure = sl.figures.role_maps(cut)
    assert figure.layout.title.text.startswith("Where cutting attention loses the answer")
    assert figure.layout.coloraxis.colorbar.title.text == "loss by the cut"
    back = sl.figures.role_maps(made("back_patch"))
    assert "back-patching · denoising: another layer's values put into" in back.layout.title.text.replace("<br>", " · ")
    assert (
        "estimated from gradients, nothing was patched"
        in sl.figures.role_maps(made("attribution_patch")).layout.title.text
    )
