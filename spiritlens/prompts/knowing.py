"""What it means that a model *knows* a fact: one rule as a value, stored with every result that says so.

===============  =======================================================================================================
``exact``        every token of the answer is the likeliest text token after the ones before it (teacher-forced)
``top k``        the answer's first token is among the `k` likeliest text tokens after the prompt
``generated``    the greedy continuation of `tokens` tokens contains the answer or one of its aliases, as whole words
===============  =======================================================================================================

``exact`` is strict, and the default; the two others are what studies call "approximately correct". A lens carries its
rule (`Lens.knowing`); ``dataclasses.replace(lens, knowing=Knowing("top k", k=10))`` asks by another.

A continuation and an answer are compared word by word once both are *normalised*: ``squad`` lowers letters, deletes
punctuation (of all scripts) and the articles a, an, the, as the evaluation of SQuAD does (Rajpurkar et al. 2016, arXiv
1606.05250); ``case`` only lowers letters. An answer of which ``squad`` leaves nothing, such as "The The", is compared
by ``case``.

As a text, in attributes of results, in files and on the command line, a rule is ``exact``, ``top 5``, ``generated 10``
or ``generated 10 case``; `Knowing.read` reads it back.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from spiritlens.arguments import check_choice, shown, whole, written

Rule: TypeAlias = Literal["exact", "top k", "generated"]
Normalisation: TypeAlias = Literal["squad", "case"]
"""squad: lower case, without punctuation and the articles a, an, the; case: lower case."""

ARTICLES = frozenset({"a", "an", "the"})
FORMS = "'exact', 'top 5', 'generated 10' or 'generated 10 case'"


@dataclass(frozen=True)
class Knowing:
    """When a model knows a fact: the rule, and what it is asked with (see the module).

    `k` likeliest tokens are read by "top k"; `tokens` new ones and `normalise` by "generated". What the rule does not
    read is left as it is. Raises ValueError for an unknown rule, a count below 1, and a value that the rule ignores.
    """

    rule: Rule = "exact"
    k: int = 5
    tokens: int = 10
    normalise: Normalisation = "squad"

    def __post_init__(self) -> None:
        check_choice("rule", self.rule, Rule)
        check_choice("normalise", self.normalise, Normalisation)
        object.__setattr__(self, "k", whole("k", self.k, at_least=1))
        object.__setattr__(self, "tokens", whole("tokens", self.tokens, at_least=1))
        for name, rule in (("k", "top k"), ("tokens", "generated"), ("normalise", "generated")):
            value = getattr(self, name)
            if self.rule != rule and value != getattr(type(self), name):
                raise ValueError(f"{name}={value!r}: the rule {self.rule!r} does not read it; it belongs to {rule!r}")

    @classmethod
    def read(cls, text: str) -> "Knowing":
        """The rule of its text, as `str` gives it: ``exact``, ``top 5``, ``generated 10``, ``generated 10 case``.

        Returns the rule. Raises ValueError for a text that is none.
        """
        name, *rest = written("knowing", text).split()
        if (name == "exact" and rest) or name not in ("exact", "top", "generated") or len(rest) > 2:
            raise ValueError(f"knowing={shown(text)}: expected {FORMS}")
        given: dict[str, Any] = {}
        if rest:
            if not rest[0].isdecimal() or (len(rest) == 2 and name == "top"):
                raise ValueError(f"knowing={shown(text)}: expected {FORMS}")
            given["k" if name == "top" else "tokens"] = int(rest[0])
        if len(rest) == 2:
            check_choice("normalise", rest[1], Normalisation)
            given["normalise"] = rest[1]
        return cls("top k" if name == "top" else name, **given)  # type: ignore[arg-type]  # one of the three

    def __str__(self) -> str:
        """The rule as a text, which `read` reads back."""
        if self.rule == "top k":
            return f"top {self.k}"
        if self.rule == "generated":
            return f"generated {self.tokens}{'' if self.normalise == 'squad' else f' {self.normalise}'}"
        return self.rule

    @property
    def words(self) -> str:
        """When a fact is known, as the end of a sentence."""
        if self.rule == "top k":
            which = "likeliest text token" if self.k == 1 else f"{self.k} likeliest text tokens"
            return f"the first token of its answer is among the {which} of the untouched run"
        if self.rule == "generated":
            how = "letter case, punctuation and articles aside" if self.normalise == "squad" else "letter case aside"
            return f"the greedy continuation of {self.tokens} tokens contains its answer or an alias as words, {how}"
        return "its answer is the likeliest text token of the untouched run"


EXACT = Knowing()


def given_knowing(knowing: Any) -> Knowing:
    """A rule; anything else, its name included, is refused."""
    if not isinstance(knowing, Knowing):
        raise ValueError(
            f"knowing={shown(knowing)} ({type(knowing).__name__}): expected a rule, such as "
            "sl.prompts.Knowing('generated', tokens=10)"
        )
    return knowing


def contains_answer(continuation: str, accepted: Iterable[str], normalise: Normalisation = "squad") -> bool:
    """Whether one of the accepted answers stands in a continuation as whole words, both normalised."""
    for answer in accepted:
        rule = normalise if _words(answer, normalise) else "case"
        wanted, found = _words(answer, rule), _words(continuation, rule)
        places = range(len(found) - len(wanted) + 1)
        if wanted and any(found[place : place + len(wanted)] == wanted for place in places):
            return True
    return False


def _words(text: str, normalise: Normalisation) -> list[str]:
    lowered = unicodedata.normalize("NFKC", text).casefold()
    if normalise == "case":
        return lowered.split()
    kept = "".join(letter for letter in lowered if unicodedata.category(letter)[0] != "P")
    return [word for word in kept.split() if word not in ARTICLES]
