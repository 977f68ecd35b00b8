"""Numbers of comparisons and averages as LaTeX, Markdown and CSV: each is read back, with intervals and n."""

import io
import math
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

sys.path.append(str(Path(__file__).parents[2] / "effects"))

from effects_synthetic import role_effects

import spiritlens as sl
from spiritlens.comparison.result import Comparison
from spiritlens.report.paper.formats import interval_text, latex_table, markdown_table

ODD = r"50 % & a_b #1 | x\y ^2 ~ {z} <b> $5 \* `c` [a](b) 2×3"
ROWS = [("name", "r"), (ODD, "−0.5 [−1.0, 0.2]"), ("[begins]", "–"), ("*", "1")]
UNESCAPED = {
    **{rf"\{sign}": sign for sign in "&%$#_{}"},
    **{r"\textbackslash{}": "\\", r"\textasciitilde{}": "~", r"\textasciicircum{}": "^", r"\textbar{}": "|"},
    **{r"\textless{}": "<", r"\textgreater{}": ">", r"\textquotedbl{}": '"', "$-$": "−", "--": "–"},
    **{r"$\times$": "×", r"$\leq$": "≤", "{}": "", "~": "\u00a0"},
}
COMMANDS = re.compile("|".join(re.escape(command) for command in sorted(UNESCAPED, key=len, reverse=True)))


def read_latex(text: str) -> list[tuple[str, ...]]:
    """The cells of a tabular, as LaTeX sets them; what it would read as a command that we do not know fails."""
    lines = [line for line in text.splitlines() if not line.startswith("%")]
    assert re.fullmatch(r"\\begin\{tabular\}\{l+r*\}", lines[0])
    assert (lines[1], lines[3], *lines[-2:]) == (r"\toprule", r"\midrule", r"\bottomrule", r"\end{tabular}")
    rows = []
    for line in (lines[2], *lines[4:-2]):
        assert line.endswith(r" \\")
        cells = re.split(r"(?<!\\) & ", line.removesuffix(r" \\"))
        for cell in cells:
            assert not re.search(r"[\\&%$#_{}~^]", COMMANDS.sub("", cell)), cell
            assert not cell.startswith(("[", "*")), "LaTeX reads it as an option of the line break before"
        rows.append(tuple(COMMANDS.sub(lambda found: UNESCAPED[found[0]], cell) for cell in cells))
    columns = lines[0].count("l", lines[0].rindex("{")) + lines[0].count("r", lines[0].rindex("{"))
    assert {len(row) for row in rows} == {columns}
    return rows


def read_markdown(text: str) -> list[tuple[str, ...]]:
    """The cells of the table as CommonMark's reader sees them, without emphasis, links or HTML."""
    reader = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    cells: list[list[str]] = []
    for token in reader.parse(text):
        if token.type == "tr_open":
            cells.append([])
        if token.type == "inline":
            assert {child.type for child in token.children} <= {"text", "text_special"}, token.content
            cells[-1].append("".join(child.content for child in token.children))
    return [tuple(row) for row in cells]


def read_csv(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), keep_default_na=False, na_values=[""], float_precision="round_trip")


@pytest.fixture(scope="module")
def compared() -> Comparison:
    effects = role_effects(n_facts=12, peaks={"T2T": 2.0, "S2T": 4.0}, components=("resid_pre", "mlp_out"))
    return sl.compare(effects, resamples=50, permutations=100)


@pytest.fixture(scope="module")
def averages() -> xr.Dataset:
    return sl.effects.average(role_effects(n_facts=12, peaks={"T2T": 2.0, "S2T": 4.0}, components=("resid_pre",)))


def numbers_of(cell: str) -> list[float]:
    return [float(found.replace("−", "-")) for found in re.findall(r"−?\d+(?:\.\d+)?", cell)]


READ = {
    "latex": lambda one: read_latex(sl.tables.latex(one)),
    "markdown": lambda one: read_markdown(sl.tables.markdown(one)),
}


def test_odd_texts_are_read_back() -> None:
    assert read_latex(latex_table(ROWS)) == ROWS
    assert read_markdown(markdown_table(ROWS)) == ROWS


@pytest.mark.parametrize("broken", ["a & b", "50 %", "a_b", r"\x", "[a"])
def test_the_reader_of_latex_refuses_what_is_not_escaped(broken: str) -> None:
    with pytest.raises(AssertionError):
        read_latex(latex_table([("a", "b"), ("c", "d")]).replace("c", broken))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((math.nan, math.nan, math.nan), "–"),
        ((0.5, math.nan, math.nan), "0.50"),
        ((-0.5, -1.0, 0.25), "−0.50 [−1.00, 0.25]"),
        ((0.02, 0.0004, 0.04), "0.0200 [0.0004, 0.0400]"),
        ((-1e-9, -0.5, 0.5), "0.00 [−0.50, 0.50]"),
    ],
)
def test_intervals_keep_the_digit_that_decides(given: tuple[float, float, float], text: str) -> None:
    assert interval_text(*given, 2) == text


