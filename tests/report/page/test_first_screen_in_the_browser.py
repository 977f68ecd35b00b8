"""The first screen: the sentence with its number, the picture that answers the question, and the player, at once.

At 1440 × 900 that is headline, curves with their axis and legend, player, and the words that say what the curves are.
At 390 × 844 it is headline, curves, legend and player; what the curves are, choices and buttons follow below. All of it
lies above the status line, in light and dark.
"""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from browser import Browser, needs_chromium
from effects_synthetic import role_effects

from spiritlens.prompts.prompt import Prompt
from spiritlens.report.page.dashboard import dashboard

pytestmark = [pytest.mark.browser, needs_chromium]

WHOLE = ("#first-title", "#first-picture svg", "#first-legend", "#first-player .play", "#first-player .lanes")
SIZES = {(1440, 900): (*WHOLE, "#first-caption"), (390, 844): WHOLE}
BOXES = """(selectors) => selectors.map((one) => {
  const box = document.querySelector(one).getBoundingClientRect();
  return [one, box.top, box.bottom, box.left, box.right, box.height];
})"""
STATUS = 30
"""Pixels of the status line at the lower edge."""


@pytest.fixture(scope="module")
def long_page(prompts: list[Prompt], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three kinds of prompts, a component and subjects with long names."""
    peaks = {"T2T": 12.0, "S2T": 20.0, "mixed": 16.0}
    effects = role_effects(n_facts=12, n_layers=32, peaks=peaks, components=("resid_post_mlp",))
    ids = effects["prompt_id"].values.astype(object)
    for place, prompt in enumerate(prompts):
        ids[3 * (place // 2) + place % 2] = prompt.id
    subjects = np.array(["the united kingdom of great britain and northern ireland"] * effects.sizes["prompt"])
    effects = effects.assign_coords(subject=("prompt", subjects), prompt_id=("prompt", ids.astype(str)))
    return dashboard(effects, tmp_path_factory.mktemp("long"), prompts=prompts)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["study_page", "long_page"])
@pytest.mark.parametrize("address", ["", "#fact=capital%2F1"])
def test_sentence_picture_and_player_are_within_the_first_screen(
    tab: Browser, request: pytest.FixtureRequest, name: str, size: tuple[int, int], scheme: str, address: str
) -> None:
    tab.look(*size, scheme)
    tab.open(request.getfixturevalue(name), address)
    bottom = 0.0
    for one, top, under, left, right, height in tab.tell(f"({BOXES})({list(SIZES[size])})"):
        assert height > 8, one
        assert top >= bottom - 1, one  # in this order
        assert under <= size[1] - STATUS, (one, under)
        assert left >= 0, one
        assert right <= size[0], one
        bottom = under
    assert tab.tell("window.scrollY") == 0
    assert tab.tell("document.querySelector('#first-picture svg').clientHeight") >= 220
    sentence = tab.tell("document.getElementById('first-title').textContent")
    links = tab.tell("[...document.querySelectorAll('#first-title a')].map((one) => one.textContent)")
    kinds = ["in writing", "in speech", "in mixed prompts"][: 3 if name == "long_page" else 2]
    assert len(links) == len(kinds)
    for kind, number in zip(kinds, links, strict=True):
        assert f"{kind} at layer {number}" in sentence
    tab.look()


@pytest.mark.parametrize("size", SIZES)
def test_the_picture_has_subject_and_read_out_of_both_modalities(
    tab: Browser, study_page: Path, size: tuple[int, int]
) -> None:
    tab.look(*size)
    tab.open(study_page)
    legend = tab.tell("[...document.querySelectorAll('#first-legend .key')].map((one) => one.textContent)")
    assert legend == [f"{kind} {row} (n = 12)" for kind in ("T2T", "S2T") for row in ("subject", "read-out")]
    for drawn, count in ((".curve", 4), (".band", 4), (".crossing", 2), (".crossing-label", 2)):
        assert tab.tell(f"document.querySelectorAll('#first-picture svg {drawn}').length") == count
    numbers = tab.tell("[...document.querySelectorAll('#first-picture .crossing-label')].map((one) => one.textContent)")
    links = tab.tell("[...document.querySelectorAll('#first-title a')].map((one) => one.textContent)")
    assert [one.split()[1] for one in numbers] == [one.split()[0] for one in links]
    tab.look()


def test_without_sound_there_is_no_player_and_the_page_says_how_to_hear(
    tab: Browser, roles: xr.Dataset, tmp_path: Path
) -> None:
    tab.open(dashboard(roles, tmp_path))
    assert tab.tell("document.querySelectorAll('.player').length") == 0
    assert tab.tell("document.getElementById('first-player').textContent") == (
        "No sound was given: make the page with prompts=… to hear what was asked."
    )
