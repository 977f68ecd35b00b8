"""The page in a real browser: every view is drawn, and the address is the state."""

from pathlib import Path

import pytest
import xarray as xr
from browser import Browser, needs_chromium

from spiritlens.effects.quantities import indirect
from spiritlens.prompts.prompt import Prompt
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


def test_numbers_of_findings_outline_what_they_speak_of(tab: Browser, study_page: Path) -> None:
    tab.open(study_page)
    goals = tab.tell(
        "[...document.querySelectorAll('#findings a[data-goal]')].map((one) => JSON.parse(one.dataset.goal))"
    )
    assert {goal["view"] for goal in goals} <= {"first", "facts", "difference", "methods"}
    assert {"compared", "cell", "crossings", "curves"} <= {goal.get("mark") for goal in goals}

    def follow(mark: str) -> dict[str, str]:
        place = next(place for place, goal in enumerate(goals) if goal.get("mark") == mark)
        tab.tell(f"document.querySelectorAll('#findings a[data-goal]')[{place}].click()")
        assert f"mark={mark}" in tab.tell("location.hash")
        return dict(goals[place])

    cell = follow("cell")
    tab.wait("document.querySelector('[data-side=\"S2T\"] .outlined')")
    assert tab.tell("document.querySelectorAll('[data-side=\"S2T\"] .outlined').length") == 1
    assert tab.tell("document.querySelector('#difference-dots figcaption').textContent").startswith(
        f"{cell['word']}, layer {cell['layer']}: S2T − T2T of each fact"
    )
    follow("compared")
    tab.wait("document.querySelectorAll('[data-side=\"T2T\"] .outlined').length > 20")
    follow("crossings")
    tab.wait("document.querySelectorAll('#first .crossing.marked').length === 2")
    follow("curves")
    tab.wait("document.querySelectorAll('#first .curve.marked').length === 2")


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
