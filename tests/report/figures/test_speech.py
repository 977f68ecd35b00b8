"""The spoken prompt over time: every unit and word at its seconds, the subject apart."""

from dataclasses import replace

import pytest

from spiritlens.prompts.prompt import Prompt
from spiritlens.report.figures.speech import SUBJECT_BOX, speech


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


def test_segments_follow_each_other_and_the_waveform_lies_at_the_one_that_lasts_as_long(spoken: Prompt) -> None:
    nan = float("nan")
    two = replace(
        spoken,
        starts=(nan, nan, 0.0, 0.12, 0.44, 0.0, 0.16, 0.24, 0.44, nan),
        ends=(nan, nan, 0.12, 0.44, 0.56, 0.16, 0.24, 0.44, 0.60, nan),
    )
    figure = speech(two)
    france = next(trace for trace in figure.data if trace.hoveron == "fills" and trace.text.startswith("france"))
    assert (min(france.x), max(france.x)) == (pytest.approx(0.56), pytest.approx(1.0))
    assert min(figure.data[0].x) == pytest.approx(0.56, abs=0.01)
    assert figure.layout.xaxis3.range == (0, pytest.approx(0.56 + 1.2))
    assert speech(replace(two, waveform=None)).layout.xaxis3.range == (0, pytest.approx(1.16))


def test_only_units_stand_in_the_row_of_units(spoken: Prompt) -> None:
    families = ["pitch" if place == 6 else family for place, family in enumerate(spoken.families)]
    figure = speech(replace(spoken, families=tuple(families)))
    assert len([trace for trace in figure.data if trace.hoveron == "fills"]) == 5 + 6
    assert "6 units" in figure.layout.title.text
