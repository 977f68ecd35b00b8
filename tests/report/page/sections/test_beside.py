"""Maps of groups as a section: beside each other in its wide form, stacked in its narrow one."""

import html
import re
from pathlib import Path

import xarray as xr

import spiritlens as sl
from spiritlens.report.page.sections.beside import BesideSection


def test_one_section_with_both_forms(roles: xr.Dataset) -> None:
    means = sl.effects.average(roles)
    (section,) = BesideSection("By <what>", "How to read.", {"a": means, "b": None}).sections()
    assert (section.key, section.heading, section.text) == ("beside-By-what", "By <what>", "How to read.")
    (plot,) = section.plots
    assert plot.narrow is not None
    assert len({axis.domain for axis in plot.figure.select_xaxes()}) == 2
    assert len({axis.domain for axis in plot.narrow.select_xaxes()}) == 1
    assert plot.subtitle.startswith("By <what> · indirect effect")


def test_a_page_shows_it_after_its_main_sections(roles: xr.Dataset, tmp_path: Path) -> None:
    beside = BesideSection("By what is known", "How to read.", {"both": sl.effects.average(roles), "neither": None})
    text = sl.dashboard({"by role": roles, "cells": beside}, tmp_path).read_text(encoding="utf-8")
    headings = [html.unescape(each) for each in re.findall(r"<h2[^>]*>(.*?)</h2>", text)]
    assert headings.index("By what is known") > headings.index("By role and layer")
