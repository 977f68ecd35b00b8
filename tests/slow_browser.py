"""A pytest plugin, ``-p slow_browser``: a browser in which everything that may come late does come late.

A machine that is slow or busy draws a frame later, runs a timer later, tells of a scroll, of what comes into sight and
of the end of a sound later, and unpacks later. A test that reads the page right after an act may find there what it
looks for on one machine and not on another. Under this plugin frames, timers, observers, events that tell of what has
happened, and reading of packed bytes come late by amounts of 0 to 0.3 s (``slow_browser.js``), while what a test asks
is answered at once; and the page has a quarter of the processor. ``--late=frames,observers`` chooses kinds, and
``--late-seed=1`` other amounts, which derive from it, the test and the order in which the page asks.
"""

import functools
import os
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

KINDS = ("frames", "timers", "observers", "events", "reading", "processor")
PROCESSOR = 4
"""How many times slower the page runs."""
SCRIPT = Path(__file__).with_suffix(".js")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("slow browser")
    group.addoption("--late", default=",".join(KINDS), help=f"what comes late, of {', '.join(KINDS)}")
    group.addoption("--late-seed", type=int, default=0, help="from which the amounts derive")


def late_script(kinds: list[str], seed: int) -> str:
    """What a page runs before its own scripts; the amounts are those of the seed and of the test that runs."""
    own = zlib.crc32(f"{seed} {os.environ.get('PYTEST_CURRENT_TEST', '')}".encode())
    return SCRIPT.read_text("utf-8").replace("state = SEED", f"state = {own}").replace("LATE.for", f"{kinds}.for")


def make_late(browser: Any, kinds: list[str], seed: int) -> None:
    """From now on a browser's pages come late; `browser` is the class."""
    ask = browser._ask

    @functools.wraps(ask)
    def asked(self: Any, method: str, given: dict[str, Any] | None = None, seconds: float = 240) -> dict[str, Any]:
        if method == "Page.navigate":
            before = getattr(self, "late", None)
            if before is None and "processor" in kinds:
                ask(self, "Emulation.setCPUThrottlingRate", {"rate": PROCESSOR})
            if before is not None:
                ask(self, "Page.removeScriptToEvaluateOnNewDocument", {"identifier": before})
            added = ask(self, "Page.addScriptToEvaluateOnNewDocument", {"source": late_script(kinds, seed)})
            self.late = added["identifier"]
        return dict(ask(self, method, given, seconds))

    browser._ask = asked


def pytest_collection_finish(session: pytest.Session) -> None:
    if "browser" in sys.modules:
        kinds = session.config.getoption("late").split(",")
        if unknown := [kind for kind in kinds if kind not in KINDS]:
            raise pytest.UsageError(f"--late={','.join(unknown)} is none of {', '.join(KINDS)}")
        make_late(sys.modules["browser"].Browser, kinds, session.config.getoption("late_seed"))
