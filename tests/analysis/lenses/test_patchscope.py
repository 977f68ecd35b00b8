"""A state put into another prompt: identity, a spoken subject read in writing, places that do not exist."""

import pytest
import torch

from spiritlens.analysis.lenses.patchscope import patchscope

TOLERANCE = 1e-10


def test_a_state_put_where_it_came_from_changes_nothing(machine):
    lens, prompt = machine.lens, machine.prompts[12]
    own = lens.backend.forward(prompt.tokens)[0, -1]
    for state in (0, 3, 8):
        assert torch.allclose(patchscope(lens, prompt, 16, state, prompt, 16), own, atol=TOLERANCE)


def test_a_spoken_subject_is_read_out_in_a_written_prompt(machine):
    lens = machine.lens
    spoken, written = machine.speech("tolda"), machine.text("marlo")
    taken, place = spoken.subject.last, written.subject.last
    late = patchscope(lens, spoken, taken, 4, written, place)
    assert int(late.argmax()) == spoken.answer_ids[0]
    early = patchscope(lens, spoken, taken, 1, written, place)
    assert int(early.argmax()) != spoken.answer_ids[0]
    moved = patchscope(lens, spoken, taken, 5, written, place, target_state=3)
    assert int(moved.argmax()) == spoken.answer_ids[0]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ((99, 0, 1), "position 99 lies outside"),
        ((3, 9, 1), "source_state is 9"),
        ((3, 0, 40), "position 40 lies outside"),
    ],
)
def test_places_outside_are_refused(machine, where, message):
    prompt = machine.prompts[0]
    with pytest.raises(ValueError, match=message):
        patchscope(machine.lens, prompt, where[0], where[1], prompt, where[2])
