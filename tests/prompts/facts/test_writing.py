"""Facts as prompts of one model: what its tokens and its context hold, and why others are left out."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import spiritlens as sl
from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.writing import writable
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.vocabulary.vocabulary import Vocabulary

TEMPLATES = {"first": "The capital of {subject} is", "asked": "Where is {subject}?"}
FRANCE = Fact("1", "capital", "France", "Paris", "Rome", TEMPLATES, "both", ("the City of Light",))


@dataclass
class Context:
    """What a model says of its context."""

    n_ctx: int


@dataclass
class Reader:
    """A vocabulary with a context, as a lens has them."""

    vocabulary: Vocabulary
    backend: Context


def test_a_fact_becomes_the_prompt_that_the_lens_would_build(spirit: Vocabulary) -> None:
    made = writable(spirit, [FRANCE])
    (prompt,) = made.prompts
    assert made.facts == (FRANCE,)
    assert (prompt.kind, prompt.subject.name, prompt.answer, prompt.foil) == ("T2T", "France", "Paris", "Rome")
    assert (prompt.fact_id, prompt.relation, prompt.phrasing, prompt.group) == ("1", "capital", "first", "both")
    assert prompt.aliases == ("the City of Light",)
    assert str(made) == "1 of 1 facts are prompts"
    assert writable(spirit, [FRANCE], "asked").prompts[0].phrasing == "asked"
    assert writable(spirit, [FRANCE], marker="final").prompts[0].families[-1] == "marker"


def test_aliases_are_kept_through_the_rows_of_a_table(spirit: Vocabulary) -> None:
    (prompt,) = writable(spirit, [FRANCE]).prompts
    row = prompt.to_dict()
    again = Prompt.from_dict(row)
    assert (again.aliases, again.origin.aliases, again) == (prompt.aliases, prompt.aliases, prompt)
    assert prompt.id == writable(spirit, [replace(FRANCE, aliases=())]).prompts[0].id, "no part of the id"
    del row["aliases"]
    assert Prompt.from_dict(row).aliases == (), "a row that was written before there were aliases"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"answer": "\u4eac"}, "the answer cannot be written"),
        ({"foil": "\u4eac"}, "the foil cannot be written"),
        ({"templates": {"other": "{subject} is"}}, "no prompt"),
        ({"subject": "[Hu3]"}, "the prompt cannot be written"),
        (
            {"subject": "Fran", "templates": {"first": "The capital of {subject}ce is"}},
            "the subject is not in the prompt",
        ),
        ({}, "the prompt of another fact"),
        ({"templates": {"first": "so " * 40 + "{subject} is"}}, "too long for the model"),
    ],
)
def test_what_the_model_cannot_be_asked_is_left_out(change: dict[str, Any], reason: str, embedded: Vocabulary) -> None:
    facts = [FRANCE, replace(FRANCE, id="2", **change), replace(FRANCE, id="3", answer="London")]
    made = writable(Reader(embedded, Context(40)), facts, "first")
    assert [fact.id for fact in made.facts] == [prompt.fact_id for prompt in made.prompts] == ["1", "3"]
    assert made.left_out.by_reason == {reason: ("2",)}
    assert str(made).startswith("2 of 3 facts are prompts\nleft out  reason")


def test_the_context_holds_the_prompt_and_all_of_its_answer_but_the_last_token(spirit: Vocabulary) -> None:
    (prompt,) = writable(spirit, [FRANCE]).prompts
    needed = len(prompt) + max(len(prompt.answer_ids), len(prompt.foil_ids)) - 1
    assert len(writable(Reader(spirit, Context(needed)), [FRANCE]).prompts) == 1
    assert writable(Reader(spirit, Context(needed - 1)), [FRANCE]).left_out.counts == {"too long for the model": 1}


def test_a_fact_without_a_subject_is_a_prompt_without(spirit: Vocabulary) -> None:
    asked = replace(FRANCE, subject="", templates={"first": "Where is the capital?"})
    made = writable(spirit, [asked, replace(asked, id="2")])
    assert [len(prompt.subject) for prompt in made.prompts] == [0, 0]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lens": 5}, "lens=5"),
        ({"facts": []}, "facts is empty"),
        ({"phrasing": " "}, "phrasing is empty"),
        ({"marker": "first"}, "marker='first': expected one of none, final"),
    ],
)
def test_other_values_are_refused(given: dict[str, Any], message: str, spirit: Vocabulary) -> None:
    values = {"lens": spirit, "facts": [FRANCE], **given}
    with pytest.raises(ValueError, match=message):
        sl.prompts.writable(**values)


def test_aliases_are_kept_in_a_parquet_file(spirit: Vocabulary, tmp_path: Path) -> None:
    facts = [FRANCE, replace(FRANCE, id="2", answer="London", aliases=())]
    prompts = writable(spirit, facts).prompts
    pd.DataFrame([prompt.to_dict() for prompt in prompts]).to_parquet(tmp_path / "prompts.parquet")
    again = [Prompt.from_dict(row) for _, row in pd.read_parquet(tmp_path / "prompts.parquet").iterrows()]
    assert [prompt.aliases for prompt in again] == [("the City of Light",), ()]
    assert again == list(prompts)
