"""The page in a real browser: every view is drawn, and the address is the state."""

import json
from pathlib import Path

import pytest
import xarray as xr
from browser import Browser, needs_chromium

from spiritlens.effects.quantities import indirect, total
from spiritlens.prompts.prompt import Prompt
from spiritlens.report.numerals import number_words
from spiritlens.report.page.dashboard import dashboard
from spiritlens.report.page.sounds import Sounds

pytestmark = [pytest.mark.browser, needs_chromium]


def test_the_address_is_the_state_and_back_returns(tab: Browser, study_page: Path) -> None:
    tab.open(study_page, "#view=facts&fact=capital%2F2")
    tab.wait("document.querySelector('#fact-title')")
    assert tab.tell("document.querySelector('#fact-title').textContent") == "norway → oslo"
    tab.click('[data-fact="capital/1"]')
    tab.wait("document.querySelector('#fact-title').textContent.startsWith('italy')")
    assert "fact=capital%2F1" in tab.tell("location.hash")
    tab.tell("history.back()")
    tab.wait("document.querySelector('#fact-title').textContent.startsWith('norway')")


def test_the_lists_maps_are_kept_until_they_would_look_otherwise(tab: Browser, study_page: Path) -> None:
    drawn = "[...document.querySelectorAll('#fact-list canvas.tiny')]"
    looks = f"{drawn}.map((one) => one.toDataURL())"
    tab.look()
    tab.open(study_page)
    tab.draw("facts")
    tab.tell(f"window.before = {drawn}")
    tab.tell("document.getElementById('fact-list').dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowDown' }))")
    assert tab.tell("document.querySelectorAll('#fact-list .here').length") == 1
    assert tab.tell(f"{drawn}.length > 8 && {drawn}.every((one, place) => one === before[place])")
    light = tab.tell(looks)
    tab.look(scheme="dark")
    tab.wait(f"{drawn}.every((one) => !before.includes(one))")
    assert all(one != other for one, other in zip(tab.tell(looks), light, strict=True))
    tab.look()
    tab.wait(f"JSON.stringify({looks}) === {json.dumps(json.dumps(light, separators=(',', ':')))}")
    tab.tell("location.hash = '#component=mlp_out'")
    tab.wait(f"{looks}[0] !== {json.dumps(light[0])}")


def test_a_row_that_is_pressed_while_the_list_comes_to_rest_is_chosen(tab: Browser, study_page: Path) -> None:
    tab.open(study_page)
    tab.draw("facts")
    tab.tell("document.getElementById('fact-list').style.height = '130px'")
    tab.tell("document.getElementById('fact-list').dispatchEvent(new KeyboardEvent('keydown', { key: 'Home' }))")
    rows = "[...document.querySelectorAll('#fact-list .fact')]"
    names = tab.tell(f"(window.before = {rows}).map((one) => one.dataset.fact)")
    x, y = tab.point(f'[data-fact="{names[1]}"]')
    button = {"x": x, "y": y, "button": "left", "clickCount": 1}
    tab._ask("Input.dispatchMouseEvent", {"type": "mousePressed", **button})
    tab.tell("document.getElementById('fact-list').scrollTop += 15")  # the row stays under the pointer
    tab.wait(f"{rows}.length > before.length")
    assert tab.tell(f"before.every((one, place) => one === {rows}[place])")
    tab._ask("Input.dispatchMouseEvent", {"type": "mouseReleased", **button})
    tab.wait(f"document.querySelector('.fact.here').dataset.fact === {json.dumps(names[1])}")


OUTLINES = {
    "totals": "#difference-dots .totals.marked",
    "compared": "#difference [data-side=T2T] .outlined",
    "different": "#difference .outlined",
    "cell": "#difference [data-side=S2T] .outlined",
    "crossings": "#first .crossing.marked",
    "curves": "#first .curve.marked",
    "peaks": "#first .peak",
    "paired": "#facts .fact.meant",
}
"""What is outlined, by the mark of a goal."""


def test_choices_show_what_is_chosen_and_those_that_went_follow_nothing(tab: Browser, study_page: Path) -> None:
    tab.open(study_page, "#view=facts&fact=capital/3")
    tab.wait("document.querySelector('#fact [data-choice=metric]')")
    tab.tell("void (window.gone = document.querySelector('#fact [data-choice=metric]'))")
    was = tab.tell("gone.value")
    tab.tell("void (location.hash = '#view=facts&fact=capital/4')")
    tab.wait("!gone.isConnected && document.querySelector('#fact [data-choice=metric]')")
    assert was != "logit"
    tab.tell("void (location.hash = '#view=facts&fact=capital/4&metric=logit')")
    lists = "[...document.querySelectorAll('[data-choice=metric]')]"
    tab.wait(f"{lists}.length > 1 && {lists}.every((one) => one.value === 'logit')")
    assert tab.tell("gone.value") == was


