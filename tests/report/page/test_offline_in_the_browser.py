"""Offline in fact: no button, list or link of the page asks for anything or opens anything, and its policy says so."""

import re
from pathlib import Path

import pytest
from browser import Browser, needs_chromium
from every_page import CHOOSE_ALL, CLICK_ALL, QUIET, asked_for

pytestmark = [pytest.mark.browser, needs_chromium]

CONTROLS = "button, summary, select, input, a[href], [role=application], [role=listbox], [role=option]"
EVERY = f"[...document.querySelectorAll({CONTROLS!r})]"
STATES = ("", "#view=facts&fact=capital%2F0&set=by+token", "#view=difference&quantity=effect&mark=compared")


def test_the_policy_lets_the_page_have_itself_and_nothing_else(study_page: Path) -> None:
    told = re.search(r'Content-Security-Policy" content="([^"]*)"', study_page.read_text(encoding="utf-8"))
    rules = dict(rule.strip().split(" ", 1) for rule in told[1].replace("&#39;", "'").split(";"))
    scripts = rules.pop("script-src").split()
    assert len(scripts) == 2
    assert all(one.startswith("'sha256-") for one in scripts)
    assert rules == {
        **{"default-src": "'none'", "connect-src": "'none'", "form-action": "'none'", "base-uri": "'none'"},
        **{"style-src": "'unsafe-inline'", "img-src": "data: blob:", "media-src": "blob:"},
    }


def test_what_the_policy_forbids_does_not_happen(tab: Browser, study_page: Path) -> None:
    tab.open(study_page)
    tab.tell("document.body.append(Object.assign(new Image(), {src: 'https://example.org/a.png'}))")
    assert tab.tell("fetch('https://example.org/').then(() => 'sent', () => 'refused')") == "refused"
    tab.tell("document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = 1'}))")
    assert tab.tell("window.ran") is None
    for forbidden in ("img-src", "connect-src", "script-src"):
        refused = f"Content Security Policy .*{forbidden}"
        tab.hear(lambda refused=refused: any(re.search(refused, one, re.DOTALL) for one in tab.problems), refused)
    tab.hear(lambda: tab.requests == ["https://example.org/a.png"], "the picture that was refused is told as asked for")
    tab.requests.clear()
    tab.problems.clear()


@pytest.mark.parametrize("address", STATES)
def test_every_control_asks_for_nothing_and_opens_nothing(tab: Browser, study_page: Path, address: str) -> None:
    tab.open(study_page, address)
    tab.tell(QUIET)
    tab.draw()
    names = tab.tell(f"{EVERY}.map((one) => one.ariaLabel || one.dataset.choice || one.textContent.trim() || '')")
    assert {"slow", "repeat", "Search facts", "component", "sort"} <= set(names)
    assert len(names) > 60
    bars = set(tab.tell("[...document.querySelectorAll('.modebar-btn')].map((one) => one.dataset.title)"))
    assert bars == {"Zoom", "Pan", "Zoom in", "Zoom out", "Reset axes"}
    links = tab.tell(
        "[...document.querySelectorAll('a, area, link, form, iframe, object, embed, img')].map((one) => "
        "one.getAttribute('href') ?? one.outerHTML)"
    )
    assert links
    assert all(link.startswith("#") for link in links)
    saved = tab.tell("document.querySelectorAll('[data-save]').length")
    assert saved >= 12
    tab.tell(CLICK_ALL)
    tab.tell(CHOOSE_ALL)
    tab.tell("document.querySelectorAll('a[href]').forEach((one) => one.click())")
    for key in ("Tab", "Enter", "Space", "ArrowRight", "Escape"):
        tab.press(key)
    assert asked_for(tab) == []
    assert tab.tell("location.pathname") == study_page.as_posix()
    assert tab.tell("window.length") == 0


def test_without_scripts_the_page_says_what_is_missing(tab: Browser, study_page: Path) -> None:
    tab.scripts("off")
    try:
        tab._ask("Page.navigate", {"url": study_page.as_uri()})
        tab.wait("document.readyState === 'complete' && document.querySelector('noscript p')")
        said = tab.tell("document.querySelector('noscript').innerText")
        for missing in ("maps", "curves", "list of facts", "sounds", "figures", "saved"):
            assert missing in said
        assert tab.tell("document.querySelector('noscript p').offsetHeight") > 0
        assert tab.tell("document.querySelectorAll('.findings li').length") > 0
    finally:
        tab.scripts("on")
