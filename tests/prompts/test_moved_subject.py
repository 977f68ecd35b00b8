"""The subject's span shifted and dilated: positions by hand, what is derived anew, what stays, what is refused."""

import math
from dataclasses import replace

import pytest
from prompt_making import speech_prompt, text_prompt

import spiritlens as sl
from spiritlens.prompts.moved_subject import dilate_subject, shift_subject
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.roles import token_parts, token_roles
from spiritlens.prompts.spans import Span


@pytest.fixture(scope="module")
def spoken() -> Prompt:
    """Nine units before the subject's six, two after it, then the final marker."""
    return sl.planted().speech("marlo")


@pytest.mark.parametrize("by", [-9, -4, -1, 1, 2])
def test_a_shift_moves_both_edges(spoken: Prompt, by: int) -> None:
    found = shift_subject(spoken, by)
    assert found.subject.positions == tuple(at + by for at in spoken.subject)
    assert tuple(at for at, role in enumerate(found.roles) if role == "subject") == found.subject.positions


@pytest.mark.parametrize("by", [-2, -1, 1, 2])
def test_a_dilation_moves_them_apart(spoken: Prompt, by: int) -> None:
    found = dilate_subject(spoken, by)
    expected = range(spoken.subject.first - by, spoken.subject.last + by + 1)
    assert found.subject.positions == tuple(expected)
    assert found.parts == token_parts(len(spoken), tuple(expected))


def test_tokens_words_and_the_name_stay_and_the_id_does_not(spoken: Prompt) -> None:
    heard = replace(spoken, word_error=0.25, subject_units_changed=2.0, subject_share_changed=0.3)
    found = shift_subject(heard, -2)
    same = ("ids", "text", "word_index", "starts", "ends", "answer_ids", "foil_ids", "fact_id", "voice", "word_error")
    assert all(repr(getattr(found, name)) == repr(getattr(heard, name)) for name in same)
    assert found.subject.name == heard.subject.name
    assert len({prompt.id for prompt in (spoken, found, shift_subject(spoken, -1), dilate_subject(spoken, 1))}) == 4
    assert math.isnan(found.subject_units_changed)
    assert math.isnan(found.subject_share_changed)


def test_roles_are_those_of_a_prompt_that_was_built_so(spoken: Prompt) -> None:
    """Of the same tokens with the subject two units earlier: its last two units are after it, and markers stay."""
    found = shift_subject(spoken, -2)
    expected = token_roles(spoken.families, spoken.word_index, tuple(at - 2 for at in spoken.subject))
    assert found.roles == expected
    assert found.roles[spoken.subject.last] == "after subject"
    assert found.roles[spoken.subject.first - 1] == "subject"
    later = shift_subject(spoken, 2)
    assert "last word" not in later.roles  # both of its units are the subject now
    assert later.roles[-1] == "final marker"


def test_no_step_is_the_prompt_itself_and_back_is_where_it_was(spoken: Prompt) -> None:
    assert shift_subject(spoken, 0) is spoken
    assert dilate_subject(spoken, 0) is spoken
    for there, back in ((shift_subject, 2), (dilate_subject, 2)):
        again = there(there(spoken, -back), back)
        assert (again.id, again.roles, again.parts) == (spoken.id, spoken.roles, spoken.parts)


def test_a_template_stays_a_template() -> None:
    prompt = sl.planted().text("marlo")
    opened = replace(
        prompt, roles=tuple("modality marker" if at == 2 else role for at, role in enumerate(prompt.roles))
    )
    assert shift_subject(opened, 1).roles[2] == "modality marker"
    with pytest.raises(ValueError, match="would leave its segment"):
        shift_subject(opened, -3)  # onto the template


def test_a_written_subject_moves_by_pieces(spirit) -> None:
    prompt = text_prompt(spirit, "the capital of new zealand is", "New Zealand")
    assert shift_subject(prompt, -1).subject.positions == tuple(at - 1 for at in prompt.subject)


def test_pitch_and_style_go_with_the_units_between(spoken: Prompt) -> None:
    """Every second token a pitch token: a step is one unit, two tokens."""
    families = list(spoken.families)
    start = spoken.subject.first
    for at in range(start + 1, spoken.subject.last + 1, 2):
        families[at] = "pitch"
    mixed = replace(spoken, families=tuple(families))
    assert len([at for at in mixed.subject if families[at] == "unit"]) == 3
    found = dilate_subject(mixed, -1)  # the middle unit alone
    assert found.subject.positions == (start + 2,)
    assert shift_subject(mixed, -1).subject.positions == tuple(range(start - 1, start + 3))


@pytest.mark.parametrize(
    ("move", "by", "words"),
    [
        (shift_subject, 3, "would leave its segment"),  # onto the final marker
        (shift_subject, -10, "would leave its segment"),  # onto the marker before
        (dilate_subject, 3, "would leave its segment"),
        (dilate_subject, -3, "nothing is left"),
    ],
)
def test_a_span_that_does_not_fit_is_refused(spoken: Prompt, move, by: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        move(spoken, by)


def test_what_has_no_edges_is_refused(spoken: Prompt, spirit, units, words) -> None:
    torn = replace(spoken, subject=Span("torn", (spoken.subject.first, spoken.subject.last)))
    with pytest.raises(ValueError, match="no single run"):
        shift_subject(torn, 1)
    with pytest.raises(ValueError, match="has no subject"):
        shift_subject(speech_prompt(spirit, units, words), 1)
