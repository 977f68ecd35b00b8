"""The control stands elsewhere, is as long as the subject, and of its modality."""

import pytest
from tracing_lens import make_prompt, spoken_prompt, text_prompt

from spiritlens.runs.corruptions.control_span import control_span


def test_control_is_as_long_and_elsewhere() -> None:
    for prompt in (text_prompt(), spoken_prompt()):
        found = {control_span(prompt, seed).positions for seed in range(20)}
        for positions in found:
            assert len(positions) == len(prompt.subject)
            assert not set(positions) & set(prompt.subject.positions)
            assert len({prompt.modalities[at] for at in positions} | {prompt.modalities[prompt.subject.first]}) == 1
            assert not {prompt.families[at] for at in positions} & {"bos", "marker"}
            assert len(prompt.ids) - 1 not in positions
        assert control_span(prompt, 3) == control_span(prompt, 3)


def test_a_prompt_without_room_for_a_control() -> None:
    with pytest.raises(ValueError, match="no 2 text tokens in a row"):
        control_span(make_prompt((1, 9, 16, 7), (-1, 0, 0, 1), (1, 2)))
