"""Roles: what a token is to the fact, in words that hold for writing and for speech alike.

A written prompt has a handful of text pieces, a spoken one tens of units; maps of the two are laid over each other by
role. Every token has exactly one role, in this order of reading:

- ``bos``: the beginning-of-sequence token;
- ``modality marker``: ``[Text]`` or ``[Speech]`` before or between segments, and the blank piece that some tokenizers
  put between the beginning and a first marker;
- ``before subject``, ``subject``, ``after subject``: the tokens of the words (and of the silence) before, in and after it;
  a pause inside the subject belongs to the subject;
- ``last word``: the tokens of the last word, where it is not the subject's;
- ``final marker``: a marker that ends the prompt, where the answer is read. A written prompt without one is read at its
  last word, which is why the marker is a role of its own.

Silence and punctuation have no word; they take the role of their place. *Part* is the place of a token inside the
subject, text pieces and units alike: ``first``, ``middle`` or ``last``; a single token is ``last``; outside ``none``.
"""

from collections.abc import Sequence
from typing import Literal, get_args

Role = Literal["bos", "modality marker", "before subject", "subject", "after subject", "last word", "final marker"]
Part = Literal["first", "middle", "last", "none"]
ROLES: tuple[Role, ...] = get_args(Role)
PARTS: tuple[Part, ...] = get_args(Part)


def token_roles(
    families: Sequence[str], word_index: Sequence[int], subject: Sequence[int], n_words: int
) -> tuple[Role, ...]:
    """The role of each token.

    ``families`` [pos] are token families (bos, marker, text, …), ``word_index`` [pos] the word of each token (-1: none),
    ``subject`` the subject's positions, sorted.
    """
    if len(families) != len(word_index):
        raise ValueError(f"{len(families)} families and {len(word_index)} word indices: give one of each per token")
    if not subject:
        raise ValueError("the subject has no positions; roles are told relative to it")
    first, last, end = subject[0], subject[-1], len(families) - 1
    families = list(families)
    last_word = max((index for index in word_index if index >= 0), default=n_words - 1)

    def role(position: int) -> Role:
        family = families[position]
        if family == "bos":
            return "bos"
        if family == "marker":
            return "final marker" if position == end and position > last else "modality marker"
        if (
            position < first
            and families[position + 1] == "marker"
            and families[position - 1 : position] in (["bos"], [])
        ):
            return "modality marker"
        if position in members:
            return "subject"
        if word_index[position] == last_word:
            return "last word"
        return "before subject" if position < first else "after subject"

    members = set(subject)
    return tuple(role(position) for position in range(len(families)))


def token_parts(n_tokens: int, subject: Sequence[int]) -> tuple[Part, ...]:
    """The part of each token: first, middle or last inside the subject (one token alone is last), none outside."""
    parts: list[Part] = ["none"] * n_tokens
    for order, position in enumerate(subject):
        parts[position] = "last" if order == len(subject) - 1 else "first" if order == 0 else "middle"
    return tuple(parts)
