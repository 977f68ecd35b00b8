"""Word lists: the words that a corpus speaks and a vocabulary must spell, apart from whole statements; and what is said
of names."""

from collections.abc import Iterable
from itertools import pairwise

from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.shipped import CARRIERS

LIST_OPENING = "write down"


def template_words(facts: Iterable[Fact]) -> list[str]:
    """All lower-case words of the templates, of the carriers and of the word lists' opening."""
    texts = [template.replace("{subject}", " ") for fact in facts for template in fact.templates.values()]
    return sorted({word for text in [*texts, *CARRIERS, LIST_OPENING] for word in text.lower().split()})


def sayings(facts: Iterable[Fact]) -> dict[str, tuple[tuple[str, str], ...]]:
    """What is true of each subject's name as a word: the text before it and after it.

    The last name is followed by the first.
    """
    ordered = sorted({fact.subject.lower() for fact in facts})
    return {
        name: (
            ("", f"begins with {name[0]}"),
            ("", f"ends with {name[-1]}"),
            ("", f"comes before {following}"),
            ("the name after", f"is {following}"),
        )
        for name, following in pairwise([*ordered, ordered[0]])
    }
