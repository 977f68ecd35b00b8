"""Named spans: every name of the table, through the one entrance `prompt.span`, and the rule of absence."""

import re

import pytest

from spiritlens.prompts import spans
from spiritlens.prompts.spans import find_span
from spiritlens.terms import ROLES
from tests.analysis.tracing_lens import spoken_prompt, text_prompt

WORDS = (2, 3, 6, 7)
WRITTEN = [
    ("all", tuple(range(8))),
    ("all but the beginning", tuple(range(1, 8))),
    ("bos", (0,)),
    ("subject", (4, 5)),
    ("subject first", (4,)),
    ("subject middle", None),
    ("subject last", (5,)),
    ("relation", WORDS),
    ("text", (2, 3, 4, 5, 6, 7)),
    ("speech", None),
    ("last token", (7,)),
    ("final marker", None),
    ("word3", (6,)),
    ("WORD3", (6,)),
    ("position 5", (5,)),
    ("positions 5 6 -1", (5, 6, 7)),
    ("position 9", None),
    ("subject +1", (3, 4, 5, 6)),
    ("subject -1", None),
    ("subject first +1", (3, 4, 5)),
    ("subject middle +1", None),
    ("relation +1", (2, 3, 4, 5, 6, 7)),
    ("relation -1", (3, 6)),
    ("text -1", (3, 4, 5, 6)),
    ("all -1", tuple(range(1, 7))),
    ("speech -1", None),
    ("final marker +1", None),
    ("position 5 +1", (4, 5, 6)),
    ("word3 +1", (5, 6, 7)),
]


@pytest.mark.parametrize(("name", "positions"), WRITTEN)
def test_names_in_a_written_prompt(name: str, positions: tuple[int, ...] | None) -> None:
    """What is absent is None to a grid, and refused by the prompt, which says what it has."""
    prompt = text_prompt()
    found = find_span(prompt, name)
    assert (None if found is None else found.positions) == positions
    if positions is not None:
        assert prompt.span(name) == found
    else:
        with pytest.raises(
            ValueError, match=r"the prompt has no tokens of '.*': use all, .*subject first, subject last"
        ):
            prompt.span(name)


def test_names_in_a_spoken_prompt() -> None:
    prompt = spoken_prompt()
    for name, positions in {
        "speech": range(2, 13),
        "speech -1": range(3, 12),
        "final marker +1": (13,),  # markers belong to no modality, so the span does not grow
        "subject middle": (5, 6),
        "subject -1": (5, 6),
    }.items():
        assert prompt.span(name).positions == tuple(positions), name


def test_unknown_names_are_refused_with_near_ones() -> None:
    for name in ("nowhere", "nowhere +1"):
        with pytest.raises(ValueError, match="no span 'nowhere': use all"):
            find_span(text_prompt(), name)
    for name, near in {"Subject": "subject", "last tokens": "last token", "wrod3": "word3", "postion 3": None}.items():
        with pytest.raises(ValueError, match=f"no span '{name}': " + (f"did you mean '{near}'" if near else "use")):
            text_prompt().span(name)


def test_the_table_names_every_name() -> None:
    """The docstring is what people read: its names are those that a prompt lists, roles being told as one."""
    table = re.findall(r"^``.*(?=  )|^(?:``.*``)", spans.__doc__ or "", re.MULTILINE)
    told = {name for row in table for name in re.findall(r"``([^`]+)``", row)}
    told = told - {"subject first|middle|last"} | {f"subject {part}" for part in ("first", "middle", "last")}
    assert {name for name, positions in WRITTEN if name in spans._fixed(text_prompt())} <= told | set(ROLES)
    assert set(spans._fixed(text_prompt())) - set(ROLES) <= told
