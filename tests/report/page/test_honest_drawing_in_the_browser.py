"""Honest drawing in the browser: noise is pale and said to be, marks tell how a cell came by its value, zeros are thin.

What the browser draws is compared with what Python's figures do of the same effects.
"""

import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from browser import Browser, needs_chromium

from spiritlens.comparison.pairing import paired, prompt_maps
from spiritlens.effects.schema import Status
from spiritlens.report.figures.difference_map import difference_map
from spiritlens.report.figures.paired_status import paired_status
from spiritlens.report.figures.rows import Rows, folded_rows
from spiritlens.report.page.dashboard import dashboard

pytestmark = [pytest.mark.browser, needs_chromium]

FACT = "#view=facts&fact=capital%2F{}&set=effects&component=mlp_out"
KINDS = ("T2T", "S2T")
PALEST = 190
"""The lowest channel of any colour at a quarter of the scale, in light."""
SCREENED = (1, 5)
MARKS = {Status.EXACT: "circle.exact", Status.SCREENED: "path.screened"}
WORDS = {
    Status.EXACT: "exact: nothing can change, not run",
    Status.SCREENED: "screened out, not run",
    Status.ABSENT: "no such place",
    Status.MEASURED: "measured",
}


@pytest.fixture(scope="module")
def marked(roles: xr.Dataset) -> xr.Dataset:
    """Two layers of what was measured screened out; the totals of one fact, and of one prompt of another, are noise."""
    status = roles["status"].copy(deep=True)
    layers = status["layer"].isin(SCREENED)
    status = status.where(~((status == Status.MEASURED) & layers), Status.SCREENED).astype(np.int8)
    status = status.transpose(*roles["status"].dims)
    floor = roles["noise_floor"].copy(deep=True)
    floor[{"prompt": [0, 1, 3]}] = 2.0
    return roles.assign(status=status, restored=roles["restored"].where(status != Status.SCREENED), noise_floor=floor)


