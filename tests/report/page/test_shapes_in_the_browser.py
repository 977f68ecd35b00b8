"""Pages of every shape in the browser: 1, 24, 1,000 facts, one modality, 1 and 80 layers, screened, unknown, odd words.

What the page promises of one page (`test_in_the_browser`, `test_for_everyone_in_the_browser` …) must hold of all: each
shape is built once, opened from a file with the network off, and looked at wide and narrow, in light and dark, by
keyboard, on paper, without scripts, and with every control pressed.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from browser import Browser, needs_chromium
from effects_synthetic import role_effects
from every_page import AXE, CHOOSE_ALL, CLICK_ALL, PAPER, QUIET, asked_for, drawn_on_paper, serious

from spiritlens.comparison.compare import compare
from spiritlens.comparison.pairing import paired, prompt_maps
from spiritlens.effects.quantities import indirect
from spiritlens.effects.schema import Status
from spiritlens.prompts.prompt import Prompt
from spiritlens.report.page.dashboard import dashboard

pytestmark = [pytest.mark.browser, needs_chromium]

NAMES = (
    *("T2T only", "S2T only", "one fact", "24 facts", "1,000 facts", "screened", "one layer", "80 layers", "unknown"),
    *("phrasings", "odd subjects", "spoken tokens"),
)


def effects_of(name: str, tokens: xr.Dataset) -> xr.Dataset:
    if name == "spoken tokens":
        return tokens.isel(prompt=tokens["modality"].values == "S2T")
    if name == "1,000 facts":
        return role_effects(n_facts=1000, n_layers=4)
    sizes = {"24 facts": {"n_facts": 24}, "one layer": {"n_layers": 1}, "80 layers": {"n_layers": 80}}
    if name in sizes or name == "phrasings":
        return role_effects(**sizes.get(name, {"phrasings": 2}))
    roles = role_effects(n_facts=8, peaks={"T2T": 2.0, "S2T": 4.0})
    if name == "screened":
        status = roles["status"].copy(deep=True)
        status.loc[{"layer": [1, 5]}] = Status.SCREENED
        return roles.assign(status=status, restored=roles["restored"].where(status != Status.SCREENED))
    if name == "one fact":
        return roles.isel(prompt=[0, 1])
    if name == "unknown":
        return roles.assign_coords(known=("prompt", np.zeros(16, dtype=np.int8)))
    if name == "odd subjects":
        odd = [f"{fact}</script><b>{'A' * 300}" if fact % 2 else f"مرحبا \"q\" 'x' {fact}" for fact in range(8)]
        return roles.assign_coords(subject=("prompt", np.repeat(odd, 2)))
    return roles.isel(prompt=roles["modality"].values == name.split()[0])


@dataclass(frozen=True)
class Shape:
    """A page with what it was made of."""

    name: str
    effects: xr.Dataset
    page: Path

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the page that draw maps."""
        both = set(self.effects["modality"].values.tolist()) == {"T2T", "S2T"}
        return ("facts", "difference") if both and self.name != "unknown" else ("facts",)


@pytest.fixture(scope="module", params=NAMES)
def shape(
    request: pytest.FixtureRequest, tokens: xr.Dataset, prompts: list[Prompt], tmp_path_factory: pytest.TempPathFactory
) -> Shape:
    effects = effects_of(request.param, tokens)
    given = [one for one in prompts if one.kind == "S2T"] if request.param == "spoken tokens" else None
    return Shape(request.param, effects, dashboard(effects, tmp_path_factory.mktemp("shape"), prompts=given))


@pytest.fixture(autouse=True)
def looked_at(tab: Browser) -> Iterator[None]:
    yield
    tab.look()


def show(tab: Browser, shape: Shape, *parts: str) -> None:
    """Open the page and draw these parts of it (none: those that draw maps)."""
    tab.open(shape.page)
    assert tab.tell("Boolean(document.getElementById('difference'))") == ("difference" in shape.parts)
    tab.draw(*(parts or shape.parts))


