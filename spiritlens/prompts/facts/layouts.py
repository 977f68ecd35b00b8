"""The layouts in which sets of facts are published, how each is recognised, and which column holds what.

A layout is recognised by columns that it has and others have not; the first that fits counts. ``outer.inner`` is a
field of a struct. Sources: ROME's ``known_1000.json`` and CounterFact (Meng et al. 2022), the flat CounterFact of
``NeelNanda/counterfact-tracing``, LAMA (Petroni et al. 2019) and PrISM (Saynova et al. 2024), which keeps its columns,
PopQA (Mallen et al. 2023). A set in no known layout is read by the usual names of columns, or by those that its user
names; `USUAL` is the last of the layouts and the one that asks for least.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["id", "subject", "answer", "aliases", "foil", "relation", "group", "prompt"]
"""What a column may be to a fact. ``prompt``: the text that is asked, or a template of it, as a cloze or a question."""
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True)
class Layout:
    """A layout: its name, the columns by which it is recognised, and for each role the columns to look in, in order.

    A role of no columns is one that the layout has not, and that need not be named.
    """

    name: str
    has: tuple[str, ...]
    columns: Mapping[Role, tuple[str, ...]]


OWN = Layout(
    "facts file of this toolkit",
    ("relation", "subject", "answer", "foil", "group", "templates"),
    {
        "relation": ("relation",),
        "subject": ("subject",),
        "answer": ("answer",),
        "aliases": ("aliases",),
        "foil": ("foil",),
        "group": ("group",),
        "prompt": ("templates",),
    },
)

KNOWN_1000 = Layout(
    "ROME's known_1000",
    ("known_id", "subject", "attribute", "prompt"),
    {  # its `template` lacks the last words of some prompts, so the prompt counts
        "id": ("known_id",),
        "subject": ("subject",),
        "answer": ("attribute",),
        "relation": ("relation_id",),
        "prompt": ("prompt",),
    },
)

NESTED_COUNTERFACT = Layout(
    "CounterFact, nested",
    ("requested_rewrite.prompt", "requested_rewrite.subject", "requested_rewrite.target_true"),
    {
        "id": ("case_id",),
        "subject": ("requested_rewrite.subject",),
        "answer": ("requested_rewrite.target_true",),
        "foil": ("requested_rewrite.target_new",),
        "relation": ("requested_rewrite.relation_id",),
        "prompt": ("requested_rewrite.prompt",),
    },
)

FLAT_COUNTERFACT = Layout(
    "CounterFact, flat",
    ("subject", "prompt", "target_true", "target_false"),
    {
        "id": ("case_id",),
        "subject": ("subject",),
        "answer": ("target_true",),
        "foil": ("target_false",),
        "relation": ("relation_id", "relation"),
        "prompt": ("prompt",),
    },
)

LAMA = Layout(
    "LAMA or PrISM",
    ("sub_label", "obj_label", "predicate_id"),
    {
        "id": ("uuid", "id"),
        "subject": ("sub_label",),
        "answer": ("obj_label", "answers"),
        "aliases": ("answers",),
        "relation": ("predicate_id",),
        "prompt": ("template", "prompt"),
    },
)

POP_QA = Layout(
    "PopQA",
    ("subj", "obj", "question", "possible_answers"),
    {
        "id": ("id",),
        "subject": ("subj",),
        "answer": ("obj", "possible_answers"),
        "aliases": ("possible_answers",),
        "relation": ("prop",),
        "prompt": ("question",),
    },
)

TRIPLES = Layout(
    "slamkit's triples",
    ("mutual", "correct", "incorrect"),
    {
        "id": ("name",),
        "subject": (),
        "answer": ("correct",),
        "foil": ("incorrect",),
        "relation": ("part",),
        "prompt": ("mutual",),
    },
)

USUAL = Layout(
    "table read by its columns' names",
    (),
    {
        "id": ("fact_id", "id", "question_id", "uid", "uuid"),
        "subject": ("subject", "subj", "sub_label"),
        "answer": ("answer", "answers", "object", "obj", "obj_label", "attribute", "target", "target_true"),
        "aliases": ("aliases", "answer_aliases", "possible_answers", "answers"),
        "foil": ("foil", "target_false", "false_answer"),
        "relation": ("relation", "relation_id", "predicate_id", "predicate", "prop", "prop_id"),
        "group": ("group",),
        "prompt": ("prompt", "template", "templates", "question", "text"),
    },
)

LAYOUTS = (OWN, KNOWN_1000, NESTED_COUNTERFACT, FLAT_COUNTERFACT, LAMA, POP_QA, TRIPLES, USUAL)
"""The layouts in the order in which they are tried; the last fits every table."""


def recognised(has: Callable[[str], bool]) -> Layout:
    """The first layout whose columns a table has."""
    return next(layout for layout in LAYOUTS if all(has(column) for column in layout.has))