@pytest.fixture(scope="module")
def page(marked: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dashboard(marked, tmp_path_factory.mktemp("marked"))


def show(tab: Browser, page: Path, address: str, part: str = "facts") -> None:
    tab.open(page, address)
    tab.draw(part)


def fills(tab: Browser, panel: str) -> list[list[int]]:
    told = tab.tell(f"[...document.querySelectorAll('{panel} .cell[fill]')].map((one) => one.getAttribute('fill'))")
    return [[int(one) for one in re.findall(r"\d+", text)] for text in told]


def text(tab: Browser, selector: str) -> str:
    return str(tab.tell(f"document.querySelector('{selector}')?.textContent ?? ''"))


def statuses(marked: xr.Dataset, fact: int) -> list[np.ndarray]:
    """Of both modalities, [role layer]."""
    chosen = marked["status"].sel(component="mlp_out").transpose("prompt", "role", "layer").values
    return [chosen[2 * fact], chosen[2 * fact + 1]]


def tops(rows: Rows, height: int) -> list[float]:
    """Where rows begin in the browser, by Python's edges."""
    return [2 + height * (edge + 0.5) + 0.5 for edge in rows.edges[:-1]]


def test_noise_is_pale_and_a_line_says_so(tab: Browser, page: Path) -> None:
    show(tab, page, FACT.format(0))
    for kind in KINDS:
        panel = f'.panel[data-kind="{kind}"]'
        assert min(min(one) for one in fills(tab, panel)) >= PALEST
        assert len({tuple(one) for one in fills(tab, panel)}) > 5  # pale, and yet drawn
        assert text(tab, f"{panel} .within") == (
            " The total effect lies within the noise floor: this map shows noise, and at a quarter of the colour."
        )
    title = text(tab, "#fact .scale-title")
    assert re.search(r"\(pale: the total effect, 0\.\d+, is within the noise floor, 2(\.0+)?\)", title), title
    show(tab, page, FACT.format(1))  # only its spoken prompt is noise
    assert text(tab, '.panel[data-kind="T2T"] .within') == ""
    assert "shows noise" in text(tab, '.panel[data-kind="S2T"] .within')
    assert min(min(one) for one in fills(tab, '.panel[data-kind="T2T"]')) < PALEST
    assert min(min(one) for one in fills(tab, '.panel[data-kind="S2T"]')) >= PALEST
    show(tab, page, FACT.format(2))
    assert text(tab, "#fact .within") == ""
    assert min(min(one) for one in fills(tab, '.panel[data-kind="S2T"]')) < PALEST
    assert "(full colour: the total effect, " in text(tab, "#fact .scale-title")
    assert tab.tell("document.querySelectorAll('#fact .scale').length") == 1


@pytest.mark.parametrize(("beyond", "words"), [(1e-9, "the total effect"), (0.2, "the largest cell")])
def test_a_cell_reaches_beyond_the_total_effect_by_more_than_rounding(
    tab: Browser, roles: xr.Dataset, tmp_path: Path, beyond: float, words: str
) -> None:
    restored = roles["restored"].copy(deep=True)
    cell = {"component": "mlp_out", "layer": 2, "role": "subject"}
    restored.loc[cell] = (roles["clean"] + beyond * (roles["clean"] - roles["corrupted"])).transpose(
        *restored.loc[cell].dims
    )
    show(tab, dashboard(roles.assign(restored=restored), tmp_path), FACT.format(2))
    assert f"(full colour: {words}, " in text(tab, "#fact .scale-title")


def test_marks_are_those_of_the_statuses_and_the_legend_names_them(
    tab: Browser, page: Path, marked: xr.Dataset
) -> None:
    show(tab, page, FACT.format(2))
    legend = tab.tell("[...document.querySelectorAll('#fact .legend .key')].map((one) => one.textContent)")
    assert legend == ["exactly 0: nothing can change, not run", "screened out, not run", "no such place"]
    both = statuses(marked, 2)
    rows = folded_rows(*both)
    for kind, own in zip(KINDS, both, strict=True):
        drawn = own[rows.first]
        for status, mark in MARKS.items():
            count = f"document.querySelectorAll('.panel[data-kind=\"{kind}\"] {mark}').length"
            assert tab.tell(count) == (drawn == status).sum() > 0
        for status, name in ((Status.ABSENT, "absent"), (Status.SCREENED, "not-run")):
            count = f"document.querySelectorAll('.panel[data-kind=\"{kind}\"] .cell.{name}').length"
            assert tab.tell(count) == (drawn == status).sum()


def test_hovering_tells_statuses_apart(tab: Browser, page: Path, marked: xr.Dataset) -> None:
    show(tab, page, FACT.format(2))
    drawn = statuses(marked, 2)[0][folded_rows(*statuses(marked, 2)).first]
    told = set()
    for status in Status:
        place = int(np.flatnonzero(drawn.ravel() == status)[0])
        cell = f"document.querySelectorAll('.panel[data-kind=\"T2T\"] .cell')[{place}]"
        tab.tell(f"{cell}.setAttribute('data-here', '{status}')")
        tab.point(f"[data-here='{status}']")
        lines = tab.tell("[...document.querySelectorAll('#tip div')].map((one) => one.textContent)")
        assert lines[-1] == WORDS[status]
        assert [line.split(",")[0] == "effect 0" for line in lines].count(True) == (status == Status.EXACT)
        told.add(lines[-1])
    assert told == set(WORDS.values())


def test_zeros_are_thin_rows_where_python_has_them(tab: Browser, page: Path, marked: xr.Dataset) -> None:
    show(tab, page, FACT.format(2))
    rows = folded_rows(*statuses(marked, 2))
    assert rows.thin.count(True) == 2
    assert rows.folded.count(True) == 0  # each a run of a single row, which keeps its name
    for kind in KINDS:
        cells = f"document.querySelectorAll('.panel[data-kind=\"{kind}\"] .cell')"
        drawn = tab.tell(f"[...new Set([...{cells}].map((one) => Number(one.getAttribute('y'))))]")
        assert drawn == pytest.approx(tops(rows, 26))
        thin = tab.tell(
            f"[...document.querySelectorAll('.panel[data-kind=\"{kind}\"] .label.thin')].map((one) => one.textContent)"
        )
        assert thin == ["bos", "before subject"]


def test_a_run_of_zeros_is_one_thin_row(tab: Browser, roles: xr.Dataset, tmp_path: Path) -> None:
    written = roles.isel(prompt=roles["modality"].values == "T2T", role=[0, 2, 3, 4, 5])
    tab.open(dashboard(written, tmp_path), FACT.format(2))
    tab.draw("facts")
    rows = folded_rows(written["status"].sel(component="mlp_out").isel(prompt=2).transpose("role", "layer").values)
    assert rows.members[0] == (0, 1)
    assert rows.thin == (True, False, False, False)
    cells = "[...document.querySelectorAll('#fact svg.map .cell')]"
    drawn = tab.tell(f"[...new Set({cells}.map((one) => Number(one.getAttribute('y'))))]")
    assert drawn[: len(rows.members)] == pytest.approx(tops(rows, 26))  # the page has a row more, the read-out
    assert text(tab, "#fact .label.thin") == "2 rows: all 0"
    tab.point("#fact svg.map .cell")
    assert text(tab, "#tip") == "bos, before subject: exactly 0"


def test_the_difference_tells_statuses_on_one_scale(tab: Browser, page: Path, marked: xr.Dataset) -> None:
    show(tab, page, "#view=difference&quantity=share&component=mlp_out&metric=logit", "difference")
    maps = prompt_maps(marked, "logit", "read-out")
    pairs = paired(maps, maps, KINDS)
    status = paired_status(marked, pairs, "known")[1].T
    rows = folded_rows(status)
    assert {Status.EXACT, Status.SCREENED, Status.ABSENT} <= set(status[rows.first].ravel())
    legend = tab.tell("[...document.querySelectorAll('#difference .legend .key')].map((one) => one.textContent)")
    assert legend == [
        "exactly 0: nothing can change, not run",
        "screened out, not run",
        "not compared: no such place in half of the facts",
    ]
    for name, mark in MARKS.items():
        count = f"document.querySelectorAll('#difference [data-side=\"S2T − T2T\"] {mark}').length"
        assert tab.tell(count) == (status[rows.first] == name).sum()
    assert tab.tell("document.querySelectorAll('#difference .scale').length") == 1
    figure = difference_map(marked, component="mlp_out", metric="logit")
    limit = figure.layout.coloraxis.cmax
    ends = tab.tell("[...document.querySelectorAll('#difference .scale-row span')].map((one) => one.textContent)")
    assert [float(one.replace("−", "-")) for one in ends] == pytest.approx([-limit, limit], rel=0.01)
    drawn = [np.asarray(trace.z, dtype=float).ravel() for trace in figure.data if trace.type == "heatmap"]
    pairs_of = []  # equal colours are equal values, in all three maps
    for side, values in zip((*KINDS, "S2T − T2T"), drawn, strict=True):
        shown = fills(tab, f'#difference [data-side="{side}"]')
        assert len(shown) == (~np.isnan(values)).sum()
        pairs_of += list(zip(values[~np.isnan(values)], shown, strict=True))
    for value, (red, _, blue) in pairs_of:
        assert abs(value) < 0.01 * limit or (red > blue) == (value > 0), value
    strength = sorted((abs(value), 255 - min(colours)) for value, colours in pairs_of if value > 0)
    sizes = [size for _, size in strength]
    assert max(np.maximum.accumulate(sizes) - sizes) <= 2


def test_columns_of_a_sentence_tell_statuses_apart(tab: Browser, tokens: xr.Dataset, tmp_path: Path) -> None:
    tab.open(dashboard(tokens, tmp_path), "#view=facts&fact=capital%2F1")
    tab.draw("facts")
    own = tokens["status"].isel(prompt=2, component=0).transpose("pos", "layer").values
    own = own[(own != Status.ABSENT).any(axis=1)]
    panel = '.panel[data-kind="T2T"]'
    for status, mark in MARKS.items():
        if (own == status).any():
            assert tab.tell(f"document.querySelectorAll('{panel} {mark}').length") > 0
            tab.tell(f"document.querySelector('{panel} {mark}').setAttribute('data-here', '{status}')")
            tab.point(f"[data-here='{status}']")
            assert re.search("exactly 0|" + WORDS[status], text(tab, "#tip"))
    assert (own == Status.EXACT).any()
