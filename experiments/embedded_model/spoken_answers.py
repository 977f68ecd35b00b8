"""Answers in speech: does the model go on from a spoken prompt with the units of the answer?

Facts of spoken statements only have no written answer, so they are asked for in units: after the prompt's units (its
final pause left out) the model's likeliest units are taken one by one, up to a pause or the end. They are compared,
by edit distance divided by the longer length, with the units of every answer of the relation, spoken alone by the
same voice. The fact is recalled if its own answer is the nearest.
"""

from collections.abc import Sequence

import numpy as np
import torch
from transformers import LlamaForCausalLM

from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.vocabulary.vocabulary import Vocabulary

PAUSE = 0
LONGEST = 24  # units


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
def continued(model: LlamaForCausalLM, vocabulary: Vocabulary, units: Sequence[int]) -> list[int]:
    """The likeliest units after a spoken prompt, up to a pause or the end of the document."""
    first = vocabulary.unit_ids[0]
    tokens = [vocabulary.bos_id, vocabulary.speech_marker_id, *(first + unit for unit in units)]
    if units and units[-1] == PAUSE:
        tokens.pop()
    allowed = torch.tensor([vocabulary.eos_id, *vocabulary.unit_ids])
    answer: list[int] = []
    while len(answer) < LONGEST:
        logits = model(torch.tensor([tokens])).logits[0, -1]
        best = int(allowed[logits[allowed].argmax()])
        if best == vocabulary.eos_id or best - first == PAUSE:
            break
        answer.append(best - first)
        tokens.append(best)
    return answer


def recalled_in_speech(
    model: LlamaForCausalLM,
    vocabulary: Vocabulary,
    facts: Sequence[Fact],
    prompts: Sequence[Sequence[int]],
    spoken: dict[str, list[int]],
) -> list[bool]:
    """For each fact: is its answer the nearest to what the model says? `spoken`: the units of every answer."""
    answers = {relation: {fact.answer for fact in facts if fact.relation == relation} for relation in _relations(facts)}
    recalled = []
    for fact, units in zip(facts, prompts, strict=True):
        said = continued(model, vocabulary, units)
        candidates = sorted(answers[fact.relation])
        nearest = min(candidates, key=lambda answer: distance(said, without_pauses(spoken[answer])))
        recalled.append(nearest == fact.answer)
    return recalled


def _relations(facts: Sequence[Fact]) -> set[str]:
    return {fact.relation for fact in facts}
