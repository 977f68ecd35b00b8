"""The spoken prompt over time: every unit and word at its seconds, the subject apart."""

from dataclasses import replace

import pytest

from spiritlens.prompts.prompt import Prompt
from spiritlens.report.speech_figure import SUBJECT_BOX, speech


def test_units_and_words_lie_at_their_times(spoken: Prompt) -> None:
    figure = speech(spoken)
    boxes = [trace for trace in figure.data if trace.hoveron == "fills"]
    assert len(boxes) == 5 + 7
    france = next(box for box in boxes if box.text.startswith("france"))
    assert (min(france.x), max(france.x)) == (0.56, 1.0)
    assert france.fillcolor == SUBJECT_BOX
    assert sum(box.fillcolor == SUBJECT_BOX for box in boxes) == 1 + 3
    assert figure.layout.xaxis3.range == (0, pytest.approx(1.2))


def test_unit_labels_can_wait_for_hovering(spoken: Prompt) -> None:
    assert len(speech(spoken).layout.annotations) == 5 + 7
    assert len(speech(spoken, unit_labels="on hovering").layout.annotations) == 5


def test_without_sound_words_and_units_remain(spoken: Prompt) -> None:
    figure = speech(replace(spoken, waveform=None))
    assert all(trace.hoveron == "fills" for trace in figure.data)
    assert figure.layout.xaxis3.range == (0, 1.16)


def test_a_written_prompt_is_refused(prompts: list[Prompt]) -> None:
    with pytest.raises(ValueError, match="has no spoken part"):
        speech(prompts[0])
