"""A fact with the sound of its row, and rows of one fact that are several voices or phrasings of it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spiritlens.prompts.facts.columns import FIRST
from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.left_out import Refusal
from spiritlens.prompts.facts.sound_rows import SoundColumns


def sounded(fact: Fact, columns: SoundColumns, row: Mapping[str, Any], place: str) -> Fact | Refusal:
    """The fact of a row with the row's sounds; its one text has the name of the phrasing that the row names."""
    try:
        sounds = columns.sounds(row, place)
    except ValueError as error:
        return Refusal("the words do not fit the sound", str(error))
    phrasing, templates = sounds[0].phrasing, dict(fact.templates)
    if phrasing and list(templates) == [FIRST]:
        templates = {phrasing: templates[FIRST]}
    return replace(fact, sounds=sounds, templates=templates)


def joined_sounds(fact: Fact, other: Fact) -> Fact | None:
    """Two facts that are alike but for their sounds and phrasings as one; None for others.

    They are not joined either where a phrasing has two texts, or a voice says a phrasing twice.
    """
    alike = replace(other, sounds=fact.sounds, templates=fact.templates) == fact
    said = {(sound.voice, sound.phrasing) for sound in fact.sounds}
    new = all((sound.voice, sound.phrasing) not in said for sound in other.sounds)
    same = all(fact.templates.get(name, text) == text for name, text in other.templates.items())
    if not (fact.sounds and other.sounds and alike and new and same):
        return None
    return replace(fact, sounds=(*fact.sounds, *other.sounds), templates={**fact.templates, **other.templates})
