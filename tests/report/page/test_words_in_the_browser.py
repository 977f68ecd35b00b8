"""The page's script writes numbers as Python does: on the same cases, and on numbers of every size."""

import json
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from browser import Browser, needs_chromium
from numeral_cases import COUNTS, DECIMALS, INTERVALS, SIGNIFICANT, TICKS

from spiritlens.report.numerals import fixed, number_words

pytestmark = [pytest.mark.browser, needs_chromium]


def written(tab: Browser, call: str, cases: list[Any]) -> list[str]:
    """What the page's script writes for each case; `call` is of it, as `one`."""
    script = (files("spiritlens.report") / "templates" / "script" / "words.js").read_text(encoding="utf-8")
    given = json.dumps(cases)  # NaN and Infinity are JavaScript too
    return list(tab.tell(f"(() => {{ {script}\nreturn {given}.map((one) => {call}); }})()"))


def test_the_same_cases_are_written_alike(tab: Browser) -> None:
    assert written(tab, "number(one)", list(SIGNIFICANT)) == list(SIGNIFICANT.values())
    assert written(tab, "fixed(...one)", [case[:2] for case in DECIMALS]) == [case[2] for case in DECIMALS]
    assert written(tab, "interval(...one)", [three for three, _ in INTERVALS]) == [words for _, words in INTERVALS]
    for ticks, words in TICKS:
        assert written(tab, "tickWords(one)", [ticks]) == [words]
    assert written(tab, "several(one, 'fact')", [count for count, _ in COUNTS]) == [words for _, words in COUNTS]


def test_numbers_of_every_size_are_written_alike(tab: Browser) -> None:
    rng = np.random.default_rng(0)
    drawn = (rng.normal(size=400) * 10.0 ** rng.uniform(-12, 9, 400)).tolist()
    ties = (rng.integers(-4000, 4000, 200) / 8).tolist()
    assert written(tab, "number(one)", drawn + ties) == [number_words(one) for one in drawn + ties]
    for decimals in (0, 1, 2, 3):
        own = written(tab, f"fixed(one, {decimals})", drawn + ties)
        assert own == [fixed(one, decimals) for one in drawn + ties]
