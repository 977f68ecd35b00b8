"""Twins: the written word of each spoken word of the same sentence.

Both prompts ask the same in words that may be spelled unlike ("Apollo 11", "Apollo eleven"), so words are aligned as in
a comparison of texts: equal words (capitals and punctuation aside) are twins, and so are the words between two equal
ones, in their order. A spoken word whose sentence is not written there has no twin.
"""

import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from spiritlens.prompts.prompt import Prompt

NONE = -1
"""The place of a twin that there is not."""


def twin_words(spoken: Sequence[str], written: Sequence[str]) -> list[int]:
    """For each spoken word the place of its written twin [spoken], −1 without one."""
    found = [NONE] * len(spoken)
    first, second = ([_bare(word) for word in words] for words in (spoken, written))
    for tag, start, end, there, until in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        if tag in ("equal", "replace"):
            for place in range(start, end):
                found[place] = there + (place - start) * (until - there) // (end - start)
    return found


def twin_prompts(given: Mapping[int, Prompt], rows: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """For each spoken prompt the place of the written one of its fact and phrasing, where there is one.

    ``rows`` are those of the page's table of prompts, with the place of each one's ``fact`` and its ``phrasing``.
    """
    written: dict[tuple[int, str], int] = {}
    for place, prompt in given.items():
        if prompt.kind == "T2T":
            written.setdefault(_asked(rows[place]), place)
    spoken = [place for place, prompt in given.items() if "unit" in prompt.families]
    return {place: written[_asked(rows[place])] for place in spoken if _asked(rows[place]) in written}


def _asked(row: Mapping[str, Any]) -> tuple[int, str]:
    return int(row["fact"]), str(row["phrasing"])


def _bare(word: str) -> str:
    return re.sub(r"\W", "", word.casefold()) or word
