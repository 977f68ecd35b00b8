"""What falls out is told by reason and the other rows go on; what is no source or no table is one clear error."""

import json
import pickle
import re
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from datasets import IterableDataset

from spiritlens.prompts.facts.left_out import LeftOut
from spiritlens.prompts.facts.loaded import Facts
from spiritlens.prompts.facts.loading import LOOKED_AT, load_facts

GOOD = {"id": "1", "subject": "France", "answer": "Paris", "foil": "Rome", "prompt": "The capital of France is"}


def row(**changed: Any) -> dict[str, Any]:
    return {**GOOD, "id": "2", **changed}


@pytest.mark.parametrize(
    ("broken", "reason", "detail"),
    [
        (row(prompt="Its capital is"), "the subject is not in the prompt", "neither {} nor 'France' as whole words"),
        (row(prompt="The Francelike is"), "the subject is not in the prompt", "'The Francelike is'"),
        (row(prompt="pre{} is"), "the subject is not in the prompt", "only a part of a word in 'preFrance is'"),
        (row(prompt="France is France is"), "the subject is twice in the prompt", "2 times"),
        (row(prompt="{} is not France but"), "the subject is twice in the prompt", "2 times"),
        (row(prompt="{} is {} is"), "{} twice in the template", "more than once"),
        (row(prompt="{} is [X]"), "{} twice in the template", "{} and [X]"),
        (row(prompt="[X] has [Y] as its capital"), "the answer is not asked for at the end", "goes on after [Y]"),
        (
            row(prompt="The capital of France is Paris."),
            "the answer is not asked for at the end",
            "ends with the answer",
        ),
        (row(prompt="[Y]"), "no prompt", "no words before the answer"),
        (row(prompt=" "), "no prompt", "neither a text nor a template"),
        (row(prompt=None), "no prompt", "neither a text nor a template"),
        (row(subject=""), "no subject", "the column subject is empty"),
        (row(answer=None), "no answer", "the column answer is empty"),
        (row(answer=[]), "no answer", "the column answer is empty"),
        (row(answer=float("nan")), "no answer", "the column answer is empty"),
        (row(foil="PARIS "), "the foil is an answer", "the foil equals the answer 'PARIS'"),
        (row(answer=["Paris", "Rome"]), "the foil is an answer", "the foil equals the answer 'Rome'"),
        (row(subject=["France"]), "a value of another kind", "subject is ['France'] (list): expected a text"),
        (row(answer=True), "a value of another kind", "answer is True (bool)"),
        (row(answer={"a": 1}), "a value of another kind", "answer is a struct of a: expected one of value"),
        (row(id="1"), "an id given twice", "1 is there twice; the first counts"),
        ("France", "the row cannot be read", "'France' is no mapping of columns"),
        (None, "the row cannot be read", "None is no mapping of columns"),
    ],
)
def test_a_broken_row_falls_out_with_its_reason_and_the_others_go_on(broken: Any, reason: str, detail: str) -> None:
    found = load_facts([GOOD, broken, row(id="3")])
    assert [fact.id for fact in found] == ["1", "3"]
    assert found.left_out.by_reason == {reason: ("row 2",)}
    assert detail in found.left_out.rows[0].detail


def test_a_prompt_may_hold_the_answer_elsewhere_or_within_a_word() -> None:
    texts = ("Parisian France is ruled from", "In France, as in Paris", "The capital of France is Comparis")
    assert [fact.text() for fact in load_facts([row(id=text, prompt=text) for text in texts])] == [texts[0], texts[2]]
    (asked,) = load_facts([row(prompt="Is the capital of France Rome or Paris?")])
    assert asked.answer == "Paris"


def test_reasons_are_counted_and_shown_with_their_ids() -> None:
    rows = [GOOD, *(row(id=n, answer="") for n in range(5)), row(id="9", subject="")]
    found = load_facts(rows)
    assert found.left_out.counts == {"no answer": 5, "no subject": 1}
    first, head, most, least = str(found).splitlines()
    assert first == "1 of 7 rows are facts, of 1 relation: the rows (table read by its columns' names)"
    assert head.split() == ["left", "out", "reason", "ids", "the", "first"]
    assert most.split("  ")[0].strip() == "5"
    assert "row 2, row 3, row 4 and 2 more" in most
    assert "row 7" in least
    assert str(load_facts([GOOD]).left_out) == "none left out"


