"""A spoken fact in a real browser: what a click plays, where the cursor is, which written word lights up.

The sound is a rising tone, so that a stretch of it is found again in the whole to the sample.
"""

import base64
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import xarray as xr
from browser import Browser, browser, needs_chromium

from spiritlens.prompts.prompt import Prompt
from spiritlens.report.page.dashboard import dashboard
from spiritlens.speech.audio.waveform import Waveform

pytestmark = [pytest.mark.browser, needs_chromium]

EXACT = 0.002
"""Seconds by which what plays may begin or end too early or too late: less than the fade at its ends."""
SPOKEN, WRITTEN = '.panel[data-kind="S2T"]', '.panel[data-kind="T2T"]'
TOKENS, ROLES = "#view=facts&fact=capital%2F0&set=by+token", "#view=facts&fact=capital%2F0&set=by+role"
HEARD = """(() => {
  window.heard = [];
  window.taken = 0;
  const blobs = {}, made = URL.createObjectURL, play = HTMLMediaElement.prototype.play;
  URL.createObjectURL = (blob) => { const address = made.call(URL, blob); blobs[address] = blob; return address; };
  HTMLMediaElement.prototype.play = function () {
    const one = { rate: this.playbackRate, pitch: this.preservesPitch, ended: null, wav: "" };
    window.heard.push(one);
    window.audio = this;
    const reader = new FileReader();
    reader.onload = () => { one.wav = reader.result; };
    if (blobs[this.src]) reader.readAsDataURL(blobs[this.src]);
    const length = () => [this.played.start(0), this.played.end(this.played.length - 1), this.duration];
    this.addEventListener("ended", () => { one.ended = length(); }, { once: true });
    return play.call(this);
  };
})()"""


def rising() -> Waveform:
    """1.2 s from 300 Hz up to 3,000 Hz."""
    time = np.arange(int(1.2 * 16000)) / 16000
    return Waveform((0.5 * np.sin(2 * np.pi * (300 * time + 2700 / 2.4 * time**2))).astype(np.float32))


@pytest.fixture(scope="module")
def told(roles: xr.Dataset, tokens: xr.Dataset, prompts: list[Prompt]) -> dict[str, Any]:
    """Effects by role and by token of the same prompts, and these with a rising tone as their sound."""
    spoken = [replace(one, waveform=rising() if one.waveform is not None else None) for one in prompts]
    ids = [*(one.id for one in prompts), *roles["prompt_id"].values[len(prompts) :]]
    return {
        "effects": {"by role": roles.assign_coords(prompt_id=("prompt", np.array(ids))), "by token": tokens},
        "prompts": spoken,
    }


