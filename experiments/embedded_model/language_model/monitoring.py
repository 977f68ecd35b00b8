"""Accuracy of the language model during training: held-out prompts in writing and in the monitored voices.

A question is a prompt as token ids with the one token that answers it; it is right if that token is the arg-max over
all trained ids. Facts told aloud are also asked for in units (see `spoken_answers`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from experiments.embedded_model.language_model.documents import TokenIds
from experiments.embedded_model.language_model.unit_corpus import EncodedLine
from experiments.embedded_model.settings import DEFAULT_VOICE
from experiments.embedded_model.spoken_answers import SpeechIds, by_relation, recalled_in_speech
from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.shipped import GROUPS, HELD_OUT


@dataclass(frozen=True)
class Question:
    """A prompt, its answer's id, and the fact's group."""

    tokens: tuple[int, ...]
    answer: int
    group: str


def held_out_questions(facts: Sequence[Fact], lines: Iterable[EncodedLine], ids: TokenIds) -> dict[str, list[Question]]:
    """Questions in writing, in writing with a final marker, and in each monitored voice."""
    by_id = {fact.id: fact for fact in facts}
    answers = {fact.id: ids.text(fact.answer)[0] for fact in facts}
    questions: dict[str, list[Question]] = {"T2T": [], "T2T final marker": []}
    for fact in facts:
        written = (ids.bos, ids.text_marker, *ids.text(fact.text(HELD_OUT)))
        questions["T2T"].append(Question(written, answers[fact.id], fact.group))
        questions["T2T final marker"].append(Question((*written, ids.text_marker), answers[fact.id], fact.group))
    for line in lines:
        if line.line.kind == "monitor":
            spoken = (ids.bos, ids.speech_marker, *ids.units(line.units()), ids.text_marker)
            fact = by_id[line.line.fact]
            questions.setdefault(f"S2T {line.line.voice}", []).append(Question(spoken, answers[fact.id], fact.group))
    return questions


@dataclass(frozen=True)
class SpokenQuestions:
    """Facts told aloud, in the default voice: units of their prompts, and of each relation's answers spoken alone."""

    facts: tuple[Fact, ...]
    prompts: tuple[list[int], ...]
    answers: dict[str, dict[str, list[int]]]
    ids: SpeechIds


@dataclass(frozen=True)
class Watched:
    """All that is asked during training: questions by kind, and those that are answered in units."""

    questions: dict[str, list[Question]]
    spoken: SpokenQuestions


def watched(facts: Sequence[Fact], lines: Sequence[EncodedLine], ids: TokenIds) -> Watched:
    """The questions of these facts; `lines`: the encoded corpus."""
    return Watched(held_out_questions(facts, lines, ids), held_out_spoken_questions(facts, lines, ids))


def recall(model: Any, asked: Watched) -> dict[str, dict[str, float]]:
    """Share of right answers per kind of prompt and group; kind ``S2S``: in units."""
    in_units = accuracies_in_units(model, asked.spoken)
    return accuracies(model, asked.questions) | ({f"S2S {DEFAULT_VOICE}": in_units} if in_units else {})


def held_out_spoken_questions(facts: Sequence[Fact], lines: Iterable[EncodedLine], ids: TokenIds) -> SpokenQuestions:
    """Every fact of *heard only*, every fourth of *both*, in so far as the default voice spoke its prompt."""
    measured = [line for line in lines if line.line.voice == DEFAULT_VOICE]
    units = {line.line.fact: line.units().tolist() for line in measured if line.line.kind == "monitor"}
    spoken = {line.line.text: line.units().tolist() for line in measured if line.line.kind == "answer"}
    asked = {group: [fact for fact in facts if fact.group == group and fact.id in units] for group in GROUPS}
    told = (*asked["heard only"], *asked["both"][::4])
    answers = by_relation(facts, {fact.answer: spoken[fact.answer.lower()] for fact in facts}) if told else {}
    prompts = tuple(units[fact.id] for fact in told)
    return SpokenQuestions(
        told, prompts, answers, SpeechIds(ids.bos, ids.eos, ids.speech_marker, ids.first_unit, ids.n_units)
    )


def accuracies_in_units(model: Any, questions: SpokenQuestions) -> dict[str, float]:
    """Share of the facts of each group whose answer is the nearest to what the model says."""
    model.eval()
    hits = recalled_in_speech(model, questions.ids, questions.facts, questions.prompts, questions.answers)
    model.train()
    right: dict[str, list[bool]] = {}
    for fact, hit in zip(questions.facts, hits, strict=True):
        right.setdefault(fact.group, []).append(hit)
    return {group: round(sum(own) / len(own), 3) for group, own in sorted(right.items())}


@torch.no_grad()
def accuracies(model: Any, questions: dict[str, list[Question]], batch: int = 64) -> dict[str, dict[str, float]]:
    """Share of right answers per kind of prompt and group."""
    model.eval()
    result: dict[str, dict[str, float]] = {}
    for name, asked in questions.items():
        right: dict[str, list[bool]] = {}
        for start in range(0, len(asked), batch):
            chosen = sorted(asked, key=lambda question: len(question.tokens))[start : start + batch]
            for question, logits in zip(
                chosen, last_logits(model, [question.tokens for question in chosen]), strict=True
            ):
                right.setdefault(question.group, []).append(int(logits.argmax()) == question.answer)
        result[name] = {group: round(sum(hits) / len(hits), 3) for group, hits in sorted(right.items())}
    model.train()
    return result


def last_logits(model: Any, prompts: Sequence[Sequence[int]]) -> Tensor:
    """Logits after the last token of each prompt: [prompt d_vocab]; right padding never reaches back."""
    tokens = torch.zeros(len(prompts), max(map(len, prompts)), dtype=torch.long)
    for row, prompt in zip(tokens, prompts, strict=True):
        row[: len(prompt)] = torch.tensor(prompt)
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.model(tokens).last_hidden_state
    last = torch.tensor([len(prompt) - 1 for prompt in prompts])
    return model.lm_head(hidden[torch.arange(len(prompts)), last].float())
