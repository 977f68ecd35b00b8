"""Templates from the three forms in which sets have them: the prompt stays what it was."""

import pytest

from spiritlens.prompts.facts.left_out import Refusal
from spiritlens.prompts.facts.templates import template_of


@pytest.mark.parametrize(
    ("text", "subject", "template", "spelt"),
    [
        ("The capital of {subject} is", "France", "The capital of {subject} is", "France"),
        ("{} is in ", "France", "{subject} is in", "France"),
        ("[X] was born in [Y] .", "Marlo", "{subject} was born in", "Marlo"),
        ("[X]'s tongue is [Y].", "Marlo", "{subject}'s tongue is", "Marlo"),
        ("The capital of France is", "France", "The capital of {subject} is", "France"),
        ("The capital of FRANCE is", "France", "The capital of {subject} is", "FRANCE"),
        ("France's capital is", "France", "{subject}'s capital is", "France"),
        ("What is Côte d’Ivoire?", "Côte d'Ivoire", "What is {subject}?", "Côte d’Ivoire"),
        ("Frances is from France: {", "France", "Frances is from {subject}: {", "France"),
        ("{} and Franceville are", "France", "{subject} and Franceville are", "France"),
        ("Where is it?", "", "Where is it?", ""),
    ],
)
def test_a_template_and_the_subject_as_it_is_spelt(text: str, subject: str, template: str, spelt: str) -> None:
    assert template_of(text, subject) == (template, spelt)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("The capital is", "the subject is not in the prompt"),
        ("{}ville is", "the subject is not in the prompt"),
        ("France: {} is", "the subject is twice in the prompt"),
        ("France: France is", "the subject is twice in the prompt"),
        ("{} {}", "{} twice in the template"),
        ("[Y] is the capital of [X]", "the answer is not asked for at the end"),
        ("[Y] .", "no prompt"),
    ],
)
def test_a_text_without_a_template_says_why(text: str, reason: str) -> None:
    found = template_of(text, "France")
    assert isinstance(found, Refusal)
    assert found.reason == reason
