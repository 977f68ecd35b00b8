"""What a model knows, and in which spelling."""

from dataclasses import replace

import pytest
import torch
from tracing_lens import TinyLens, spoken_prompt, text_prompt, tiny_lens

import spiritlens as sl
from spiritlens.analysis.grid.grid import Grid
from spiritlens.analysis.tracing.causal_tracing import causal_trace
from spiritlens.prompts.knowing import Knowing
from spiritlens.runs.answers import given_answer, given_answers, known_prompts, other_spacing


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


def test_the_first_token_in_the_top_k(lens) -> None:
    """By hand: ids in the order of their logits; the k-th is known at k, not at k − 1; later tokens do not count."""
    order = (logits_of(lens, list(text_prompt().ids))[-1, 3:30].argsort(descending=True) + 3).tolist()
    third = text_prompt((order[2], order[9]))
    assert known_prompts(lens, [third], knowing=Knowing("top k", k=3)) == (True,)
    assert known_prompts(lens, [third], knowing=Knowing("top k", k=2)) == (False,)
    assert known_prompts(lens, [text_prompt((order[0],))], knowing=Knowing("top k", k=1)) == (True,)
    (given,) = given_answers(lens, [third], Knowing("top k", k=3))
    assert given.answer.split() == [lens.vocabulary.label(token) for token in order[:3]]


@pytest.mark.parametrize("rule", ["exact", "top 2"])
def test_asked_together_is_asked_one_by_one(lens, rule: str) -> None:
    knowing = Knowing.read(rule)
    prompts = [
        make((first, *rest)) for first in range(3, 30) for make in (text_prompt, spoken_prompt) for rest in ((), (5,))
    ]
    together = given_answers(lens, prompts, knowing)
    assert together == tuple(given_answers(lens, [prompt], knowing)[0] for prompt in prompts)
    assert {given.known for given in together} == {False, True}


@pytest.fixture(scope="module")
def embedded() -> "sl.Lens":
    return sl.load()


@pytest.fixture(scope="module")
def cities(embedded: "sl.Lens") -> list["sl.Prompt"]:
    names = ("france", "italy", "germany", "peru")
    facts = [fact for fact in sl.load_facts() if fact.id in [f"capital/{name}" for name in names]]
    texts = [embedded.text(fact.text(name), fact.subject, fact.answer) for fact in facts for name in fact.templates]
    return texts


def test_continuations_are_asked_together_as_one_by_one(embedded: "sl.Lens", cities: list["sl.Prompt"]) -> None:
    knowing = Knowing("generated", tokens=4)
    together = given_answers(embedded, cities, knowing)
    assert [given.answer for given in together] == [embedded.generate(prompt, 4) for prompt in cities]
    assert together == tuple(given_answers(embedded, [prompt], knowing)[0] for prompt in cities)
    assert len({len(prompt) for prompt in cities}) > 1
    assert {given.known for given in together} == {False, True}


def test_an_alias_counts_where_it_is_generated_only(embedded: "sl.Lens", cities: list["sl.Prompt"]) -> None:
    said = embedded.generate(cities[0], 4)
    other = embedded.text("the capital of france is", "france", "rome", origin=sl.Origin(aliases=(said.split()[0],)))
    without = replace(other, aliases=())
    knowing = Knowing("generated", tokens=4)
    assert known_prompts(embedded, [other, without], knowing=knowing) == (True, False)
    assert known_prompts(embedded, [other, other]) == (False, False)


def test_the_rule_of_the_lens_is_every_results_and_is_stored(embedded: "sl.Lens") -> None:
    prompt = embedded.text("the capital of france is", "france", "rome")
    k = next(k for k in range(1, 2000) if known_prompts(embedded, [prompt], knowing=Knowing("top k", k=k))[0])
    assert k > 1
    asking = replace(embedded, knowing=Knowing("top k", k=k))
    assert known_prompts(asking, [prompt]) == (True,)
    traced, plain = (
        causal_trace(one, [prompt], Grid(("resid_pre",), at="role"), samples=1, progress="none")
        for one in (asking, embedded)
    )
    assert traced["known"].values.tolist() == [1]
    assert plain["known"].values.tolist() == [0]
    assert Knowing.read(traced.attrs["knowing"]) == asking.knowing
    assert Knowing.read(plain.attrs["knowing"]) == Knowing()
    assert sl.tracing.rome(asking, [prompt])["samples"] == 10
    with pytest.raises(ValueError, match="does not know prompt"):
        sl.tracing.rome(embedded, [prompt])


def test_an_answer_in_units_is_no_text_to_look_for(lens) -> None:
    with pytest.raises(ValueError, match=r"asks for an answer that is no text .*ask by the rule 'exact'"):
        known_prompts(lens, [text_prompt((33,))], knowing=Knowing("generated"))


def test_a_rule_is_a_value_not_its_name(lens) -> None:
    for knowing in ("exact", 5, {"rule": "exact"}):
        with pytest.raises(ValueError, match=r"knowing=.*expected a rule, such as"):
            known_prompts(lens, [text_prompt()], knowing=knowing)
