"""Pages of 24 and of 1,000 spoken facts in the browser: each fact can be opened, and what it plays is its own.

The facts are opened one after another by the arrow key of the list, and of each one unit is clicked. Every sound is a
rising tone that begins at a pitch of its own and rises at a speed of its own, so that a stretch of it is found again in
the whole to the sample, and in that of another fact elsewhere, if at all. Of 24 facts each stretch is played to its
end; of 1,000, which have 97 sounds between them, it is taken where it is given to be played, in a small window.
"""

import base64
import functools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from browser import Browser, needs_chromium
from effects_synthetic import role_effects
from made_prompt import make_prompt

from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.spoken_seconds import seconds_of
from spiritlens.report.page import sounds as page_sounds
from spiritlens.report.page.dashboard import dashboard
from spiritlens.report.page.sounds import Sounds
from spiritlens.speech.audio.waveform import Waveform

pytestmark = [pytest.mark.browser, needs_chromium]

EXACT = 0.002
"""Seconds by which a stretch may begin or end too early or too late: less than the fade at its ends."""
SOUNDS = 97
"""Sounds of their own; the facts after these have them again. A prime: none a round number of facts on is the same."""
AT_ONCE = 50
"""Facts that the page is asked for at once."""
FACTS_ALONE = """(() => {
  document.querySelectorAll('main > :not(#facts)').forEach((one) => one.remove());
  document.body.style.visibility = 'hidden'; // what nobody looks at is not painted
})()"""
"""What other parts draw of a fact is left to the page of 24."""
LISTEN = """(() => {
  const made = URL.createObjectURL, play = HTMLMediaElement.prototype.play;
  let told = () => {}, given = null; // the stretch, where the page asks for an address of it
  if (!PLAYED) { // nothing reads what is given to be played
    Object.defineProperty(HTMLMediaElement.prototype, 'src', { writable: true, value: '' });
  }
  URL.createObjectURL = (blob) => {
    given = { blob, address: PLAYED ? made.call(URL, blob) : 'not read' };
    return given.address;
  };
  HTMLMediaElement.prototype.play = function () {
    const own = this.src === given.address ? given.blob : null;
    if (!PLAYED) { told(own); return Promise.resolve(); }
    this.addEventListener('ended', () => told(own), { once: true });
    return play.call(this);
  };
  const loud = async (blob) => {
    const samples = new Int16Array((await blob.arrayBuffer()).slice(44));
    const is = (one) => Math.abs(one) > 30, first = samples.findIndex(is);
    const cut = samples.slice(first, samples.findLastIndex(is) + 1).filter((_, place) => place % 3 === 0);
    return btoa(String.fromCharCode(...new Uint8Array(cut.buffer)));
  };
  const here = () => new URLSearchParams(location.hash.slice(1)).get('fact');
  const until = async (holds) => { while (!holds()) await new Promise((then) => setTimeout(then, 2)); };
  window.hearNext = async (count, units) => {
    const list = document.getElementById('fact-list'), found = [];
    for (let one = 0; one < count; one += 1) {
      const before = document.querySelector('#fact [data-said=S2T]');
      list.dispatchEvent(new KeyboardEvent('keydown', { key: heardSoFar ? 'ArrowDown' : 'Home' }));
      await until(() => document.querySelector('#fact [data-said=S2T]') !== before);
      const unit = heardSoFar++ % units;
      const heard = new Promise((then) => { told = then; });
      document.querySelectorAll('#fact [data-said=S2T] button.token')[unit].click();
      found.push([here(), document.querySelector('.fact.here').dataset.fact, unit, await loud(await heard)]);
    }
    return found;
  };
  window.heardSoFar = 0;
})()"""