def test_every_number_of_a_finding_outlines_what_it_speaks_of(tab: Browser, study_page: Path) -> None:
    tab.open(study_page)
    goals = tab.tell(
        "[...document.querySelectorAll('#findings a[data-goal]')].map((one) => JSON.parse(one.dataset.goal))"
    )
    assert set(OUTLINES) == {goal["mark"] for goal in goals}
    distinct = {tuple(sorted(goal.items())): place for place, goal in enumerate(goals)}
    for place in distinct.values():
        goal = goals[place]
        tab.tell(f"document.querySelectorAll('#findings a[data-goal]')[{place}].click()")
        assert f"mark={goal['mark']}" in tab.tell("location.hash")
        outlined = OUTLINES[goal["mark"]]
        kinds = 1 if goal["kind"] or goal["mark"] == "cell" else 2
        if goal["mark"] in ("crossings", "curves", "peaks", "cell"):
            tab.wait(f"document.querySelectorAll('{outlined}').length === {kinds}")
        elif goal["mark"] == "totals":
            tab.wait(f"document.querySelectorAll('{outlined}').length === {1 if goal['kind'] else 3}")
            own = tab.tell(f"document.querySelector('{outlined}').dataset.kind")
            assert own == (goal["kind"] or "T2T")
        else:
            tab.wait(f"document.querySelectorAll('{outlined}').length > 10")
        if goal["mark"] == "cell":
            assert tab.tell("document.querySelector('#difference-dots figcaption').textContent").startswith(
                f"{goal['word']}, layer {goal['layer']}: S2T − T2T of each fact"
            )
    assert tab.problems == []


def test_rows_of_total_effects_are_those_of_each_modality(tab: Browser, study_page: Path, roles: xr.Dataset) -> None:
    tab.open(study_page, "#view=difference&word=total+effect&mark=totals&kind=S2T")
    tab.wait("document.querySelectorAll('#difference-dots .totals').length === 3")
    told = tab.tell("[...document.querySelectorAll('#difference-dots figcaption')].map((one) => one.textContent)")
    effect = total(roles).sel(metric="probability")
    for kind, words in zip(("T2T", "S2T"), told, strict=False):
        mean = float(effect.values[roles["modality"].values == kind].mean())
        assert words.startswith(f"total effect: {kind} of each fact; mean {number_words(mean)} [")
    tab.wait("document.querySelectorAll('#difference-dots .totals[data-kind=S2T] .dot').length === 12")


def test_the_dots_are_the_facts_of_the_cell(tab: Browser, study_page: Path, roles: xr.Dataset) -> None:
    tab.open(study_page, "#view=difference&quantity=effect&component=mlp_out&word=subject&layer=4&metric=logit")
    tab.wait("document.querySelectorAll('#difference-dots .dot').length === 12")
    tab.point('#difference-dots .dot[data-of="capital/3"]')
    effect = indirect(roles).sel(component="mlp_out", layer=4, role="subject", metric="logit").values
    wanted = f"{effect[7] - effect[6]:.2f}".replace("-", "−")
    assert f"difference {wanted}" in tab.tell("document.getElementById('tip').textContent")


@pytest.mark.parametrize("sounds", ["in the page", "beside it"])
def test_a_prompt_is_heard(
    tab: Browser, tokens: xr.Dataset, prompts: list[Prompt], tmp_path: Path, sounds: Sounds
) -> None:
    tab.open(dashboard(tokens, tmp_path, prompts=prompts, sounds=sounds))
    tab.click("[data-player=repeat]")  # a busy machine may miss a second once
    tab.click("#first-player .play, #fact .play")
    tab.wait("Number(document.querySelector('.play-cursor').dataset.seconds) > 0.2")
    assert tab.problems == []
    assert all(request.startswith(tmp_path.as_uri()) for request in tab.requests)
    tab.requests.clear()


@pytest.mark.parametrize("width", [1440, 390, 320])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_leaves_the_page_at_its_side(tab: Browser, study_page: Path, width: int, scheme: str) -> None:
    tab.look(width, 844, scheme)
    tab.open(study_page)
    for part in ("facts", "difference"):
        tab.tell(f"document.getElementById('{part}').scrollIntoView({{behavior: 'instant'}})")
        tab.wait(f"document.getElementById('{part}').querySelector('svg')")
    assert tab.tell("document.documentElement.scrollWidth - window.innerWidth") == 0
    tab.look()