def test_maps_are_whole_at_any_width(tab: Browser, shape: Shape) -> None:
    for width, scheme in ((390, "light"), (320, "dark")):
        tab.look(width, 844, scheme)
        show(tab, shape)
        assert tab.tell("document.documentElement.scrollWidth - window.innerWidth") == 0
    count = shape.effects.sizes["layer"]
    labels = "[...one.querySelectorAll('.axis text')].map((label) => label.textContent)"
    for own in tab.tell(f"[...document.querySelectorAll('#fact svg.map')].map((one) => {labels})"):
        assert str(shape.effects["layer"].values[-1]) in own  # the last layer is always labelled
        assert own[-1] == "layer"
        assert len(own) <= 14 or shape.name == "spoken tokens"
    cells = "one.querySelectorAll('.cell').length"
    for drawn in tab.tell(f"[...document.querySelectorAll('#fact svg.map')].map((one) => {cells})"):
        assert drawn % count == 0  # no column more, none less
        assert drawn > 0
    assert (tab.problems, tab.requests) == ([], [])


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_the_first_screen_answers(tab: Browser, shape: Shape, size: tuple[int, int]) -> None:
    tab.look(*size)
    tab.open(shape.page)
    sentence = tab.tell("document.getElementById('first-title').textContent")
    if shape.name == "unknown":
        assert sentence.startswith("8 facts can be opened below; averages are left out: ")
        assert tab.tell("document.querySelector('#first figure').hidden")
        return
    assert sentence.endswith((" facts).", "1 fact)."))
    for part in ("#first-title", "#first-picture svg", "#first-legend"):
        box = tab.tell(f"document.querySelector('{part}').getBoundingClientRect().toJSON()")
        assert box["bottom"] <= size[1] - 30, part
        assert box["right"] <= size[0], part
    kinds = sorted(set(shape.effects["modality"].values.tolist()), reverse=True)
    curves = tab.tell(
        "[...document.querySelectorAll('#first-legend .key')].map((one) => one.textContent.split(' ')[0])"
    )
    assert sorted(set(curves), reverse=True) == kinds


def test_a_fact_is_chosen_and_its_map_walked(tab: Browser, shape: Shape) -> None:
    show(tab, shape, "facts")
    rows = tab.tell("[...document.querySelectorAll('#fact-list .fact')].map((one) => one.dataset.fact)")
    assert 0 < len(rows) < 40  # of 1,000 only those in sight are there
    tab.tell(f"document.querySelector('[data-fact={json.dumps(rows[-1])}]').click()")
    tab.wait(f"new URLSearchParams(location.hash.slice(1)).get('fact') === {json.dumps(rows[-1])}")
    tab.wait("document.querySelector('#fact svg.map')")
    tab.tell("document.querySelector('#fact svg.map').focus()")
    tab.press("ArrowRight")
    begun = tab.tell("document.getElementById('status').textContent")
    assert begun.startswith("layer ") or "exactly 0" in begun
    tab.press("ArrowDown")
    tab.press("ArrowUp")
    tab.press("ArrowRight")
    assert tab.tell("document.querySelector('#fact svg.map .cursor').getAttribute('visibility')") == "visible"
    tab.tell("document.querySelector('#fact .table-behind summary').click()")
    tab.wait("document.querySelector('#fact .table-behind tbody tr')")
    if rows[-1] != rows[0]:
        tab.tell(f"document.querySelector('[data-fact={json.dumps(rows[0])}]').click()")
        tab.wait(f"document.querySelector('.fact.here').dataset.fact === {json.dumps(rows[0])}")
        tab.tell("history.back()")
        tab.wait(f"new URLSearchParams(location.hash.slice(1)).get('fact') === {json.dumps(rows[-1])}")
    assert (tab.problems, tab.requests) == ([], [])


def numbers_behind(tab: Browser, selector: str) -> np.ndarray:
    """The numbers of a table, NaN where there is none."""
    tab.tell(f"document.querySelector({json.dumps(selector)}).querySelector('summary').click()")
    tab.wait(f"document.querySelector({json.dumps(selector)}).querySelector('tbody tr')")
    cells = "[...one.querySelectorAll('td')].map((cell) => cell.innerText)"
    rows = tab.tell(
        f"[...document.querySelector({json.dumps(selector)}).querySelectorAll('tbody tr')].map((one) => {cells})"
    )
    return np.array([[number_of(text) for text in row] for row in rows])


def number_of(text: str) -> float:
    """A number as the page writes it."""
    superscripts = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    return float("nan") if text == "–" else float(text.replace("−", "-").replace(" × 10", "e").translate(superscripts))