def test_without_ids_a_relation_has_a_subject_once() -> None:
    rows = [{name: value for name, value in one.items() if name != "id"} for one in (GOOD, row(answer="Lyon"))]
    found = load_facts([*rows, {**rows[0], "relation": "seat"}])
    assert [fact.id for fact in found] == ["any/france", "seat/france"]
    assert found.left_out.counts == {"a relation and subject given twice": 1}


def test_broken_lines_fall_out_alone(tmp_path: Path) -> None:
    lines = [json.dumps(GOOD), '{"id": 2, "sub', "[1, 2]", '{"id": 3, "id": 4}', "", json.dumps(row(id="5"))]
    path = tmp_path / "x.jsonl"
    path.write_text("\n".join(lines))
    found = load_facts(path)
    assert [fact.id for fact in found] == ["1", "5"]
    assert found.left_out.counts == {"the row cannot be read": 3}
    path = tmp_path / "x.csv"
    path.write_text("subject,answer,prompt\nFrance,Paris,{} is\na,b\nNone,NA,{} is\n007,1990-05-12,{} is\n")
    found = load_facts(path)
    assert [(fact.subject, fact.answer) for fact in found] == [
        ("France", "Paris"),
        ("None", "NA"),
        ("007", "1990-05-12"),
    ]
    assert found.left_out.by_reason == {"the row cannot be read": ("row 2",)}


def test_a_date_in_json_stays_the_text_that_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps([row(answer="1990-05-12"), row(id="3", answer=["Paris"])]))
    assert [fact.answer for fact in load_facts(path)] == ["1990-05-12", "Paris"]


@pytest.mark.parametrize(
    ("rows", "columns", "words"),
    [
        (
            [{"a": 1, "b": {"c": 2}}],
            {},
            ("the rows: no column holds the answer or the subject or the prompt", "a, b, b.c"),
        ),
        (
            [GOOD],
            {"answer": "label"},
            ("the rows has no column 'label' (for answer)", "id, subject, answer, foil, prompt"),
        ),
        ([GOOD], {"answers": "answer"}, ("'answers' is nothing that a column holds", "id, subject, answer, aliases")),
        ([GOOD], {"answer": 5}, ("columns['answer']=5", "the name of a column")),
        ([GOOD], {"answer": None}, ("columns['answer']=None", "the name of a column")),
        ([GOOD], {"tags": "answer"}, ("columns['tags']='answer'", "several")),
        ([GOOD], {"prompt": {}}, ("columns['prompt']={}", "the name of a column")),
        ([GOOD], ["answer"], ("columns=['answer']", "a mapping of roles")),
        ([], {}, ("the rows holds no facts", "a row is needed")),
        ([row(answer=""), row(answer="")], {}, ("the rows holds no facts", "answer is empty", "2: no answer")),
        ([5], {}, ("source[0] is 5", "each row a mapping")),
    ],
)
def test_what_is_no_table_of_facts_is_one_error(rows: Any, columns: Any, words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=re.escape(words[0])) as refused:
        load_facts(rows, columns)
    assert [word for word in words if word not in str(refused.value)] == []
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("templates", "message"),
    [
        ({}, "templates={}: expected"),
        ("{} is", "templates='{} is': expected"),
        ({"first": 5}, "templates.'first'.=5: expected"),
        ({"P1": {"first": " "}}, "template 'first' is empty"),
    ],
)
def test_templates_that_are_none_are_refused(templates: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_facts([GOOD], templates=templates)


class Row(dict[str, Any]):
    """A row that can be watched."""


def test_ten_thousand_rows_are_read_once_and_not_kept() -> None:
    alive = most = opened = 0

    def gone() -> None:
        nonlocal alive
        alive -= 1

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal alive, most, opened
        opened += 1
        for number in range(10_000):
            row = Row(subject=f"s{number}", answer=f"a{number % 7}", prompt="{} is")
            weakref.finalize(row, gone)
            alive += 1
            most = max(most, alive)
            yield row

    class Streamed(IterableDataset):
        """Rows as they come, without the copies and batches of Arrow."""

        column_names = ("subject", "answer", "prompt")
        features = None

        def __init__(self) -> None:
            pass

        def __iter__(self) -> Iterator[dict[str, Any]]:
            return rows()

    found = load_facts(Streamed())
    assert (len(found), opened) == (10_000, 1)
    assert most <= LOOKED_AT + 5


def test_loaded_facts_are_a_tuple_that_is_pickled_whole() -> None:
    found = load_facts([GOOD, row(answer="")])
    again = pickle.loads(pickle.dumps(found))
    assert isinstance(found, tuple)
    assert (again, again.layout, again.source) == (found, found.layout, "the rows")
    assert again.left_out == found.left_out
    assert Facts().left_out == LeftOut()
