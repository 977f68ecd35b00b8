"""Each published layout is recognised, in every form in which a set of it comes, and read alike."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from datasets import Dataset
from facts.published_rows import FLAT_COUNTERFACT, KNOWN_1000, NESTED_COUNTERFACT, POP_QA, PRISM

from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.loading import load_facts

KNOWN_FACTS = (
    Fact("0", "P30", "Mount Marlo", "Antarctica", "", {"first": "{subject} is located in the continent of"}),
    Fact("17", "P131", "Ivry", "Western Australia", "", {"first": "Where is {subject}? It is located in"}),
)
MOTHER_TONGUE = ("P103", "Danielle Marlo", "French", "English", {"first": "The mother tongue of {subject} is"})
PRISM_FACTS = (
    Fact(
        *("P19/allan-marlo", "P19", "Allan Marlo", "Reno", "", {"first": "{subject} was born in"}),
        aliases=("Reno, Nevada",),
    ),
    Fact("P131/ivry", "P131", "Ivry", "Lyon", "", {"first": "{subject} lies near"}),
)
POP_FACTS = (
    Fact(
        *("4222362", "occupation", "George Marlo", "politician", ""),
        {"first": "What is {subject}'s occupation?"},
        aliases=("political leader", "political figure", "polit."),
    ),
)
LAYOUTS = [
    ("ROME's known_1000", KNOWN_1000, KNOWN_FACTS),
    ("CounterFact, nested", NESTED_COUNTERFACT, (Fact("0", *MOTHER_TONGUE),)),
    ("CounterFact, flat", FLAT_COUNTERFACT, (Fact("P103/danielle-marlo", *MOTHER_TONGUE),)),
    ("LAMA or PrISM", PRISM, PRISM_FACTS),
    ("PopQA", POP_QA, POP_FACTS),
]


def separated(rows: list[dict[str, Any]], path: Path, separator: str) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=separator)
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return path


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, (list, dict)) else value


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def parquet(rows: list[dict[str, Any]], path: Path) -> Path:
    Dataset.from_list(rows).to_parquet(path)
    return path


def arrow(rows: list[dict[str, Any]], folder: Path) -> Path:
    Dataset.from_list(rows).save_to_disk(folder / "saved")
    return folder / "saved" / "data-00000-of-00001.arrow"


FORMS: dict[str, Callable[[list[dict[str, Any]], Path], Any]] = {
    "json": lambda rows, folder: written(folder / "x.json", json.dumps(rows, indent=1)),
    "jsonl": lambda rows, folder: written(folder / "x.jsonl", "\n".join(map(json.dumps, rows))),
    "lines in .json": lambda rows, folder: written(folder / "x.json", "\n".join(map(json.dumps, [*rows, *rows]))),
    "csv": lambda rows, folder: separated(rows, folder / "x.csv", ","),
    "tsv": lambda rows, folder: separated(rows, folder / "x.tsv", "\t"),
    "parquet": lambda rows, folder: parquet(rows, folder / "x.parquet"),
    "arrow": lambda rows, folder: arrow(rows, folder),
    "saved folder": lambda rows, folder: arrow(rows, folder).parent,
    "Dataset": lambda rows, folder: Dataset.from_list(rows),
    "IterableDataset": lambda rows, folder: Dataset.from_list(rows).to_iterable_dataset(),
    "frame": lambda rows, folder: pd.DataFrame(rows),
    "Arrow table": lambda rows, folder: Dataset.from_list(rows).data.table,
    "rows": lambda rows, folder: rows,
    "generator": lambda rows, folder: iter(rows),
}


IN_FORMS = [
    pytest.param(*layout, form, id=f"{layout[0]}-{form}")
    for layout in LAYOUTS
    for form in FORMS
    if not (form in ("csv", "tsv") and "nested" in layout[0])  # structs are no cells of text
]


@pytest.mark.parametrize(("layout", "rows", "facts", "form"), IN_FORMS)
def test_a_layout_is_recognised_in_each_form(
    layout: str, rows: list[dict[str, Any]], facts: tuple[Fact, ...], form: str, tmp_path: Path
) -> None:
    found = load_facts(FORMS[form](rows, tmp_path))
    assert (found.layout, tuple(found)) == (layout, facts)
    assert len(found.left_out) == (len(rows) if form == "lines in .json" else 0)


def test_what_was_told_names_layout_counts_and_file(tmp_path: Path) -> None:
    path = written(tmp_path / "known.json", json.dumps(KNOWN_1000))
    assert str(load_facts(path)) == "2 of 2 rows are facts, of 2 relations: known.json (ROME's known_1000)"


def test_lama_without_templates_takes_them_by_relation() -> None:
    rows = [{name: value for name, value in row.items() if name != "template"} for row in PRISM]
    templates = {
        "P19": {"first": "[X] was born in [Y] .", "asked": "Where was [X] born?"},
        "P131": {"first": "{} lies in"},
    }
    one, other = load_facts(rows, templates=templates)
    assert one.templates == {"first": "{subject} was born in", "asked": "Where was {subject} born?"}
    assert other.text() == "Ivry lies in"
    with pytest.raises(ValueError, match=r"no column holds the prompt; its columns are sub_label, obj_label, answers"):
        load_facts(rows)


ALIASES = {
    "list": ["NYC", "the Big Apple"],
    "JSON": '["NYC", "the Big Apple"]',
    "Python": "['NYC', 'the Big Apple']",
    "structs": [{"text": "NYC", "answer_start": 3}, {"text": "the Big Apple", "answer_start": 9}],
    "struct of lists": {"text": ["NYC", "the Big Apple"], "answer_start": [3, 9]},
}


@pytest.mark.parametrize("form", ALIASES)
def test_aliases_in_each_form(form: str) -> None:
    row = {"question": "Where is the Met?", "answer": "New York", "aliases": ALIASES[form], "subject": "the Met"}
    (fact,) = load_facts([row])
    assert fact.accepted == ("New York", "NYC", "the Big Apple")
    assert fact.text() == "Where is the Met?"


def test_a_struct_of_value_and_aliases_is_an_answer(tmp_path: Path) -> None:
    answer = {
        "value": "New York",
        "aliases": ["NYC", "new york"],
        "normalized_aliases": ["nyc"],
        "type": "WikipediaEntity",
    }
    row = {"question": "Where is the Met?", "question_id": "tc_1", "answer": answer}
    path = parquet([row], tmp_path / "trivia.parquet")
    (fact,) = load_facts(path, {"id": "question_id", "subject": None})
    assert (fact.id, fact.subject, fact.text()) == ("tc_1", "", "Where is the Met?")
    assert fact.accepted == ("New York", "NYC")
    with pytest.raises(
        ValueError, match=r"no column holds the subject; its columns are question, .*'subject': None if"
    ):
        load_facts(path)


def test_any_table_is_read_by_the_columns_given() -> None:
    rows = [
        {"who": "Ivry", "what": 1984, "no": "1985", "said": "{} is of", "asked": "When was {}?", "kind": "a", "pop": 3}
    ]
    columns = {
        **{"subject": "who", "answer": "what", "foil": "no", "group": "kind", "tags": ["pop"]},
        "prompt": {"cloze": "said", "question": "asked"},
    }
    found = load_facts(rows, columns)
    assert found.layout == "table read by its columns' names, by the columns given"
    assert tuple(found) == (
        Fact(
            *("any/ivry", "any", "Ivry", "1984", "1985"),
            {"cloze": "{subject} is of", "question": "When was {subject}?"},
            "a",
            tags={"pop": "3"},
        ),
    )
    assert found[0].tags == {"pop": "3"}


def test_usual_names_are_found_in_any_case_and_between_blanks_or_semicolons(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Subject; ANSWER;Prompt\nFrance;Paris, on the Seine;The capital of France is\n")
    (tmp_path / "b.tsv").write_text("subject\tSubject\tanswer\tprompt\nPeru\tFrance\tLima\tThe capital of Peru is\n")
    assert [fact.answer for fact in load_facts(tmp_path / "a.csv")] == ["Paris, on the Seine"]
    assert [fact.subject for fact in load_facts(tmp_path / "b.tsv")] == ["Peru"], "the name as it is comes first"
    (tmp_path / "c.csv").write_text('"a;b",subject,answer,prompt\nx,France,"Paris; Seine",The capital of France is\n')
    assert [fact.answer for fact in load_facts(tmp_path / "c.csv")] == ["Paris; Seine"]


def test_columns_given_come_before_those_of_the_layout() -> None:
    rows = [{**KNOWN_1000[0], "wrong": "Asia"}]
    (fact,) = load_facts(rows, {"foil": "wrong"})
    assert (fact.foil, fact.answer) == ("Asia", "Antarctica")
    nested = [{"outer": {"inner": "Paris"}, "subject": "France", "prompt": "The capital of France is"}]
    assert load_facts(nested, {"answer": "outer.inner"})[0].answer == "Paris"
