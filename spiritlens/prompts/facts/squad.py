"""SQuAD's JSON, in which Spoken-SQuAD comes too: articles of paragraphs of questions, as one row a question.

A row has the columns ``id title context question answers`` and whatever else a question has (``is_impossible``).
``answers`` is a list of ``{text, answer_start}``. In Spoken-SQuAD contexts, questions or both are a recogniser's text.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from spiritlens.arguments import shown
from spiritlens.prompts.facts.left_out import Refusal


def is_squad(record: Any) -> bool:
    """Whether a JSON file's value is of this form."""
    articles = record.get("data") if isinstance(record, Mapping) else None
    return isinstance(articles, list) and any(isinstance(one, Mapping) and "paragraphs" in one for one in articles)


def squad_rows(record: Mapping[str, Any]) -> Iterator[Mapping[str, Any] | Refusal]:
    """A row for each question; an article, paragraph or question of another form is a row that cannot be read."""
    for article in record["data"]:
        paragraphs = _list(article, "paragraphs")
        if paragraphs is None:
            yield _unread(article, "article")
            continue
        for paragraph in paragraphs:
            questions = _list(paragraph, "qas")
            if questions is None:
                yield _unread(paragraph, "paragraph")
                continue
            about = {"title": article.get("title"), "context": paragraph.get("context")}
            yield from ({**about, **one} if isinstance(one, Mapping) else _unread(one, "question") for one in questions)


def _list(value: Any, name: str) -> list[Any] | None:
    held = value.get(name) if isinstance(value, Mapping) else None
    return held if isinstance(held, list) else None


def _unread(value: Any, what: str) -> Refusal:
    return Refusal("the row cannot be read", f"{shown(value)} is no {what} of SQuAD's form")
