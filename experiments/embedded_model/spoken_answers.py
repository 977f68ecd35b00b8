"""Answers in speech: does the model go on from a spoken prompt with the units of the answer?

Facts of spoken statements only have no written answer, so they are asked for in units: after the prompt's units (its
final pause left out) the model's likeliest units are taken one by one, up to a pause or the end. They are compared,
by edit distance divided by the longer length, with the units of every answer of the relation, spoken alone by the
same voice. The fact is recalled if its own answer is the nearest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from spiritlens.prompts.facts.fact import Fact

PAUSE = 0
LONGEST = 24  # units


@dataclass(frozen=True)
class SpeechIds:
    """Token ids that a spoken prompt and its spoken answer need; unit u is `first_unit` + u."""

    bos: int
    eos: int
    speech_marker: int
    first_unit: int
    n_units: int


def without_pauses(units: Sequence[int]) -> list[int]:
    """The units with the pauses at both ends left out."""
    kept = list(units)
    while kept and kept[-1] == PAUSE:
        kept.pop()
    while kept and kept[0] == PAUSE:
        kept.pop(0)
    return kept


def distance(first: Sequence[int], second: Sequence[int]) -> float:
    """Edit distance divided by the longer length."""
    previous = np.arange(len(second) + 1)
    for row, unit in enumerate(first, start=1):
        current = np.empty_like(previous)
        current[0] = row
        for column, other in enumerate(second, start=1):
            replaced = previous[column - 1] + (unit != other)
            current[column] = min(replaced, previous[column] + 1, current[column - 1] + 1)
        previous = current
    return float(previous[-1]) / max(len(first), len(second), 1)


@torch.inference_mode()
def continued(model: Any, ids: SpeechIds, units: Sequence[int]) -> list[int]:
    """The likeliest units after a spoken prompt, up to a pause or the end of the document."""
    first = ids.first_unit
    tokens = [ids.bos, ids.speech_marker, *(first + unit for unit in units)]
    if units and units[-1] == PAUSE:
        tokens.pop()
    allowed = torch.tensor([ids.eos, *range(first, first + ids.n_units)])
    answer: list[int] = []
    while len(answer) < LONGEST:
        logits = model(torch.tensor([tokens])).logits[0, -1]
        best = int(allowed[logits[allowed].argmax()])
        if best == ids.eos or best - first == PAUSE:
            break
        answer.append(best - first)
        tokens.append(best)
    return answer


def recalled_in_speech(
    model: Any,
    ids: SpeechIds,
    facts: Sequence[Fact],
    prompts: Sequence[Sequence[int]],
    spoken: Mapping[str, Mapping[str, list[int]]],
) -> list[bool]:
    """For each fact: is its answer the nearest to what the model says? `spoken`: units by relation and answer."""
    recalled = []
    for fact, units in zip(facts, prompts, strict=True):
        said = continued(model, ids, units)
        own = spoken[fact.relation]
        nearest = min(sorted(own), key=lambda answer: distance(said, without_pauses(own[answer])))
        recalled.append(nearest == fact.answer)
    return recalled


def by_relation(facts: Sequence[Fact], spoken: Mapping[str, list[int]]) -> dict[str, dict[str, list[int]]]:
    """The units of every answer of each relation; `spoken`: units by answer."""
    found: dict[str, dict[str, list[int]]] = {}
    for fact in facts:
        found.setdefault(fact.relation, {})[fact.answer] = spoken[fact.answer]
    return found
