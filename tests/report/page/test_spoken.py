"""What the page is told of speech: what was corrupted, what is heard, and the twin of each word."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr

from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.spoken_seconds import seconds_of
from spiritlens.report.page.facts_table import facts_table
from spiritlens.report.page.packing import Packing, Unpacked, script_json
from spiritlens.report.page.spoken import packed_spoken


def told(effects: xr.Dataset, prompts: list[Prompt], config: Mapping[str, Any]) -> tuple[Unpacked, Mapping[str, Any]]:
    packing = Packing()
    datasets = {"token": effects.assign_attrs(config_json=json.dumps(config))}
    about = packed_spoken(facts_table(datasets, prompts), datasets, packing)
    return Unpacked(json.loads(script_json(about)), packing.blocks()), about


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({"corrupted": "subject"}, [5, 6, 7]),
        ({}, [5, 6, 7]),
        ({"corrupted": [3, 4]}, [3, 4]),
        ({"corrupted": "capital"}, [3]),
        ({"corrupted": "no such word"}, [5, 6, 7]),
    ],
)
def test_the_corrupted_units_are_those_the_call_named(
    tokens: xr.Dataset, prompts: list[Prompt], config: dict[str, Any], wanted: list[int]
) -> None:
    page, about = told(tokens, prompts, config)
    size = int(page.numbers(about["unit_sizes"])[0])
    corrupted = page.numbers(about["units"]["corrupted"])[:size].astype(bool)
    assert page.numbers(about["units"]["position"])[:size][corrupted].tolist() == wanted


def test_words_have_their_written_twins(tokens: xr.Dataset, prompts: list[Prompt]) -> None:
    page, about = told(tokens, prompts, {})
    assert page.numbers(about["prompts"]).tolist() == [1, 3, 5]
    assert page.numbers(about["twin_prompts"]).tolist() == [0, 2, 4]
    assert page.numbers(about["words"]["index"])[:5].tolist() == [0, 1, 2, 3, 4]
    assert page.numbers(about["words"]["twin"])[:5].tolist() == [0, 1, 2, 3, 4]
    assert page.texts(about["words"]["role"])[:5] == ["before subject"] * 3 + ["subject", "last word"]
    assert page.texts(about["words"]["twin_role"])[3:5] == ["subject", "last word"]
    alone, found = told(tokens, prompts[1::2], {})
    assert alone.numbers(found["twin_prompts"]).tolist() == [-1, -1, -1]
    assert alone.texts(found["words"]["twin_role"])[:5] == [""] * 5


def test_what_is_heard_is_what_the_prompt_has_of_a_recording(prompts: list[Prompt]) -> None:
    spoken = prompts[1]
    assert seconds_of(spoken).heard == (0.0, 1.2)  # 1.16 s of units: the encoder leaves a frame out
    later = replace(
        spoken,
        starts=tuple(start + 0.5 for start in spoken.starts),
        ends=tuple(end + 0.5 for end in spoken.ends),
        waveform=None,
    )
    assert seconds_of(later).heard == (0.5, pytest.approx(1.66))


def test_spoken_parts_follow_each_other_and_the_sound_is_that_of_one(prompts: list[Prompt]) -> None:
    spoken = prompts[1]
    starts, ends = np.array(spoken.starts), np.array(spoken.ends)
    starts[5:9], ends[5:9] = starts[5:9] - 0.56, ends[5:9] - 0.56  # the time begins anew at the subject
    found = seconds_of(replace(spoken, starts=tuple(starts), ends=tuple(ends)))
    assert found.segments == 2
    assert found.times[5][0] == pytest.approx(found.times[4][1])