def test_the_tables_hold_the_effects_and_their_means(tab: Browser, shape: Shape) -> None:
    """What stands behind the map of a fact, and behind that of each modality."""
    if shape.name == "spoken tokens":  # rows of tokens, not of roles
        return
    show(tab, shape, "facts")
    effects, effect = shape.effects, indirect(shape.effects).isel(component=0, metric=0)
    fact = tab.tell("document.querySelector('#fact p.quiet').innerText.split(' · ').at(-1)")
    own = [place for place, name in enumerate(effects["fact_id"].values.tolist()) if name == fact]
    kinds = tab.tell("[...document.querySelectorAll('#fact .panel')].map((one) => one.dataset.kind)")
    assert sorted(kinds) == sorted({effects["modality"].values[place] for place in own})
    for kind in kinds:
        found = numbers_behind(tab, f'#fact .panel[data-kind="{kind}"] .table-behind')
        place = next(place for place in own if effects["modality"].values[place] == kind)
        subject = effect.isel(prompt=place).sel(role="subject").values
        assert any(np.allclose(row, subject, rtol=5e-3, atol=1e-4, equal_nan=True) for row in found), kind
    if "difference" not in shape.parts:
        return
    tab.tell("location.hash = '#view=difference&quantity=effect'")
    tab.draw("difference")
    tab.wait("document.querySelector('#difference-scales').innerText.startsWith('effect')")
    pairs = paired(*[prompt_maps(effects, "probability", "read-out")] * 2, ("T2T", "S2T"))
    subject = pairs.values[:, :, 0, :, pairs.roles.index("subject")]
    apart = (subject[1] - subject[0]).mean(axis=0)  # of screened layers there is none
    found = numbers_behind(tab, '#difference .panel[data-side="S2T − T2T"] .table-behind')
    assert any(np.allclose(row, apart, rtol=5e-3, atol=1e-4, equal_nan=True) for row in found)
    tab.wait(f"document.querySelectorAll('#difference-dots .dot').length === {len(pairs.subjects)}")


def test_a_layer_leads_to_what_would_run_its_heads(tab: Browser, shape: Shape) -> None:
    show(tab, shape, "facts")
    last = int(shape.effects["layer"].values[-1])
    tab.tell(f"location.hash = '#view=layers&layer={last}'")
    tab.wait(f"document.getElementById('layers-heading')?.textContent === 'Heads of layer {last}'")
    assert f"layer={last}" in tab.tell("document.querySelector('#layers .command').innerText")
    tab.tell("history.back()")
    tab.wait("document.getElementById('layers-heading').textContent === 'All layers'")
    assert (tab.problems, tab.requests) == ([], [])


def test_numbers_of_findings_outline_something(tab: Browser, shape: Shape, tmp_path: Path) -> None:
    """Of the pages that have a comparison; of 1,000 facts it takes long."""
    if "difference" not in shape.parts or shape.name in ("1,000 facts", "one fact"):
        return
    found = compare(shape.effects, resamples=20, permutations=20)
    tab.open(dashboard(shape.effects, tmp_path, comparison=found))
    goals = tab.tell("[...document.querySelectorAll('#findings a[data-goal]')].map((one) => one.dataset.goal)")
    for place in {goal: place for place, goal in enumerate(goals)}.values():
        tab.tell(f"document.querySelectorAll('#findings a[data-goal]')[{place}].click()")
        view, mark = (json.loads(goals[place])[name] for name in ("view", "mark"))
        tab.wait(f"document.querySelector('#{view} :is(.outlined, .marked, .meant)')")
        assert f"mark={mark}" in tab.tell("location.hash")
    assert (tab.problems, tab.requests) == ([], [])


def test_every_control_stays_at_home(tab: Browser, shape: Shape) -> None:
    show(tab, shape)
    tab.tell(QUIET)
    few_dots = CLICK_ALL.replace(".dot", ".dot:nth-of-type(-n+12)")  # each of 1,000 draws the page anew
    for act in (few_dots, CHOOSE_ALL, "document.querySelectorAll('a[href]').forEach((one) => one.click())"):
        tab.tell(act)
    assert asked_for(tab) == []


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is in a checkout alone")
def test_axe_finds_nothing_serious_in_any_shape(tab: Browser, shape: Shape) -> None:
    tab.look(390, 844, "dark")
    show(tab, shape)
    assert serious(tab) == []
    tab.problems.clear()


def test_on_paper_nothing_is_wider_or_higher_than_a_page(tab: Browser, shape: Shape) -> None:
    show(tab, shape)
    told = drawn_on_paper(tab)
    assert len(told) > 2
    for one in told:
        assert one["inside"] == "avoid", one
        assert one["height"] <= PAPER[1], one
        assert one["right"] <= PAPER[0] + 1, one
    tab.tell("window.dispatchEvent(new Event('afterprint'))")


def test_without_scripts_each_shape_says_what_is_missing(tab: Browser, shape: Shape) -> None:
    tab.scripts("off")
    try:
        tab._ask("Page.navigate", {"url": shape.page.as_uri()})
        tab.wait("document.readyState === 'complete' && document.querySelector('noscript p')?.offsetHeight")
        assert "maps and curves" in tab.tell("document.querySelector('noscript').innerText")
        assert len(tab.tell("document.getElementById('methods').innerText")) > 200
    finally:
        tab.scripts("on")