@pytest.fixture(scope="module")
def page(told: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dashboard(told["effects"], tmp_path_factory.mktemp("page"), prompts=told["prompts"])


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as one:
        one.look()
        yield one


def show(tab: Browser, page: Path, address: str) -> None:
    tab.open(page, address)
    tab.tell("document.getElementById('facts').scrollIntoView({behavior: 'instant'})")
    tab.wait("document.querySelector('#fact .sentence')")
    tab.tell(HEARD)


def stretch(tab: Browser) -> tuple[float, float]:
    """Start and end, in seconds of the whole, of what was played since the last time, once it was played to its end."""
    tab.wait("heard.length > taken && heard.at(-1).ended && heard.at(-1).wav")
    last = tab.tell("(taken = heard.length, heard.at(-1))")
    assert last["ended"][0] == 0
    assert last["ended"][1] == pytest.approx(last["ended"][2], abs=0.01)  # it was played whole
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(last["wav"].partition(",")[2])))
    loud = np.flatnonzero(np.abs(samples) > 1e-3)
    cut = samples[loud[0] : loud[-1] + 1 : rate // 16000]
    start = int(np.argmax(np.correlate(rising().samples, cut, mode="valid")))
    return start / 16000, (start + len(cut)) / 16000


def box(tab: Browser, selector: str) -> dict[str, float]:
    return dict(tab.tell(f"document.querySelector({json.dumps(selector)}).getBoundingClientRect().toJSON()"))


@pytest.mark.parametrize(
    ("what", "start", "end"),
    [
        (".word[data-word='3']", 0.56, 1.0),
        (".word[data-word='0']", 0.0, 0.12),
        ("button.token:nth-of-type(4)", 0.56, 0.72),
        ("svg.map .cell[data-column='5']", 0.72, 0.8),
    ],
)
def test_a_click_plays_just_that_stretch(tab: Browser, page: Path, what: str, start: float, end: float) -> None:
    show(tab, page, TOKENS)
    tab.click(f"{SPOKEN} {what}")
    first, last = stretch(tab)
    assert first == pytest.approx(start, abs=EXACT)
    assert last == pytest.approx(end, abs=EXACT)
    assert (tab.requests, tab.windows, tab.problems) == ([], [], [])


def test_slow_keeps_the_pitch_and_repeat_plays_on(tab: Browser, page: Path) -> None:
    show(tab, page, TOKENS)
    for name in ("slow", "repeat"):
        tab.click(f"{SPOKEN} [data-player={name}]")
        assert tab.tell(f"document.querySelector('{SPOKEN} [data-player={name}]').ariaPressed") == "true"
    tab.click(f"{SPOKEN} .word[data-word='2']")
    tab.wait("heard.length >= 3")
    assert tab.tell("[...new Set(heard.map((one) => [one.rate, one.pitch].join(' ')))]") == ["0.5 true"]
    tab.click(f"{SPOKEN} [data-player=repeat]")
    first, last = stretch(tab)
    assert (first, last) == (pytest.approx(0.44, abs=EXACT), pytest.approx(0.56, abs=EXACT))
    assert tab.tell("audio.ended && heard.length === taken")  # the page heard of the end first, and would play by now


def test_the_cursor_runs_through_all_lanes_while_it_plays(tab: Browser, page: Path) -> None:
    show(tab, page, TOKENS)
    tab.tell(
        "window.places = []; setInterval(() => { const one = document.querySelector("
        f"'{SPOKEN} .play-cursor'); if (!one.hidden && !audio.ended) places.push([Number(one.dataset.seconds), "
        "one.getBoundingClientRect().x]); }, 20)"
    )
    tab.click(f"{SPOKEN} [data-player=repeat]")  # a busy machine may miss the beginning or the end once
    tab.click(f"{SPOKEN} .play")
    tab.wait("[[0, 0.4], [0.4, 0.8], [0.8, 1.2]].every(([from, to]) => places.some(([at]) => from <= at && at < to))")
    tab.click(f"{SPOKEN} [data-player=repeat]")
    assert stretch(tab) == (pytest.approx(0, abs=EXACT), pytest.approx(1.2, abs=EXACT))
    places = np.array(tab.tell("places"))
    forth = np.diff(places, axis=0) >= 0
    assert (forth[:, 0] == forth[:, 1]).all()
    assert (~forth[:, 0]).sum() < tab.tell("heard.length")  # only where it begins again
    word, later = box(tab, f"{SPOKEN} .word[data-word='3']"), box(tab, f"{SPOKEN} .word[data-word='4']")
    scale = (later["x"] - word["x"]) / 0.44
    np.testing.assert_allclose(places[:, 1], word["x"] + (places[:, 0] - 0.56) * scale, atol=2)
    cursor, field = box(tab, f"{SPOKEN} .play-cursor"), box(tab, f"{SPOKEN} .sentence")
    assert cursor["height"] == 0  # hidden once it has ended
    tab.tell(f"document.querySelector('{SPOKEN} .play-cursor').hidden = false")
    assert box(tab, f"{SPOKEN} .play-cursor")["height"] == pytest.approx(field["height"])


def test_words_units_and_columns_lie_on_the_same_seconds_and_layers_go_up(tab: Browser, page: Path) -> None:
    show(tab, page, TOKENS)
    word = box(tab, f"{SPOKEN} .word[data-word='3']")
    columns = [box(tab, f"{SPOKEN} svg.map .cell[data-column='{place}']") for place in (4, 5, 6)]
    assert columns[0]["left"] == pytest.approx(word["left"], abs=2)
    assert columns[2]["right"] == pytest.approx(word["right"], abs=2)
    widths = np.array([one["width"] for one in columns]) + 1
    np.testing.assert_allclose(widths / widths.sum(), np.array([0.16, 0.08, 0.2]) / 0.44, atol=0.01)
    unit = box(tab, f"{SPOKEN} button.token:nth-of-type(5)")
    assert columns[1]["x"] == pytest.approx(unit["x"], abs=2)
    marked = box(tab, f"{SPOKEN} .stretch.corrupted")
    assert (marked["left"], marked["right"]) == (
        pytest.approx(word["left"], abs=2),
        pytest.approx(word["right"], abs=2),
    )
    rows = tab.tell(
        f"[...document.querySelectorAll('{SPOKEN} svg.map .cell[data-column=\"4\"]')].map((one) => one.y.baseVal.value)"
    )
    assert rows == sorted(rows, reverse=True)
    labels = tab.tell(f"[...document.querySelectorAll('{SPOKEN} svg.map .axis text')].map((one) => one.textContent)")
    assert labels == ["0", "1", "2", "3", "4", "5", "layer"]


def test_the_written_twin_lights_up_in_its_map(tab: Browser, page: Path) -> None:
    show(tab, page, TOKENS)
    tab.point(f"{SPOKEN} .word[data-word='3']")
    assert tab.tell(f"document.querySelector('{WRITTEN} .twins').dataset.rows") == "fr an ce"
    assert tab.tell(f"document.querySelector('{WRITTEN} .word.lit').textContent") == "france"
    lit, written = box(tab, f"{WRITTEN} .twin"), box(tab, f"{WRITTEN} .word[data-word='3']")
    assert (lit["left"], lit["right"]) == (
        pytest.approx(written["left"], abs=3),
        pytest.approx(written["right"], abs=3),
    )
    tab.point(f"{SPOKEN} .word[data-word='4']")
    assert tab.tell(f"document.querySelector('{WRITTEN} .twins').dataset.rows") == "is"
    tab.point("#fact-title")
    assert tab.tell(f"document.querySelector('{WRITTEN} .word.lit')") is None
    tab.point(f"{WRITTEN} .word[data-word='1']")
    assert tab.tell(f"document.querySelector('{SPOKEN} .word.lit').textContent") == "capital"


def test_while_a_word_is_said_its_twin_is_lit(tab: Browser, page: Path) -> None:
    show(tab, page, TOKENS)
    tab.tell(
        "window.lit = []; setInterval(() => { const one = document.querySelector("
        f"'{WRITTEN} .word.lit'); if (one && lit.at(-1) !== one.textContent) lit.push(one.textContent); }}, 10)"
    )
    words = ("the", "capital", "of", "france", "is")
    tab.click(f"{SPOKEN} [data-player=repeat]")  # a busy machine may miss a word once
    tab.click(f"{SPOKEN} .play")
    tab.wait(f"new Set(lit).size === {len(words)}")
    tab.click(f"{SPOKEN} [data-player=repeat]")
    places = [words.index(word) for word in tab.tell("lit")]
    backwards = sum(one > other for one, other in pairwise(places))
    assert backwards < tab.tell("heard.length")  # only where it begins again


def test_a_fact_by_role_has_its_sound_and_lights_its_roles(tab: Browser, page: Path) -> None:
    show(tab, page, ROLES)
    tab.click("[data-said=S2T] .word[data-word='3']")
    assert stretch(tab) == (pytest.approx(0.56, abs=EXACT), pytest.approx(1.0, abs=EXACT))
    for panel in (SPOKEN, WRITTEN):
        assert tab.tell(f"document.querySelector('{panel} .twins').dataset.rows") == "subject"
    tab.point("[data-said=S2T] .word[data-word='4']")
    assert tab.tell(f"document.querySelector('{WRITTEN} .twins').dataset.rows") == "read-out"
    tab.tell("location.hash = '#view=facts&fact=capital%2F9&set=by+role'")  # a fact whose prompts were not given
    tab.wait(f"!document.querySelector('[data-said]') && document.querySelector('{SPOKEN} svg.map')")


def test_the_keyboard_reaches_each_word_and_space_plays(tab: Browser, page: Path) -> None:
    show(tab, page, TOKENS)
    words = f"{SPOKEN} .word"
    assert tab.tell(f"document.querySelectorAll('{SPOKEN} .lanes [tabindex=\"0\"]').length") == 1
    tab.tell(f"document.querySelector('{words}').focus()")
    reached = [tab.tell("document.activeElement.textContent")]
    for _ in range(4):
        tab.press("ArrowRight")
        reached.append(tab.tell("document.activeElement.textContent"))
    assert reached == ["the", "capital", "of", "france", "is"]
    tab.press("Space")
    assert stretch(tab) == (pytest.approx(1.0, abs=EXACT), pytest.approx(1.16, abs=EXACT))
    assert tab.tell("document.activeElement.textContent") == "is"  # what it chose was drawn anew
    assert "kind=S2T" in tab.tell("location.hash")
    tab.press("ArrowLeft")
    tab.press("ArrowDown")
    assert tab.tell("document.activeElement.ariaLabel").startswith("[Hu1], 0.56")
    tab.press("Enter")
    assert stretch(tab) == (pytest.approx(0.56, abs=EXACT), pytest.approx(0.72, abs=EXACT))
    tab.tell(f"document.querySelector('{SPOKEN} svg.map').focus()")
    tab.press("ArrowUp")  # begins at the chosen word
    tab.press("ArrowLeft")
    tab.press("Space")
    assert stretch(tab) == (pytest.approx(0.8, abs=EXACT), pytest.approx(1.0, abs=EXACT))
    tab.tell("document.getElementById('fact-list').focus()")
    tab.press("Space")
    assert stretch(tab) == (pytest.approx(0, abs=EXACT), pytest.approx(1.2, abs=EXACT))


def test_words_play_by_pointing_where_that_is_chosen(tab: Browser, page: Path) -> None:
    show(tab, page, TOKENS)
    tab.point(f"{SPOKEN} .word[data-word='2']")
    tab.tell(f"document.querySelector('{SPOKEN} [data-player=\"by pointing\"]').click()")
    tab.point(f"{SPOKEN} .word[data-word='1']")
    assert stretch(tab) == (pytest.approx(0.12, abs=EXACT), pytest.approx(0.44, abs=EXACT))
    assert tab.tell("heard.length") == 1


SHEETS = """(() => {
  window.sheets = 0;
  const added = (one) => [...one.addedNodes].filter((node) => node.localName === 'link').length;
  new MutationObserver((records) => records.forEach((one) => { sheets += added(one); }))
    .observe(document, { childList: true, subtree: true });
})()"""
"""Counts style sheets that are added to the page."""


@pytest.fixture(scope="module")
def page_beside(told: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("beside")
    return dashboard(told["effects"], folder, prompts=told["prompts"], sounds="beside it")


@pytest.mark.parametrize("slow", [False, True])
def test_a_sound_beside_the_page_plays_just_that_stretch(tab: Browser, page_beside: Path, slow: bool) -> None:
    show(tab, page_beside, TOKENS)
    tab.tell(SHEETS)
    if slow:
        tab.click(f"{SPOKEN} [data-player=slow]")
    for what, start, end in ((".word[data-word='1']", 0.12, 0.44), ("button.token:nth-of-type(4)", 0.56, 0.72)):
        tab.click(f"{SPOKEN} {what}")
        assert stretch(tab) == (pytest.approx(start, abs=EXACT), pytest.approx(end, abs=EXACT))
        assert tab.tell("heard.at(-1).rate") == (0.5 if slow else 1)
    assert tab.tell("sheets") == 0  # none of the page: how all of it looks would be found out anew, twice a sound
    files = sorted((page_beside.parent / "sounds").iterdir())
    assert tab.requests == [one.as_uri() for one in files]  # read once, and nothing else
    assert (tab.windows, tab.problems) == ([], [])
    tab.requests.clear()


def test_a_sound_that_was_left_behind_is_told(tab: Browser, page_beside: Path, tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_bytes(page_beside.read_bytes())
    show(tab, page, TOKENS)
    tab.click(f"{SPOKEN} .word[data-word='1']")
    told = "document.getElementById('status').textContent"
    tab.wait(f"{told}.startsWith('The sound cannot be read: sounds/')")
    assert tab.tell(told).endswith(".css is missing; the folder belongs beside this page")
    assert tab.tell("heard.length") == 0
    tab.hear(lambda: any("ERR_FILE_NOT_FOUND" in one for one in tab.problems), "a file that is not found")
    tab.requests.clear()
    tab.problems.clear()


def test_the_player_of_the_first_screen_plays_words(tab: Browser, page: Path) -> None:
    tab.open(page, "#fact=capital%2F1")
    tab.tell(HEARD)
    tab.click("#first-player .word[data-word='3']")
    assert stretch(tab) == (pytest.approx(0.56, abs=EXACT), pytest.approx(1.0, abs=EXACT))
    assert tab.tell("document.querySelector('#first-player .player-label').textContent") == "italy → rome"