def tone(fact: int) -> Waveform:
    """1.2 s that begin at 300 to 780 Hz and rise by 1,200 to 2,400 Hz."""
    time = np.arange(int(1.2 * 16000)) / 16000
    first, rise = 300 + 10 * (fact % 49), 1000 + 50 * (fact // 49)
    return Waveform((0.5 * np.sin(2 * np.pi * (first * time + rise / 2 * time**2))).astype(np.float32))


@functools.cache
def made(count: int) -> tuple[xr.Dataset, list[Prompt]]:
    """Effects by role of so many facts in speech, and their prompts with sound."""
    roles = role_effects(n_facts=count, n_layers=2)
    spoken = roles.isel(prompt=roles["modality"].values == "S2T")
    prompts = [replace(make_prompt("S2T", fact), waveform=tone(fact % SOUNDS)) for fact in range(count)]
    return spoken.assign_coords(prompt_id=("prompt", np.array([one.id for one in prompts]))), prompts


@pytest.fixture(scope="module", autouse=True)
def each_sound_is_encoded_once() -> Iterator[None]:
    """Pages of the same facts have the same sounds."""
    encoded: dict[str, bytes] = {}
    opus = page_sounds.opus

    def once(waveform: Waveform) -> bytes:
        if waveform.digest not in encoded:
            encoded[waveform.digest] = opus(waveform)
        return encoded[waveform.digest]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(page_sounds, "opus", once)
        yield


def place_of(cut: Any, whole: Any) -> tuple[float, float]:
    """Seconds of the whole at which a stretch of it begins and ends."""
    size = 1 << (len(whole) + len(cut)).bit_length()
    both = np.fft.rfft(whole, size) * np.conj(np.fft.rfft(cut, size))
    start = int(np.argmax(np.fft.irfft(both, size)[: len(whole)]))
    return start / 16000, (start + len(cut)) / 16000


def heard_each(tab: Browser, count: int, units: int) -> dict[str, tuple[int, Any]]:
    """By fact the unit that was clicked and the samples that were played."""
    found: dict[str, tuple[int, Any]] = {}
    for done in range(0, count, AT_ONCE):
        for fact, listed, unit, encoded in tab.tell(f"hearNext({min(AT_ONCE, count - done)}, {units})"):
            assert fact == listed
            found[fact] = unit, np.frombuffer(base64.b64decode(encoded), dtype=np.int16) / 32767
    return found


@pytest.mark.parametrize("sounds", ["in the page", "beside it"])
@pytest.mark.parametrize("count", [24, pytest.param(1000, marks=pytest.mark.slow)])
def test_every_fact_opens_and_plays_its_own_stretch(tab: Browser, tmp_path: Path, count: int, sounds: Sounds) -> None:
    effects, prompts = made(count)
    page = dashboard(effects, tmp_path, prompts=prompts, sounds=sounds)
    tab.look(*((1440, 900) if count == 24 else (700, 240)))
    tab.open(page)
    tab.tell("document.getElementById('facts').scrollIntoView({behavior: 'instant'})")
    tab.wait("document.querySelector('#fact [data-said=S2T]')")
    assert tab.tell("location.protocol") == "file:"
    tab.tell(LISTEN.replace("PLAYED", "true" if count == 24 else "false"))
    if count == 1000:
        tab.tell(FACTS_ALONE)
    tab.tell("window.before = document.querySelector('#fact [data-said=S2T]')")
    end = "document.getElementById('fact-list').dispatchEvent(new KeyboardEvent('keydown', { key: 'End' }))"
    active = "document.getElementById('fact-list').getAttribute('aria-activedescendant')"
    assert tab.tell(f"({end}, document.querySelector('.fact.here')?.id === {active})"), "its row is drawn at once"
    tab.wait("document.querySelector('#fact [data-said=S2T]') !== before")  # so that the first is opened too
    heard, names = heard_each(tab, count, 7), effects["fact_id"].values.tolist()
    assert sorted(heard) == sorted(names)
    for fact, (unit, cut) in heard.items():
        own = names.index(fact)
        whole = prompts[own].waveform
        assert whole is not None
        wanted = list(seconds_of(prompts[own]).times.values())[unit]
        assert place_of(cut, whole.samples) == pytest.approx(wanted, abs=EXACT), fact
    files = [one.as_uri() for one in (tmp_path / "sounds").glob("*")] if sounds == "beside it" else []
    assert set(tab.requests) == set(files)
    assert len(files) == (min(count, SOUNDS) if sounds == "beside it" else 0)
    assert (tab.windows, tab.problems) == ([], [])
    tab.requests.clear()
