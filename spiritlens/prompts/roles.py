"""Roles: what a token is to the fact, in words that hold for writing and for speech alike.

A written prompt has a handful of text pieces, a spoken one tens of units; maps of the two are laid over each other by
role. Every token has exactly one role:

- ``bos``: the beginning-of-sequence token;
- ``modality marker``: ``[Text]`` or ``[Speech]`` before or between segments, the blank piece that some tokenizers put
  between the beginning and a first marker, and the opening of a family's template (``[Human]:``);
- ``before subject``, ``subject``, ``after subject``: the tokens of the words before, in and after it; a pause inside
  the subject belongs to the subject;
- ``last word``: the tokens of the last word, where it is not the subject's;
- ``final marker``: the marker that ends the prompt, where the answer is read, or the end of a family's template. A
  written prompt without one is read at its last word, which is why the marker is a role of its own.

Silence and punctuation have no word; they take the role of their place. Without a subject, all words but the last count
as before it. *Part* is the place of a token inside the subject, text pieces and units alike: ``first``, ``middle`` or
``last``; a single token is ``last``; outside ``none``.
"""

from collections.abc import Sequence

from spiritlens.terms import Part, Role


def token_roles(
    families: Sequence[str], word_index: Sequence[int], subject: Sequence[int], template: Sequence[bool] | None = None
) -> tuple[Role, ...]:
    """The role of each token.

    All [pos]: ``families`` of the tokens (bos, marker, text, …), ``word_index`` the word of each (-1: none),
    ``template`` whether it belongs to what a family writes around the prompt. ``subject`` holds the subject's
    positions, sorted.
    """
    template = [False] * len(families) if template is None else template
    if not len(families) == len(word_index) == len(template):
        raise ValueError(
            f"{len(families)} families, {len(word_index)} word indices and {len(template)} template flags: "
            "give one per token"
        )
    last_word = max(word_index)
    members = set(subject)
    marks = [family == "marker" or of_template for family, of_template in zip(families, template, strict=True)]
    ending = len(marks) - next((n for n, mark in enumerate(reversed(marks)) if not mark), len(marks))

    def role(position: int) -> Role:
        if families[position] == "bos":
            return "bos"
        if marks[position]:
            return "final marker" if position >= ending else "modality marker"
        if position in members:
            return "subject"
        if word_index[position] == last_word >= 0:
            return "last word"
        return "before subject" if not subject or position < subject[0] else "after subject"

    return tuple(role(position) for position in range(len(families)))


def token_parts(n_tokens: int, subject: Sequence[int]) -> tuple[Part, ...]:
    """The part of each token: first, middle or last inside the subject (one token alone is last), none outside."""
    if any(not 0 <= position < n_tokens for position in subject):
        raise ValueError(f"the subject's positions {tuple(subject)} lie outside the {n_tokens} tokens")
    parts: list[Part] = ["none"] * n_tokens
    for order, position in enumerate(subject):
        parts[position] = "last" if order == len(subject) - 1 else "first" if order == 0 else "middle"
    return tuple(parts)
