"""To take away: each figure of the page as PNG, SVG and CSV, read back and compared; the datasets beside the page."""

import csv
import json
import struct
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from browser import Browser, needs_chromium

sys.path.append(str(Path(__file__).parent / "run_folder"))

from made_folder import make_folder

import spiritlens as sl
from spiritlens.effects.quantities import indirect
from spiritlens.prompts.prompt import Prompt
from spiritlens.report.figures.layer_curves import layer_curves
from spiritlens.report.page.dashboard import dashboard
from spiritlens.report.paper.figure_numbers import figure_numbers

pytestmark = [pytest.mark.browser, needs_chromium]

FACT = "#view=facts&fact=capital%2F2&set=by+role&component=mlp_out"
SVG = "{http://www.w3.org/2000/svg}"


def save(tab: Browser, folder: Path, where: str, what: str) -> Path:
    """Clicks a button of a part of the page and returns the file that it saves."""
    tab.save_to(folder)
    tab.tell(f"document.querySelector({json.dumps(f'{where} [data-save={what}]')}).click()")

    def saved() -> list[Path]:
        done = not list(folder.glob("*.crdownload"))
        return [one for one in folder.glob(f"*.{what.lower()}") if done and one.stat().st_size]

    tab.hear(lambda: bool(saved()), f"{where} {what}")
    assert tab.tell("document.getElementById('status').textContent") == f"Saved {saved()[0].name}."
    return saved()[0]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def shown(tab: Browser, page: Path, address: str = "") -> None:
    tab.open(page, address)
    tab.draw()


PARTS = {
    "#first-take-away": ("T2T read-out", "layer"),
    "#fact": ("subject", "S2T"),
    "#difference-take-away": ("S2T − T2T", "read-out"),
    "#difference-dots": ("of each fact",),
    "#curves": ("subject", "layer"),
}


@pytest.mark.parametrize("where", PARTS)
def test_each_figure_is_saved_as_a_picture(tab: Browser, study_page: Path, tmp_path: Path, where: str) -> None:
    shown(tab, study_page, FACT)
    root = ET.fromstring(save(tab, tmp_path, where, "SVG").read_text(encoding="utf-8"))
    assert root.tag == f"{SVG}svg"
    texts = " ".join("".join(one.itertext()) for one in root.iter(f"{SVG}text"))
    for words in PARTS[where]:
        assert words in texts
    assert not list(root.iter(f"{SVG}script")) + list(root.iter(f"{SVG}foreignObject"))
    data = save(tab, tmp_path, where, "PNG").read_bytes()
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", data[16:24])
    assert width == pytest.approx(2 * float(root.attrib["width"]), abs=3)
    assert height == pytest.approx(2 * float(root.attrib["height"]), abs=3)
    assert len(data) > 4000
    assert (tab.requests, tab.windows, tab.problems) == ([], [], [])


def test_a_sentence_is_saved_with_its_words(tab: Browser, study_page: Path, tmp_path: Path) -> None:
    shown(tab, study_page, "#fact=capital%2F0&set=by+token")
    root = ET.fromstring(save(tab, tmp_path, "#fact", "SVG").read_text(encoding="utf-8"))
    texts = ["".join(one.itertext()) for one in root.iter(f"{SVG}text")]
    assert {"the", "capital", "france", "corrupted"} <= set(texts)
    fills = {one.get("fill") for one in root.iter(f"{SVG}rect")}
    assert len(fills) > 10


def test_the_numbers_of_a_fact_are_those_of_the_effects(
    tab: Browser, study_page: Path, tmp_path: Path, roles: xr.Dataset
) -> None:
    shown(tab, study_page, FACT)
    rows = rows_of(save(tab, tmp_path, "#fact", "CSV"))
    effect = indirect(roles).isel(metric=0).sel(component="mlp_out")
    for kind, place in (("T2T", 4), ("S2T", 5)):
        one = effect.isel(prompt=place)
        own = {(row["role"], int(row["layer"])): row for row in rows if row["modality"] == kind}
        measured = {key: row for key, row in own.items() if row["status"] == "measured"}
        assert len(measured) > 20
        largest = float(np.abs(one).max())
        for (role, layer), row in measured.items():
            if role != "read-out":  # that of the last word or of the final marker
                assert float(row["effect"]) == pytest.approx(
                    one.sel(role=role, layer=layer).item(), abs=largest / 30000
                )
        assert all(row["effect"] == "" for row in own.values() if row["status"] in ("screened", "absent"))
    assert {row["component"] for row in rows} == {"mlp_out"}