@pytest.mark.parametrize("form", READ)
def test_a_comparison_as_text_holds_its_numbers(compared: Comparison, form: str) -> None:
    header, *rows = READ[form](compared)
    assert header == ("component", "number", "T2T", "S2T", "between", "n", "said")
    by_name = {(row[0], row[1]): row for row in rows}
    total = by_name["all", "total effect on the probability of the answer"]
    for cell, one in zip(total[2:5], (*compared.total, compared.total_difference), strict=True):
        np.testing.assert_allclose(numbers_of(cell), (one.value, one.low, one.high), atol=0.005)
    assert total[5:] == ("12", compared.total_judged.verdict)
    for one in compared.components:
        agreement = by_name[one.component, "agreement (r)"]
        np.testing.assert_allclose(numbers_of(agreement[4])[0], one.agreement.value, atol=0.005)
        assert agreement[2:4] == ("–", "–")
        assert agreement[6] == one.agreement.strength
        assert {role for _, name in by_name if (role := name.removeprefix("share at ")) != name} == set(one.shares)
    assert compared.n_different > 0
    assert sum("share of the cell" in row[1] for row in rows) == compared.n_different


def test_a_comparison_as_csv_holds_every_number_as_it_is(compared: Comparison) -> None:
    frame = read_csv(sl.tables.csv(compared))
    pd.testing.assert_frame_equal(frame.fillna({"said": ""}), sl.tables.frame(compared), check_exact=True)
    total = frame.iloc[0]
    assert (total["T2T"], total["T2T low"], total["T2T high"]) == (
        compared.total[0].value,
        compared.total[0].low,
        compared.total[0].high,
    )
    cells = frame[frame["number"].str.startswith("share of the cell")]
    assert len(cells) == compared.n_tested
    there = compared.cells["p_value"].notnull()
    np.testing.assert_array_equal(np.sort(cells["between"]), np.sort(compared.cells["difference"].values[there.values]))


@pytest.mark.parametrize("form", READ)
def test_averages_as_text_hold_their_numbers(averages: xr.Dataset, form: str) -> None:
    header, *rows = READ[form](averages)
    assert header == ("component", "role", "layer", "T2T", "n, T2T", "S2T", "n, S2T")
    for row in rows:
        cell = averages.sel(component=row[0], role=row[1], layer=int(row[2]), metric="probability")
        for group, (text, n) in enumerate(((row[3], row[4]), (row[5], row[6]))):
            one = cell.isel(group=group)
            assert int(n) == int(one["n_facts"])
            if int(n):
                ends = [float(one[name]) for name in ("mean", "low", "high")]
                np.testing.assert_allclose(numbers_of(text), [end for end in ends if end == end], atol=0.005)
            else:
                assert text == "–"
    assert len(rows) == int((averages["n_facts"].max("group") > 0).sel(metric="probability").sum())
    assert [row[1] for row in rows] == sorted((row[1] for row in rows), key=averages["role"].values.tolist().index)


def test_averages_as_csv_are_read_back_equal(averages: xr.Dataset) -> None:
    frame = read_csv(sl.tables.csv(averages))
    places = frame.set_index(["modality", "component", "role", "layer", "metric"])
    for name in ("mean", "low", "high", "n_facts"):
        array = averages[name].set_index(group="modality").to_series()
        array.index = array.index.set_names("modality", level="group")
        pd.testing.assert_series_equal(
            places[name].sort_index(), array.reorder_levels(places.index.names).sort_index(), check_exact=True,
            check_index_type=False,
        )  # fmt: skip


@pytest.mark.parametrize(
    "chosen",
    [
        {"component": "resid_pre"},
        {"role": "subject", "layer": 2},
        {"metric": "probability"},
        {"component": ["resid_pre"], "role": ["subject", "final marker"]},
    ],
)
def test_chosen_averages_are_written(averages: xr.Dataset, chosen: dict[str, object]) -> None:
    whole = {row[:3]: row for row in read_markdown(sl.tables.markdown(averages))}
    for row in read_markdown(sl.tables.markdown(averages.sel(chosen))):
        assert whole[row[:3]] == row


def test_totals_and_several_groups_are_written() -> None:
    effects = role_effects(n_facts=12, peaks={"T2T": 2.0, "S2T": 4.0}, components=("resid_pre",))
    totals = sl.effects.average_total(effects)
    header, row = read_markdown(sl.tables.markdown(totals))
    assert header == ("T2T", "n, T2T", "S2T", "n, S2T")
    np.testing.assert_allclose(numbers_of(row[0])[0], float(totals["mean"].isel(group=0, metric=0)), atol=0.005)
    header = read_latex(sl.tables.latex(sl.effects.average(effects, by=("modality", "relation"))))[0]
    assert all(", " in name for name in header[3::2])
    assert read_latex(sl.tables.latex(sl.effects.average(effects, by=())))[0][3:] == ("all facts", "n, all facts")


def test_the_comment_of_latex_says_what_it_is(compared: Comparison, averages: xr.Dataset) -> None:
    first = sl.tables.latex(compared).splitlines()[0]
    assert first.startswith("% S2T against T2T: 12 facts of 12 subjects")
    assert r"95 \% intervals" in first
    assert "indirect effects on the probability of the answer, denoising" in sl.tables.latex(averages).splitlines()[0]


def test_what_has_no_table_is_refused(compared: Comparison) -> None:
    effects = role_effects(n_facts=6)
    for write in (sl.tables.latex, sl.tables.markdown, sl.tables.csv):
        with pytest.raises(ValueError, match=r"spiritlens\.effects/1.*expected what sl\.compare"):
            write(effects)
    with pytest.raises(ValueError, match=r"this comparison is of the probability"):
        sl.tables.latex(compared, "logit")
    with pytest.raises(ValueError, match=r"digits=-1"):
        sl.tables.markdown(compared, digits=-1)
