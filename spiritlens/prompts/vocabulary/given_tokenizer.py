"""A vocabulary of a tokenizer that is already open."""

from typing import Any

from spiritlens.arguments import shown
from spiritlens.prompts.vocabulary.families import family_of_strings, given_family
from spiritlens.prompts.vocabulary.family import Family
from spiritlens.prompts.vocabulary.vocabulary import Vocabulary

MOST_PADDING_ROWS = 256
"""More unnamed rows than a padded embedding has: they are units that the tokenizer lacks."""


def vocabulary_of(tokenizer: Any, family: Family | None, rows: int) -> Vocabulary:
    """The vocabulary of a fast tokenizer and an embedding of so many rows; the family is told by its strings."""
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise ValueError(
            f"tokenizer={shown(tokenizer, 40)} ({type(tokenizer).__name__}): expected a fast tokenizer of the "
            "transformers library, such as AutoTokenizer.from_pretrained(folder) gives"
        )
    found = given_family(family) or family_of_strings(tokenizer.get_vocab())
    vocabulary = Vocabulary(tokenizer, found, rows)
    if family is None:
        refuse_unnamed_rows(vocabulary, "the tokenizer")
    return vocabulary


def refuse_unnamed_rows(vocabulary: Vocabulary, where: str) -> None:
    """A tokenizer that leaves many rows unnamed is taken for text-only on demand only."""
    rows, named = vocabulary.size, len(vocabulary.tokenizer)
    if not vocabulary.family.has_speech and rows - named > MOST_PADDING_ROWS:
        raise ValueError(
            f"{where}: the tokenizer names {named} of the {rows} rows of the embedding, and no known family's units. "
            "Use the checkpoint's own tokenizer files, give its Family, or family=TEXT_ONLY to use its text alone"
        )
