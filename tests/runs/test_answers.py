"""What a model knows, and in which spelling."""

import pytest
import torch
from tracing_lens import TinyLens, text_prompt, tiny_lens

from spiritlens.analysis.grid.grid import Grid
from spiritlens.analysis.tracing.causal_tracing import causal_trace
from spiritlens.runs.answers import given_answer, known_prompts, other_spacing


@pytest.fixture(scope="module")
def lens() -> TinyLens:
    return tiny_lens()


def logits_of(lens: TinyLens, ids: list[int]) -> torch.Tensor:
    return lens.backend.model(torch.tensor([ids]))[0]


def test_known_is_the_arg_max_over_text_ids(lens) -> None:
    best = int(logits_of(lens, list(text_prompt().ids))[-1, 3:30].argmax()) + 3
    other = next(token for token in range(3, 30) if token != best)
    assert known_prompts(lens, [text_prompt((best,)), text_prompt((other,))]) == (True, False)
    assert given_answer(lens, text_prompt((other,))).answer == lens.vocabulary.label(best)


def test_several_tokens_are_checked_one_after_the_other(lens) -> None:
    ids = list(text_prompt().ids)
    first = int(logits_of(lens, ids)[-1, 3:30].argmax()) + 3
    second = int(logits_of(lens, [*ids, first])[-1, 3:30].argmax()) + 3
    wrong = 3 if second != 3 else 4
    assert known_prompts(lens, [text_prompt((first, second)), text_prompt((first, wrong))]) == (True, False)


def test_answers_in_units_are_looked_for_everywhere(lens) -> None:
    best = int(logits_of(lens, list(text_prompt().ids))[-1, :46].argmax())
    unit = 33 if best != 33 else 34
    assert given_answer(lens, text_prompt((unit,))).answer == lens.vocabulary.label(best)


def test_the_other_spacing_is_told_and_warned_of(lens) -> None:
    probabilities = logits_of(lens, list(text_prompt().ids))[-1].softmax(-1)
    spacing = other_spacing(lens, text_prompt((28,)))
    assert spacing.label == "eleven"
    assert spacing.other_probability == pytest.approx(float(probabilities[29]))
    assert spacing.asked_probability == pytest.approx(float(probabilities[28]))
    assert other_spacing(lens, text_prompt((20,))) is None
    better, worse = (28, 29) if probabilities[28] < probabilities[29] else (29, 28)
    with pytest.warns(UserWarning, match="check the spaces"):
        causal_trace(lens, [text_prompt((better,))], Grid(at="role"), samples=1, progress="none")
    assert not given_answer(lens, text_prompt((worse,))).known
