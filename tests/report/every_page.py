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


def serious(tab: Browser) -> list[Any]:
    """What axe-core finds serious or critical on the page: its name and where."""
    tab.tell(AXE.read_text(encoding="utf-8") + "; 0")
    found = tab.tell(
        "axe.run({resultTypes: ['violations']}).then((all) => all.violations.map((one) => "
        "[one.impact, one.id, one.help, one.nodes.map((node) => node.html.slice(0, 200))]))"
    )
    return [one for one in found if one[0] in ("serious", "critical")]
