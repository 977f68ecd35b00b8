"""One row of a table as a fact, or why it is none."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from spiritlens.arguments import shown, written
from spiritlens.prompts.facts.cells import cell_text, cell_texts, lookup
from spiritlens.prompts.facts.columns import FIRST, Columns
from spiritlens.prompts.facts.fact import Fact, same_text
from spiritlens.prompts.facts.left_out import Refusal
from spiritlens.prompts.facts.templates import template_of

RELATION = "any"
"""The relation of the facts of a set that names none."""

EVERY = ""
"""The key of templates that are those of every relation."""

Templates: TypeAlias = Mapping[str, Mapping[str, str]]
"""Templates by relation and phrasing."""


def given_templates(templates: Any) -> dict[str, dict[str, str]]:
    """Templates by relation and phrasing; those that are given by phrasing alone are of every relation."""
    if templates is None:
        return {}
    form = "{'first': 'The capital of {} is'}, or {relation: {phrasing: template}}"
    if not isinstance(templates, Mapping) or not templates:
        raise ValueError(f"templates={shown(templates)}: expected {form}")
    by_relation = {EVERY: templates} if isinstance(next(iter(templates.values())), str) else templates
    for relation, of_relation in by_relation.items():
        if not isinstance(of_relation, Mapping) or not of_relation:
            raise ValueError(f"templates[{relation!r}]={shown(of_relation)}: expected {form}")
        for phrasing, template in of_relation.items():
            written("name of a phrasing in templates", phrasing)
            written(f"templates: the template {phrasing!r}", template)
    return {relation: dict(of_relation) for relation, of_relation in by_relation.items()}


def fact_of_row(row: Mapping[str, Any], columns: Columns, templates: Templates, place: str) -> Fact | Refusal:
    """The fact of a row; `place` names it where it has no id and no subject."""
    try:
        return _fact(row, columns, templates, place)
    except ValueError as error:
        return Refusal("a value of another kind", str(error))


def _fact(row: Mapping[str, Any], columns: Columns, templates: Templates, place: str) -> Fact | Refusal:
    texts = {
        role: cell_text(columns.of.get(role, role), columns.held(row, role))
        for role in ("id", "subject", "relation", "group")
    }
    foil = "".join(cell_texts(columns.of.get("foil", "foil"), columns.held(row, "foil"))[:1])
    answers = cell_texts(columns.of["answer"], columns.held(row, "answer"))
    aliases = cell_texts(columns.of.get("aliases", "aliases"), columns.held(row, "aliases"))
    relation = texts["relation"] or RELATION
    if "subject" in columns.of and not texts["subject"]:
        return Refusal("no subject", f"the column {columns.of['subject']} is empty")
    if not answers:
        return Refusal("no answer", f"the column {columns.of['answer']} is empty")
    if same_text(foil) in map(same_text, (*answers, *aliases)):
        return Refusal("the foil is an answer", f"the foil equals the answer {foil!r}")
    prompts = _prompts(row, columns, templates, relation)
    if not prompts:
        return Refusal("no prompt", f"neither a text nor a template of the relation {relation!r}")
    subject, found = texts["subject"], dict[str, str]()
    for phrasing, text in prompts.items():
        template = template_of(text, subject)
        if isinstance(template, Refusal):
            return template
        found[phrasing], spelt = template
        if _says(template[0], answers[0]):
            return Refusal("the answer is not asked for at the end", f"{text!r} ends with the answer; leave it out")
        if len(prompts) == 1:
            subject = spelt
    name = texts["id"] or f"{relation}/{'-'.join((texts['subject'] or place).lower().split())}"
    known = {same_text(answers[0])}
    others = tuple(text for text in (*answers[1:], *aliases) if _new(text, known))
    tags = {column: cell_text(column, lookup(row, column)) for column in columns.tags}
    return Fact(name, relation, subject, answers[0], foil, found, texts["group"], others, tags)


def _says(template: str, answer: str) -> bool:
    """Whether a template ends with the answer: a statement, and no prompt for it."""
    end = same_text(template).rstrip(" .!\"'")
    return end.endswith(same_text(answer)) and not end.removesuffix(same_text(answer))[-1:].isalnum()


def _new(text: str, known: set[str]) -> bool:
    """Whether a text is none of those known; it is known from then on."""
    before = len(known)
    known.add(same_text(text))
    return len(known) > before


def _prompts(row: Mapping[str, Any], columns: Columns, templates: Templates, relation: str) -> dict[str, str]:
    """The texts of a row by phrasing: of its columns, and of the templates given for its relation."""
    found: dict[str, str] = {}
    for phrasing, column in columns.prompts.items():
        value = lookup(row, column)
        if phrasing == FIRST and isinstance(value, Mapping):
            found |= {
                str(name): cell_text(f"template {name!r}", text) for name, text in value.items() if text is not None
            }
        else:
            found[phrasing] = cell_text(column, value)
    found |= {**templates.get(EVERY, {}), **templates.get(relation, {})}
    return {phrasing: text for phrasing, text in found.items() if text}
