"""Facts without their subject: what a model answers to the rest of the prompt is its bias.

"The capital of France is" becomes "The capital of is" (``nothing``) or "The capital of it is" (``it``, and ``its`` for
a possessive). A fact whose answer a model gives to such a prompt is answered by the wording, not by the subject (prompt
bias: Cao et al. 2021, arXiv 2106.09231). `guesses.commonest_answers` is the baseline that needs no model.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from spiritlens.arguments import check_choice
from spiritlens.prompts.facts.fact import Fact, given_facts
from spiritlens.prompts.facts.left_out import LeftOut, LeftOutRow
from spiritlens.prompts.facts.loaded import Facts

Instead = Literal["nothing", "it"]
"""What stands for the subject: nothing at all, or the pronoun."""

PLACE = re.compile(r"\{subject\}(\s?['’]s\b|['’](?=\s))?")
WORDS: dict[Instead, tuple[str, str]] = {"nothing": ("", ""), "it": ("it", "its")}
"""What is written for the subject and for its possessive."""


def without_subject(facts: Iterable[Fact], instead: Instead = "nothing") -> Facts:
    """The facts with their ids, answers and phrasings, but without the subject in their prompts; no sounds.

    A phrasing of which no word is left falls away, and a fact without any is left out. Facts without a subject stay as
    they are. Prompts of one template are alike then, and so may whole facts be.

    Returns them in order, with those left out. Raises ValueError for another `instead` and for what is no fact.
    """
    check_choice("instead", instead, Instead)
    chosen = given_facts(facts)
    made: list[Fact] = []
    left_out: list[LeftOutRow] = []
    for fact in chosen:
        texts = {name: _without(template, instead) for name, template in fact.templates.items()}
        kept = {name: text for name, text in texts.items() if re.search(r"\w", text)}
        if kept:
            made.append(replace(fact, subject="", templates=kept, sounds=()))
        else:
            left_out.append(LeftOutRow(fact.id, "no prompt", f"'{fact.text()}' has no words but the subject's"))
    return Facts(made, "facts without their subject", f"{instead} instead", LeftOut(tuple(left_out)))


def _without(template: str, instead: Instead) -> str:
    """The text without the subject: blanks made one, none before a sign, no sign first, and then a capital."""
    alone, possessive = WORDS[instead]
    text = PLACE.sub(lambda found: possessive if found[1] else alone, template)
    text = re.sub(r"\s+([.,;:!?])", r"\1", " ".join(text.split())).lstrip(" .,;:!?")
    return text[:1].upper() + text[1:]
