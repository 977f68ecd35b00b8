"""Two run folders on one page: the averages of both, labelled, on one scale; and what they share and do not."""

import html
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent))

from made_folder import FINDINGS, make_folder, roles_of

import spiritlens as sl
from spiritlens.report.page.run_folder import beside as module
from spiritlens.report.page.run_folder.beside import beside


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    runs = tmp_path_factory.mktemp("runs")
    second = {"n_facts": 12, "peaks": {"T2T": 5.0, "S2T": 6.0}, "noise": 0.05, "seed": 3}
    first = make_folder(runs / "tiny & a")
    return first, make_folder(runs / "other", **second, model_name="other <b>", voice="flite:slt")


@pytest.fixture(scope="module")
def made(two: tuple[Path, Path]) -> tuple[str, list[Any]]:
    """The page, and the sections that it was made of."""
    asked: list[Any] = []
    write = module.write_page

    def writing(path: Path, **content: Any) -> Path:
        asked.append(content)
        return write(path, **content)

    module.write_page = writing
    try:
        page = beside(*two)
    finally:
        module.write_page = write
    assert page == two[0].parent / "tiny & a beside other" / "index.html"
    return page.read_text(encoding="utf-8"), asked


def test_both_are_labelled(made: tuple[str, list[Any]]) -> None:
    text, (content,) = made
    words = html.unescape(text)
    for label in ("tiny & a", "other"):
        assert all(f"{label}: {finding}" in words for finding in FINDINGS)
    assert "8 facts are in both." in words
    assert "<b>other" not in text
    for section in content["sections"]:
        for place, plot in enumerate(section.plots):
            assert plot.heading.startswith(("tiny & a: ", "other: ")[place % 2])


def test_the_numbers_are_those_of_each_folder_on_one_scale(made: tuple[str, list[Any]]) -> None:
    plots = {plot.key: plot.figure for section in made[1][0]["sections"] for plot in section.plots}
    second = roles_of(n_facts=12, peaks={"T2T": 5.0, "S2T": 6.0}, noise=0.05, seed=3)
    for place, effects in enumerate((roles_of(), second)):
        means = sl.effects.average(effects).sel(metric="probability", component="mlp_out")
        numbers = sl.tables.figure_numbers(plots[f"maps-mlp_out-{place}"])
        for group in range(2):
            panel = numbers[numbers["panel"] == numbers["panel"].unique()[group]].set_index("y")
            own = means["mean"].isel(group=group).sel(role="subject")
            np.testing.assert_array_equal(panel.loc["subject", "value"], own)
    for component in ("resid_pre", "mlp_out"):
        one, other = (plots[f"maps-{component}-{place}"] for place in range(2))
        assert one.layout.coloraxis.cmax == other.layout.coloraxis.cmax
        one, other = (plots[f"curves-{component}-{place}"] for place in range(2))
        assert one.layout.yaxis.range == other.layout.yaxis.range == other.layout.yaxis2.range


def test_tables_have_a_column_for_the_run(made: tuple[str, list[Any]]) -> None:
    tables = {table.caption: table.frame for section in made[1][0]["sections"] for table in section.tables}
    totals = tables["Total effects in numbers"]
    assert totals["run"].tolist() == ["tiny & a"] * 2 + ["other"] * 2
    assert totals["facts"].tolist() == ["8", "8", "12", "12"]
    assert set(tables["Peaks in numbers"]["run"]) == set(tables["Accuracy"]["run"]) == {"tiny & a", "other"}


def test_only_settings_that_differ_are_shown(made: tuple[str, list[Any]]) -> None:
    frame = made[1][0]["settings"].frame
    assert frame.columns.tolist() == ["setting", "tiny & a", "other"]
    rows = {row[0]: tuple(row[1:]) for row in frame.values.tolist()}
    assert rows["study: voice"] == ("espeak:en-us", "flite:slt")
    assert rows["model name"] == ("tiny", "other <b>")
    assert "study: seed" not in rows
    assert all(one != other for one, other in rows.values())


def test_folders_of_one_name_and_labels_of_ones_own(two: tuple[Path, Path], tmp_path: Path) -> None:
    page = beside(two[0], two[1], tmp_path / "page", labels=("reading", "hearing"))
    assert page == tmp_path / "page" / "index.html"
    title = re.search(r"<title>(.*?)</title>", page.read_text(encoding="utf-8"))
    assert title
    assert title[1] == "reading beside hearing"
    again = make_folder(tmp_path / "tiny & a")
    text = html.unescape(beside(two[0], again, tmp_path / "same").read_text(encoding="utf-8"))
    assert f"{two[0]}: {FINDINGS[0]}" in text
    assert f"{again}: {FINDINGS[0]}" in text


@pytest.mark.parametrize("labels", [("a",), ("a", "a"), ("a", " "), ("a", "b", "c"), "ab"])
def test_labels_are_two_names(two: tuple[Path, Path], tmp_path: Path, labels: Any) -> None:
    with pytest.raises(ValueError, match="labels="):
        beside(*two, tmp_path, labels=labels)


def test_folders_without_anything_in_common_are_refused(two: tuple[Path, Path], tmp_path: Path) -> None:
    other = make_folder(tmp_path / "attn", components=("attn_out",))
    with pytest.raises(ValueError, match=r"share no component \(resid_pre, mlp_out; attn_out\)"):
        beside(two[0], other, tmp_path / "page")
    with pytest.raises(ValueError, match="is no run folder"):
        beside(two[0], tmp_path)
    assert not (tmp_path / "page").exists()


def test_a_folder_of_unknown_facts_says_why(two: tuple[Path, Path], tmp_path: Path) -> None:
    other = make_folder(tmp_path / "unknown")
    effects = roles_of()
    sl.effects.save(effects.assign_coords(known=("prompt", 0 * effects["known"].values)), other / "effects.nc")
    with pytest.raises(ValueError, match=r"unknown has no averages to set beside others"):
        beside(two[0], other, tmp_path / "page")
    values = json.loads((other / "page.json").read_text(encoding="utf-8"))
    (other / "page.json").write_text(json.dumps(values | {"facts": "all"}), encoding="utf-8")
    assert beside(two[0], other, tmp_path / "page").is_file()
