"""Word lists: the words that a corpus speaks and a vocabulary must spell, apart from whole statements."""

from collections.abc import Iterable

from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.shipped import CARRIERS

LIST_OPENING = "write down"


def template_words(facts: Iterable[Fact]) -> list[str]:
    """All lower-case words of the templates, of the carriers and of the word lists' opening."""
    texts = [template.replace("{subject}", " ") for fact in facts for template in fact.templates.values()]
    return sorted({word for text in [*texts, *CARRIERS, LIST_OPENING] for word in text.lower().split()})