def test_the_numbers_of_curves_and_differences_are_those_of_the_averages(
    tab: Browser, study_page: Path, tmp_path: Path, roles: xr.Dataset
) -> None:
    shown(tab, study_page, "#quantity=effect&component=mlp_out&word=subject&layer=4")
    means = sl.effects.average(roles).sel(component="mlp_out", role="subject").isel(metric=0)
    rows = rows_of(save(tab, tmp_path, "#first-take-away", "CSV"))
    maps = rows_of(save(tab, _new(tmp_path, "maps"), "#difference-take-away", "CSV"))
    for kind in ("T2T", "S2T"):
        one = means.isel(group=means["modality"].values.tolist().index(kind))
        curve = [row for row in rows if row["curve"] == f"{kind} subject"]
        side = [row for row in maps if row["side"] == kind and row["role"] == "subject"]
        assert (
            [int(row["layer"]) for row in curve] == [int(row["layer"]) for row in side] == one["layer"].values.tolist()
        )
        for given in (curve, side):
            np.testing.assert_allclose([float(row["mean"]) for row in given], one["mean"].values, rtol=1e-5, atol=1e-7)
    facts = rows_of(save(tab, _new(tmp_path, "dots"), "#difference-dots", "CSV"))
    effect = indirect(roles).sel(component="mlp_out", role="subject", layer=4).isel(metric=0).values
    assert len(facts) == 12
    for row in facts:
        place = int(row["fact"].rsplit("/", 1)[1])
        assert float(row["difference"]) == pytest.approx(effect[2 * place + 1] - effect[2 * place], abs=1e-3)


def test_the_numbers_of_a_plotly_figure_are_those_that_python_reads(
    tab: Browser, study_page: Path, tmp_path: Path, roles: xr.Dataset
) -> None:
    shown(tab, study_page)
    rows = rows_of(save(tab, tmp_path, "#curves", "CSV"))
    wanted = figure_numbers(layer_curves(sl.effects.average(roles)))
    assert list(rows[0]) == list(wanted)
    assert len(rows) == len(wanted)
    for name in wanted.select_dtypes("number"):
        given = [float(row[name]) if row[name] else np.nan for row in rows]
        np.testing.assert_allclose(given, wanted[name], rtol=1e-6, atol=1e-12)
    tab.tell("document.querySelector('#curves .table-behind summary').click()")
    tab.wait("document.querySelector('#curves .table-behind tbody tr')")
    assert tab.tell("document.querySelectorAll('#curves .table-behind')[0].querySelectorAll('tbody tr').length") == len(
        rows
    )


def test_texts_with_commas_quotes_and_lines_are_quoted(
    tab: Browser, roles: xr.Dataset, prompts: list[Prompt], tmp_path: Path
) -> None:
    names = np.array([f'a, "{place // 2}"\nb' for place in range(roles.sizes["prompt"])])
    effects = roles.assign_coords(fact_id=("prompt", names)) if "fact_id" in roles.coords else roles
    page = dashboard(effects.assign_coords(subject=("prompt", names)), tmp_path / "page")
    shown(tab, page)
    saved = rows_of(save(tab, _new(tmp_path, "saved"), "#difference-dots", "CSV"))
    assert {row["fact"] for row in saved} == set(
        tab.tell("[...document.querySelectorAll('.dot')].map((one) => one.dataset.of)")
    )


def test_datasets_of_a_run_folder_are_linked(tab: Browser, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "run")
    page = sl.page.of_folder(folder)
    tab.open(page)
    links: list[dict[str, Any]] = tab.tell(
        "[...document.querySelectorAll('a[download]')].map((one) => ({href: one.getAttribute('href'), at: one.href}))"
    )
    assert [one["href"] for one in links] == ["cells/both.nc", "comparison.nc", "effects.nc", "tokens/effects.nc"]
    for one in links:
        assert (folder / one["href"]).as_uri() == one["at"]
    alone = sl.page.of_folder(folder, tmp_path / "elsewhere")
    assert "download>" not in alone.read_text(encoding="utf-8")


def _new(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name
