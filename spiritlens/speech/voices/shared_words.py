"""Words that an engine runs together, separated by their phones.

espeak-ng gives "in the" one word event. Each word is spoken alone, and the phones of the shared interval are cut where
the parts are nearest (least edit distance, a phone of the same broad class counting half) to the words' own phones; the
interval is cut at the start of the phone that follows. The cut is as exact as the engine's phones are.
"""

import itertools
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from spiritlens.speech.engines.phones import PAUSE, Phone
from spiritlens.speech.engines.utterance import Utterance, Voice
from spiritlens.speech.words import WordInterval, interval_groups

BROAD_CLASSES = (
    "aa ae ah ao aw ax ay eh er ey ih iy ow oy uh uw",
    "b d g p t k dh",
    "ch jh s sh z zh f th v hh",
    "m n ng",
    "l r w y",
)
CLASS_OF = {phone: index for index, phones in enumerate(BROAD_CLASSES) for phone in phones.split()}


def split_shared_words(utterance: Utterance, voice: Voice) -> Utterance:
    """The utterance with an interval of its own for each word; `voice` is the one that spoke it."""
    words = list(utterance.words)
    for group in interval_groups(utterance.words):
        if len(group) > 1:
            interval = words[group[0]]
            inside = [phone for phone in utterance.phones if interval.start - 1e-9 <= phone.start < interval.end - 1e-9]
            alone = [_labels(voice.speak(words[index].word).phones) for index in group]
            edges = [interval.start, *_cuts(inside, alone), interval.end]
            for index, (start, end) in zip(group, itertools.pairwise(edges), strict=True):
                words[index] = WordInterval(words[index].word, start, end)
    return replace(utterance, words=tuple(words))


def words_apart(utterance: Utterance, voice: Voice) -> Utterance:
    """`split_shared_words`; words that cannot be separated stay together, and a subject among them is refused later."""
    with suppress(ValueError):
        return split_shared_words(utterance, voice)
    return utterance


def _labels(phones: Sequence[Phone]) -> list[str | None]:
    return [phone.label for phone in phones if phone.label != PAUSE]


def _cuts(phones: list[Phone], alone: list[list[str | None]]) -> list[float]:
    """The starts of the phones with which the second and further words begin."""
    if len(phones) < len(alone):
        raise ValueError(f"{len(phones)} phones cannot be separated into {len(alone)} words; use another voice.")
    labels = [phone.label for phone in phones]
    places = itertools.combinations(range(1, len(phones)), len(alone) - 1)

    def distance(cut: tuple[int, ...]) -> float:
        bounds = itertools.pairwise((0, *cut, len(labels)))
        return sum(edit_distance(labels[start:end], own) for (start, end), own in zip(bounds, alone, strict=True))

    return [phones[place].start for place in min(places, key=distance)]


def edit_distance(one: Sequence[str | None], other: Sequence[str | None]) -> float:
    """Insertions, deletions and substitutions (half within a broad class) that turn one list into the other."""
    row = np.arange(len(other) + 1.0)
    for label in one:
        following = [row[0] + 1]
        for column, own in enumerate(other):
            change = 0.0 if label == own else 0.5 if _same_class(label, own) else 1.0
            following.append(min(row[column] + change, row[column + 1] + 1, following[-1] + 1))
        row = np.array(following)
    return float(row[-1])


def _same_class(label: str | None, other: str | None) -> bool:
    return label in CLASS_OF and other in CLASS_OF and CLASS_OF[label] == CLASS_OF[other]
