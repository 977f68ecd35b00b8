"""Whatever leads a page, each number of its findings has its target there, and it is not what was run."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest
import xarray as xr

import spiritlens.comparison.paired_effects as module
from spiritlens.comparison.compare import compare
from spiritlens.comparison.findings import told
from spiritlens.comparison.references import References
from spiritlens.comparison.result import Comparison
from spiritlens.comparison.said import What
from spiritlens.report.page.dashboard import dashboard
from spiritlens.report.page.leading import leading
from tests.made_interchange import made_interchange

TABLE = pd.DataFrame({"a": [1]})


@pytest.fixture(scope="module")
def served(roles: xr.Dataset) -> Comparison:
    """A comparison that tells of everything that one can tell of."""
    roles = roles.assign_coords(metric=["probability", "logit_difference"])
    references = References(interchange=made_interchange(noise=0.2))
    return compare(roles, resamples=20, permutations=100, references=references)


def given(roles: xr.Dataset, served: Comparison, name: str) -> tuple[Any, Comparison | None]:
    roles = roles.assign_coords(metric=["probability", "logit_difference"])
    other = roles.isel(prompt=slice(2, None))
    return {
        "its effects": ({"a": roles}, served),
        "its effects, and itself": ({"a": roles, "found": served}, served),
        "among the results": ({"a": roles, "found": served}, None),
        "other effects first": ({"other": other, "a": roles}, served),
        "several comparisons": (
            {
                "other": other,
                "of the other": compare(other, resamples=20, permutations=20),
                "found": served,
                "a": roles,
            },
            served,
        ),
        "no effects": ({"table": TABLE}, served),
        "itself alone": ({"found": served}, None),
        "nothing told": ({"table": TABLE}, replace(served, closed="too few subjects (3), at least 6 are needed")),
        "nothing told of its effects": ({"a": roles}, replace(served, closed="too few subjects (3)")),
    }[name]


PAGES = (
    *("its effects", "its effects, and itself", "among the results", "other effects first", "several comparisons"),
    *("no effects", "itself alone", "nothing told", "nothing told of its effects"),
)


def goals(html: str) -> Iterator[dict[str, str]]:
    for found in re.findall(r'<a href="[^"]*" data-goal="([^"]*)">', html):
        yield json.loads(unescape(found))


def test_everything_is_told(served: Comparison) -> None:
    spots = [stretch.spot for said in told(served) for stretch in said.stretches]
    spots += [spot for said in told(served) for stretch in said.stretches for _, spot in stretch.numbers]
    assert {spot.what for spot in spots} == set(get_args(What))


@pytest.mark.parametrize("name", PAGES)
def test_each_number_has_its_target(roles: xr.Dataset, served: Comparison, tmp_path: Path, name: str) -> None:
    results, comparison = given(roles, served, name)
    html = dashboard(results, tmp_path, comparison=comparison).read_text("utf-8")
    findings = html.partition('<section id="findings"')[2].partition("</section>")[0]
    places = set(re.findall(r'<section id="([^"]+)"', html))
    tables = {place: html.partition(f'<section id="{place}"')[2].partition("</section>")[0] for place in places}
    marks = {place: re.findall(r'data-mark="([^"]+)"', text) for place, text in tables.items()}
    every = list(goals(findings))
    assert len(every) > (5 if name.startswith("nothing") else 30)
    drawn = name not in ("other effects first", "several comparisons", "no effects", "itself alone", "nothing told")
    for goal in every:
        assert goal["view"] in places - {"methods"}, goal
        if goal["view"] in ("first", "facts", "difference"):
            assert drawn, goal
        else:
            own = goal["mark"]
            assert any(f"{mark}|".startswith(f"{own}|") for mark in marks[goal["view"]]), goal
    found_in = {goal["view"] for goal in every} - {"first", "facts", "difference"}
    wanted = {
        "its effects": {"served"},
        "other effects first": {"comparison-what-was-found"},
        "no effects": {"comparison-what-was-found"},
        "nothing told": {"comparison-what-was-found"},
        "nothing told of its effects": set(),
    }
    assert found_in == wanted.get(name, {"comparison-found"})
    if name == "other effects first":
        assert 'data-figure="comparison-what-was-found-map"' in html


def test_modalities_are_paired_once_a_metric(
    roles: xr.Dataset, served: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    paired = module.paired

    def counted(*given: Any) -> Any:
        asked.append(str(given[2:]))
        return paired(*given)

    monkeypatch.setattr(module, "paired", counted)
    roles = roles.assign_coords(metric=["probability", "logit_difference"])
    dashboard({"a": roles, "found": served}, tmp_path, comparison=served)
    assert len(asked) == roles.sizes["metric"]


def test_the_effects_that_were_compared_are_found(roles: xr.Dataset, served: Comparison) -> None:
    roles = roles.assign_coords(metric=["probability", "logit_difference"])
    other = roles.isel(prompt=slice(2, None))
    found = leading(None, {"found": served}, {"other": other, "a": roles})
    assert (found.name, found.result, found.drawn) == ("a", "found", None)
    assert leading(served, {}, {"a": roles}).drawn is served
    nothing = leading(None, {"found": served}, {"other": other})
    assert (nothing.comparison, nothing.tables()) == (None, ("", ()))
