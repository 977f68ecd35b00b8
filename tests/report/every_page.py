"""What is asked of every page, whatever its shape: JavaScript that looks at all of it, or presses all of it."""

from pathlib import Path
from typing import Any

from browser import Browser

AXE = Path(__file__).parent / "axe" / "axe.min.js"
PAPER = (687, 1015)
"""Pixels of A4 within margins of 14 mm."""


DRAWN = """[...document.querySelectorAll('main :is(figure, .panel, svg, .sentence, .scales)')]
  .filter((one) => one.getBoundingClientRect().height && !one.querySelector('figure'))
  .map((one) => {
    const box = one.getBoundingClientRect();
    const name = `${one.localName} ${one.getAttribute('class')} ${one.closest('section').id}`;
    return { name, right: box.right, height: box.height, inside: getComputedStyle(one).breakInside };
  })"""
"""What is drawn, with its size and whether it may be torn."""

QUIET = """(() => {
  window.asked = [];
  for (const name of ['open', 'print', 'fetch']) {
    window[name] = (...given) => { asked.push([name, ...given].join(' ')); };
  }
  navigator.sendBeacon = (...given) => { asked.push(['beacon', ...given].join(' ')); };
  HTMLFormElement.prototype.submit = () => asked.push('submit');
})()"""
"""Keeps what would ask for something or open it."""
CLICK_ALL = """document.querySelectorAll('.modebar-btn, summary, button, svg, .dot, [role=option]').forEach(
  (one) => one.dispatchEvent(new MouseEvent('click', { bubbles: true, clientX: 300, clientY: 300 })))"""
CHOOSE_ALL = """document.querySelectorAll('select').forEach((list) => [...list.options].forEach((option) => {
  list.value = option.value;
  list.dispatchEvent(new Event('change'));
}))"""


LAST = "https://example.org/last"


def asked_for(tab: Browser) -> list[str]:
    """What a page that was made `QUIET` asked for, opened or met with, once a request comes that is made now."""
    tab.tell("new Promise((then) => requestIdleCallback(then))")
    tab.tell(f"void (new Image().src = '{LAST}')")
    tab.hear(lambda: LAST in tab.requests and any(LAST in one for one in tab.problems), "a last request")
    own = [*tab.tell("asked"), *tab.requests, *tab.windows, *tab.problems]
    tab.requests.clear()
    tab.problems.clear()
    return [one for one in own if LAST not in one]


def drawn_on_paper(tab: Browser) -> list[dict[str, Any]]:
    """What is `DRAWN` at once when the browser asks for paper, of a page whose maps are drawn and so unpacked."""
    plots = tab.tell("[...document.querySelectorAll('.plot')].map((one) => one.closest('section').id)")
    tab.draw("layers", *plots[:1])
    tab.look(*PAPER, media="print")
    tab.tell("window.dispatchEvent(new Event('beforeprint'))")
    return list(tab.tell(DRAWN))


def serious(tab: Browser) -> list[Any]:
    """What axe-core finds serious or critical on the page: its name and where."""
    tab.tell(AXE.read_text(encoding="utf-8") + "; 0")
    found = tab.tell(
        "axe.run({resultTypes: ['violations']}).then((all) => all.violations.map((one) => "
        "[one.impact, one.id, one.help, one.nodes.map((node) => node.html.slice(0, 200))]))"
    )
    return [one for one in found if one[0] in ("serious", "critical")]
