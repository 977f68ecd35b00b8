"""What stands beside the findings of one metric: another metric, what was heard, and what limits the claim."""

from collections.abc import Iterator

import numpy as np

from spiritlens.comparison.compared import Compared, Headline
from spiritlens.comparison.conditions import KIND_WORDS, and_listed
from spiritlens.comparison.difference_words import difference
from spiritlens.comparison.equivalence import Judged
from spiritlens.comparison.said import Said, Spot, Stretch, about, joined
from spiritlens.effects.variance import VarianceComponents

LEVELS = {"remainder": "single measurements"}
"""What levels of a source are called, where it is not the source's name with an s."""


def second_metric(comparison: Compared) -> Iterator[Said]:
    """The headline in another metric, and where the two disagree."""
    other = comparison.second
    if other is None:
        return
    totals = Spot("total effects", kind="difference", metric=other.metric)
    if other.closed:
        yield about(f"In the {other.words} nothing is told: {other.closed}.", totals)
        return
    second = KIND_WORDS[comparison.kinds[1]]
    words = f"total effects: {difference(other.total_difference, f'more {second}', f'less {second}')}"
    parts = [(words, Stretch(0, totals))]
    if other.centre is not None:
        words = difference(other.centre, f"layers later {second}", f"layers earlier {second}", "layers")
        spot = Spot("centre", component=other.component, metric=other.metric)
        parts.append((f"the centre of {other.component} at the subject: {words}", Stretch(0, spot)))
    cells = Spot("map", metric=other.metric)
    parts.append((f"{other.n_different} of {other.n_tested} cells differ", Stretch(0, cells)))
    apart = disagreements(comparison, other)
    end = f"; the two metrics disagree about {and_listed(apart)}" if apart else ""
    yield joined(f"In the {other.words} the same is: ", parts, f"{end}.")


def disagreements(comparison: Compared, other: Headline) -> list[str]:
    """Of what one metric tells a difference, and the other none, or the opposite."""
    names = ["total effects", "cells"]
    own = [_side(comparison.total_judged), int(comparison.n_different > 0)]
    their = [_side(other.total_difference), int(other.n_different > 0)]
    if other.centre is not None:
        names.append("the centre")
        own.append(_side(comparison[other.component].judged["centre_shift"]))
        their.append(_side(other.centre))
    return [name for name, one, two in zip(names, own, their, strict=True) if one != two]


def _side(judged: Judged) -> int:
    return int(np.sign(judged.value)) if judged.verdict == "different" else 0


def heard(comparison: Compared) -> Iterator[str]:
    """How the difference goes with errors of a recogniser, where one was asked."""
    found = comparison.heard
    if found is None or np.isnan(found.slope.value):
        return
    adjusted = (
        ""
        if np.isnan(found.at_zero.value)
        else f"; with every word heard right the difference would be {found.at_zero}"
    )
    sure = "" if found.slope.excludes_zero else ", which is not told from 0"
    yield (
        f"One error per word more, as a recogniser hears the prompts, goes with a difference of total effects of "
        f"{found.slope}{sure}{adjusted} ({found.n_facts} facts)."
    )


def limits(comparison: Compared) -> Iterator[str]:
    """What each modality's mean is most uncertain for."""
    for kind, found in zip(comparison.kinds, comparison.limited_by, strict=True):
        if found is not None and found.limiting:
            yield _limit(found, KIND_WORDS[kind])


def _limit(found: VarianceComponents, where: str) -> str:
    """What the mean varies with most. Sources with the same levels are one: which of them it is cannot be told."""
    one = found[found.limiting.split(" = ")[0]]
    names = [LEVELS.get(name, f"{name}s") for name in one.source.split(" = ")]
    alike = f", which cannot be told apart from {and_listed(names[1:])} here" if len(names) > 1 else ""
    more = f"; {one.more:.0f} more would halve its interval" if np.isfinite(one.more) else ""
    return (
        f"The mean total effect {where} is uncertain most of all because {names[0]} differ "
        f"({100 * one.share_of_mean:.0f} % of its variance, {one.n_levels} {names[0]}{alike}{more})."
    )
