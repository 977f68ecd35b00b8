"""From layers to heads to paths by clicking deeper; what was not run shows the lines that would run it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from browser import Browser, needs_chromium

from spiritlens.comparison.compare import compare
from spiritlens.effects.averages import average
from spiritlens.effects.quantities import indirect
from spiritlens.prompts.prompt import Prompt
from spiritlens.report.numerals import interval_of, number_words
from spiritlens.report.page.dashboard import dashboard

pytestmark = [pytest.mark.browser, needs_chromium]

AXE = Path(__file__).parents[1] / "axe" / "axe.min.js"
STEP = "document.querySelector('#layers-heading')?.textContent"
MAP = "#layers svg.map"


@pytest.fixture(scope="module")
def attention(roles: xr.Dataset) -> xr.Dataset:
    return roles.assign_coords(component=["resid_pre", "attn_out"])


@pytest.fixture(scope="module")
def deep_page(
    attention: xr.Dataset, heads: xr.Dataset, paths: xr.Dataset, prompts: list[Prompt], tmp_path_factory: Any
) -> Path:
    results = {"by role": attention, "heads": of_z(heads), "paths": paths}
    return dashboard(results, tmp_path_factory.mktemp("deep"))


@pytest.fixture(scope="module")
def shallow_page(attention: xr.Dataset, tmp_path_factory: Any) -> Path:
    comparison = compare(attention, resamples=20, permutations=20)
    return dashboard({"by role": attention}, tmp_path_factory.mktemp("shallow"), comparison=comparison)


@pytest.fixture(autouse=True)
def looked_at(tab: Browser) -> Iterator[None]:
    yield
    tab.look()
    problems, tab.problems = tab.problems, []
    assert (problems, tab.requests, tab.windows) == ([], [], [])


def of_z(heads: xr.Dataset) -> xr.Dataset:
    """Two heads of the component z."""
    return heads.isel(component=[0]).assign_coords(component=["z"])


def state(tab: Browser) -> dict[str, str]:
    return dict(tab.tell("Object.fromEntries(new URLSearchParams(location.hash.slice(1)))"))


def click_cell(tab: Browser, svg: str, row: int, column: int, columns: int) -> None:
    """Clicks a cell of a map, by its places."""
    cell = f"{svg} .cells rect:nth-child({row * columns + column + 1})"
    tab.click(cell)


def test_a_cell_of_attention_opens_the_heads_of_its_layer_and_back_returns(
    tab: Browser, deep_page: Path, heads: xr.Dataset
) -> None:
    tab.open(deep_page, "#view=facts&fact=capital%2F2&component=attn_out")
    tab.draw("facts")
    click_cell(tab, '.panel[data-kind="S2T"] svg.map', 1, 4, 8)  # the folded rows are the first stripe
    tab.wait(f"{STEP} === 'Heads of layer 4'")
    assert state(tab)["view"] == "layers"
    assert "head" not in state(tab)
    role = state(tab)["word"]
    labels = tab.tell(f"[...document.querySelectorAll('{MAP} > .label')].map((one) => one.textContent)")
    assert labels == ["T2T", "S2T", "S2T − T2T", "T2T: norway", "S2T: norway"]
    tab.tell(f"document.querySelector('{MAP}').focus()")
    tab.press("ArrowDown")
    tab.press("ArrowDown")
    means = average(of_z(heads)).isel(component=0, metric=0, group=1).sel(layer=4, role=role)
    first = means.isel(head=0)
    wanted = interval_of(*(float(first[name]) for name in ("mean", "low", "high")))
    said = tab.tell("document.querySelector('[role=status]').textContent")
    assert said == f"S2T, layer 4, head 0, {role}, mean {wanted}, n = 12 facts"
    tab.press("ArrowRight")
    tab.press("Enter")
    tab.wait(f"{STEP} === 'Paths of L4H1'")
    assert state(tab)["head"] == "1"
    for _ in range(2):
        tab.tell("history.back()")
    tab.wait("document.querySelector('#fact-title') && !location.hash.includes('view=layers')")
    assert state(tab)["view"] == "facts"
    tab.wait(f"{STEP} === 'All layers'")
    tab.tell("history.forward()")
    tab.wait(f"{STEP} === 'Heads of layer 4'")


def test_the_difference_row_and_the_facts_rows_are_theirs(tab: Browser, deep_page: Path, heads: xr.Dataset) -> None:
    tab.open(deep_page, "#view=layers&layer=3&fact=capital%2F2&word=subject&metric=logit")
    tab.wait(f"document.querySelector('{MAP}')")
    tab.tell("document.querySelector('#layers .table-behind').open = true")
    tab.wait("document.querySelectorAll('#layers .table-behind tbody tr').length === 10")
    rows = tab.tell(
        "[...document.querySelectorAll('#layers .table-behind tbody tr')].map((one) => "
        "[...one.children].map((cell) => cell.textContent))"
    )
    effect = indirect(of_z(heads)).isel(component=0).sel(layer=3, role="subject", metric="logit")
    written, spoken = (effect.isel(prompt=effect["modality"].values == kind) for kind in ("T2T", "S2T"))
    for head in (0, 1):
        apart = (spoken.isel(head=head).values - written.isel(head=head).values).mean()
        assert rows[4 + head][:3] == ["S2T − T2T", str(head), number_words(apart)]
        assert rows[4 + head][5] == "12"
        assert rows[6 + head][:3] == ["T2T: norway", str(head), number_words(float(written.isel(head=head)[2]))]


def test_paths_of_a_head_are_listed_and_followed(tab: Browser, deep_page: Path, paths: xr.Dataset) -> None:
    tab.open(deep_page, "#view=layers&layer=0&head=1")
    tab.wait("document.querySelectorAll('#layers .edge').length === 2")
    edges = tab.tell("[...document.querySelectorAll('#layers .edge')].map((one) => one.dataset.edge)")
    assert edges == ["L0H1 → L1H0.v", "L0H1 → logits"]

    mean = -1.05  # of 1 and 0.9, less a head and the base
    assert f"T2T {number_words(mean)} (n = 2)" in tab.tell("document.querySelectorAll('.edge')[1].textContent")
    assert "Paths into L0H1 were not run." in tab.tell("document.querySelector('#layers-step').textContent")
    tab.click("#layers .edge button")
    tab.wait(f"{STEP} === 'Paths of L1H0'")
    into = "[...document.querySelectorAll('#layers [data-side=into] .edge')].map((one) => one.dataset.edge)"
    assert sorted(tab.tell(into)) == ["L0H0 → L1H0.v", "L0H1 → L1H0.v"]
    tab.click("#layers-trail button[data-focus='trail layer 1']")
    tab.wait(f"{STEP} === 'Heads of layer 1'")
    tab.click("#layers-trail button[data-focus='trail all layers']")
    tab.wait(f"{STEP} === 'All layers'")
    links = tab.tell("[...document.querySelectorAll('#layers-step a')].map((one) => one.dataset.view)")
    assert links == []
    tab.open(deep_page, "#view=layers&layer=1")
    tab.wait(f"document.querySelector('{MAP}')")
    assert tab.tell("document.querySelector('#layers-step a').dataset.view") == "heads-heads"
    tab.click("#layers-step a")
    assert state(tab)["view"] == "heads-heads"


def test_all_layers_lead_to_one_by_the_keyboard(tab: Browser, shallow_page: Path) -> None:
    tab.open(shallow_page, "#view=layers&component=attn_out&word=subject")
    tab.wait(f"document.querySelector('{MAP}')")
    tab.tell(f"document.querySelector('{MAP}').focus()")
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "Enter"):
        tab.press(key)
    tab.wait(f"{STEP} === 'Heads of layer 2'")
    assert tab.tell("document.querySelector('#layers-trail [aria-current=step]').textContent") == "layer 2"


def test_what_was_not_run_shows_lines_that_can_be_copied(tab: Browser, shallow_page: Path) -> None:
    tab.open(shallow_page, "#view=difference&component=attn_out&word=subject&layer=3")
    tab.draw("difference")
    tab.click("#difference-deeper a")
    tab.wait(f"{STEP} === 'Heads of layer 3'")
    code = tab.tell("document.querySelector('#layers .command').textContent")
    assert "heads = sl.causal_trace(" in code
    assert "heads.sel(layer=3)" in code
    assert "@" not in code
    tab.tell("addEventListener('copy', () => { window.copied = getSelection().toString(); })")
    tab.click("#layers .copy")
    assert tab.tell("copied").split() == code.split()
    assert tab.tell("document.querySelector('[role=status]').textContent") == "The lines are copied."
    tab.tell("""(() => { const field = document.querySelector('#layers-choices input'); field.value = '5';
        field.dispatchEvent(new Event('change')); })()""")
    tab.wait(f"{STEP} === 'Paths of L3H5'")
    told = tab.tell("[...document.querySelectorAll('#layers .command')].map((one) => one.textContent)")
    assert 'sl.paths.Sender("z", 3, 5)' in told[0]
    assert 'sl.paths.Receiver("q_input", 3, 5)' in told[1]
    tab.click("#layers-trail button[data-focus='trail layer 3']")
    tab.wait("document.querySelector('#layers [data-focus=mlp]')")
    tab.click("#layers [data-focus=mlp]")
    tab.wait(f"{STEP} === 'Paths of MLP 3'")
    assert 'sl.paths.Sender("mlp_out", 3)' in tab.tell("document.querySelector('#layers .command').textContent")


def test_a_head_is_part_of_the_first_view(tab: Browser, deep_page: Path, heads: xr.Dataset) -> None:
    tab.open(deep_page, "#head=1")
    assert "head 1:" in tab.tell("document.querySelector('#first-caption').textContent")
    tab.tell("document.querySelector('#first .table-behind').open = true")
    tab.wait("document.querySelector('#first .table-behind tbody tr')")
    rows = tab.tell(
        "[...document.querySelectorAll('#first .table-behind tbody tr')].map((one) => "
        "[...one.children].map((cell) => cell.textContent))"
    )
    means = average(of_z(heads)).isel(component=0, metric=0, head=1, group=0).sel(role="subject")
    found = {int(row[1]): row[2] for row in rows if row[0] == "T2T subject"}
    assert found == {int(layer): number_words(float(means["mean"].sel(layer=layer))) for layer in means["layer"]}
    tab.tell("""(() => { const list = document.querySelector('#first [data-choice=head]'); list.value = '';
        list.dispatchEvent(new Event('change')); })()""")
    tab.wait("!document.querySelector('#first-caption').textContent.includes('head 1')")


def test_the_difference_is_shown_by_layer_and_head(tab: Browser, deep_page: Path, heads: xr.Dataset) -> None:
    tab.open(deep_page, "#view=difference&by=head&word=subject&quantity=effect&layer=4&head=1")
    tab.draw("difference")
    sides = tab.tell("[...document.querySelectorAll('#difference .panel')].map((one) => one.dataset.side)")
    assert sides == ["T2T", "S2T", "S2T − T2T"]
    tab.wait("document.querySelectorAll('#difference-dots .dot').length === 12")
    effect = indirect(of_z(heads)).isel(component=0, metric=0, head=1).sel(layer=4, role="subject")
    own = [effect.values[effect["modality"].values == kind] for kind in ("T2T", "S2T")]
    tab.point('#difference-dots .dot[data-of="capital/3"]')
    apart = number_words(float(own[1][3] - own[0][3]))
    assert f"difference {apart}" in tab.tell("document.getElementById('tip').textContent")
    assert f"mean {number_words(float(np.mean(own[1] - own[0])))} [" in tab.tell(
        "document.querySelector('#difference-dots figcaption').textContent"
    )
    click_cell(tab, '[data-side="S2T"] svg.map', 1, 4, 8)
    tab.wait(f"{STEP} === 'Paths of L4H1'")


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_step_is_for_everyone(tab: Browser, deep_page: Path, width: int, scheme: str) -> None:
    tab.look(width, 900, scheme)
    for address in ("#view=layers", "#view=layers&layer=1&fact=capital%2F2", "#view=layers&layer=0&head=1"):
        tab.open(deep_page, address)
        tab.wait("document.querySelector('#layers-heading')")
        tab.tell(AXE.read_text("utf-8"))
        found = tab.tell(
            "axe.run('#layers').then((all) => all.violations.filter((one) => /serious|critical/.test(one.impact))"
            ".map((one) => one.id + ' ' + one.nodes[0].html))"
        )
        assert found == [], json.dumps(found)
        assert tab.tell("document.documentElement.scrollWidth - window.innerWidth") == 0


def test_heads_alone_make_a_page(tab: Browser, heads: xr.Dataset, tmp_path: Path) -> None:
    tab.open(dashboard({"heads": of_z(heads)}, tmp_path), "#view=layers")
    tab.wait(f"{STEP} === 'All layers'")
    assert "the largest head of each layer" in tab.tell("document.querySelector('#layers figcaption').textContent")
    tab.draw("difference")
    assert tab.tell("document.querySelectorAll('#difference .panel').length") == 3


def test_facts_of_several_prompts_have_their_dots(tab: Browser, heads: xr.Dataset, tmp_path: Path) -> None:
    own = of_z(heads)
    again = own.assign(restored=(own["restored"] + own["corrupted"]) / 2).assign_coords(
        phrasing=("prompt", np.full(own.sizes["prompt"], "again")),
        prompt_id=("prompt", np.array([f"{one} again" for one in own["prompt_id"].values])),
    )
    both = xr.concat([own, again], dim="prompt", data_vars="minimal", coords="minimal", compat="override")
    tab.open(dashboard({"heads": both}, tmp_path), "#view=difference&word=subject&quantity=effect&layer=4&head=1")
    tab.draw("difference")
    tab.wait("document.querySelectorAll('#difference-dots .dot').length === 12")
    effect = indirect(both).isel(component=0, metric=0, head=1).sel(layer=4, role="subject")
    mean = {
        kind: float(effect.values[(both["modality"].values == kind) & (both["fact_id"].values == "capital/3")].mean())
        for kind in ("T2T", "S2T")
    }
    tab.point('#difference-dots .dot[data-of="capital/3"]')
    told = tab.tell("document.getElementById('tip').textContent")
    assert told.startswith(f"capital/3T2T {number_words(mean['T2T'])}, S2T {number_words(mean['S2T'])}")
