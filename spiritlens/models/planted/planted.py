"""Planted circuits with their prompts and their truth: models on which every method must find a known answer.

    p = planted("fact machine")
    p.lens.model                       # a HookedTransformer (or TransformerBridge) of 8 layers and 4 heads
    p.prompts                          # 12 written (T2T) and 12 spoken (S2T) prompts, each with a foil
    p.truth.edges                      # "embed → L1H0.v", "L1H0 → MLP2", "MLP2 → L6H1.v", "L6H1 → logits"
    p.counterfactual(p.prompts[0])     # the same prompt about another subject

The circuits are written in `spiritlens.models.planted.weights`. Subjects are invented names of two pieces (``▁mar
lo``), spoken as six units; answers are colours. Four subjects have no fact: their answer is ``unknown``, and in the two
pairs of heads they are the counterfactuals (a copy then brings nothing, rather than another colour).

Under a swap of the subject all truths hold to 1e-3 in probability. Under Gaussian noise of the default scale the
restored residual stream does too; restoring the fact MLP's output alone leaves noise beside it and recovers most of
the effect.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch

from spiritlens.arguments import told_keywords
from spiritlens.environment import plain_torch
from spiritlens.models.backend_row import BackendName
from spiritlens.models.lens import Lens
from spiritlens.models.planted import weights as circuits
from spiritlens.models.planted.vocabulary import (
    ANSWERS,
    FAMILY,
    FIRST_HALVES,
    FRAMES_PER_UNIT,
    KNOWN,
    TEMPLATES,
    UNITS_PER_HALF,
    UNKNOWN,
    _all_codes,
    _carrier_words,
    _codes,
    _half_units,
    _subject,
    planted_vocabulary,
    token_kinds,
)
from spiritlens.models.planted.weights import CircuitName, build_circuit
from spiritlens.prompts.building.build import build_prompt
from spiritlens.prompts.building.question import Question
from spiritlens.prompts.building.segments import SpeechSegment, TextSegment
from spiritlens.prompts.origin import Origin
from spiritlens.prompts.prompt import Prompt
from spiritlens.speech.units import UnitStream
from spiritlens.speech.words import WordInterval


@dataclass(frozen=True)
class Head:
    """A head by layer and index; ``str`` gives ``L6H1``."""

    layer: int
    head: int

    def __str__(self) -> str:
        return f"L{self.layer}H{self.head}"


@dataclass(frozen=True)
class Truth:
    """What a planted circuit does; layers count from 0, ``fact_layers`` is by modality (``T2T``, ``S2T``).

    ``movers`` write the answer (in a pair: both copy for the MLP of ``gate_layer``); the ``decoy`` attends as they
    do, and nothing reads what it writes. ``rule`` says how movers combine.
    """

    merge: Head
    fact_layers: dict[str, int]
    movers: tuple[Head, ...]
    decoy: Head
    gate_layer: int | None
    rule: Literal["one", "or", "and"]

    @property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """Every direct path that carries the fact, as (sender, receiver) names; no other edge carries any of it."""
        facts = sorted(set(self.fact_layers.values()))
        to_answer = "logits" if self.gate_layer is None else f"MLP{self.gate_layer}"
        edges = [("embed", f"{self.merge}.v")]
        edges += [(str(self.merge), f"MLP{layer}") for layer in facts]
        edges += [(f"MLP{layer}", f"{mover}.v") for layer in facts for mover in (*self.movers, self.decoy)]
        edges += [(str(mover), to_answer) for mover in self.movers]
        return tuple(edges if self.gate_layer is None else [*edges, (to_answer, "logits")])


@dataclass(frozen=True, eq=False)
class Planted:
    """A planted model (``lens``) with prompts about its subjects and the truth about its circuit."""

    name: CircuitName
    lens: Lens
    truth: Truth

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """Subjects with a fact."""
        return tuple(_subject(*codes) for codes in KNOWN)

    @cached_property
    def strangers(self) -> tuple[str, ...]:
        """Subjects without a fact: the model answers ``unknown``."""
        return tuple(_subject(*codes) for codes in _all_codes() if codes not in KNOWN)

    @cached_property
    def prompts(self) -> tuple[Prompt, ...]:
        """One written prompt per known subject, then one spoken prompt each, in the plain phrasing, with a final
        marker."""
        return (
            *(self.text(subject) for subject in self.subjects),
            *(self.speech(subject) for subject in self.subjects),
        )

    def text(self, subject: str, phrasing: str = "plain") -> Prompt:
        """The written prompt about a subject, read at a final ``[Text]`` marker as spoken prompts are."""
        words = _carrier(phrasing).format(subject=subject)
        question = Question(subject, _answer(subject), self._foil(subject))
        segments = [TextSegment(words)]
        return build_prompt(self.lens.vocabulary, segments, question, _origin(subject, phrasing), "final")

    def speech(self, subject: str, phrasing: str = "plain") -> Prompt:
        """The spoken prompt about a subject: carrier words of two to four units, the subject of six."""
        ids: list[int] = []
        words: list[WordInterval] = []
        seconds = FRAMES_PER_UNIT / FAMILY.unit_rate
        for word in _carrier(phrasing).format(subject=subject).split():
            units = _units(word)
            words.append(WordInterval(word, len(ids) * seconds, (len(ids) + len(units)) * seconds))
            ids += units
        stream = UnitStream.from_frames(np.repeat(np.array(ids), FRAMES_PER_UNIT), FAMILY.unit_rate)
        question = Question(subject, _answer(subject), self._foil(subject))
        origin = _origin(subject, phrasing, voice="planted")
        return build_prompt(self.lens.vocabulary, [SpeechSegment(stream, words)], question, origin)

    def counterfactual(self, prompt: Prompt) -> Prompt:
        """The prompt about a subject of the same size that shares no half with it: the foil's, or (pairs) one without
        a fact."""
        subject = self._other(prompt.subject.name)
        build = self.speech if prompt.kind == "S2T" else self.text
        return build(subject, prompt.phrasing or "plain")

    def _other(self, subject: str) -> str:
        first, last = _codes(subject)
        pool = self.subjects if self.truth.rule == "one" else self.strangers
        order = list(_all_codes())
        start = order.index((first, last))
        for first_code, last_code in order[start + 1 :] + order[:start]:
            candidate = _subject(first_code, last_code)
            if candidate in pool and first_code != first and last_code != last:
                return candidate
        raise ValueError(f"no subject differs from {subject!r} in both halves")

    def _foil(self, subject: str) -> str | None:
        foil = _answer(self._other(subject))
        return None if foil == _answer(subject) else foil


@told_keywords
@plain_torch
def planted(
    name: CircuitName = "fact machine", dtype: torch.dtype = torch.float64, *, backend: BackendName | None = None
) -> Planted:
    """A planted circuit by name: ``fact machine``, ``fact machine, speech later``, ``or pair`` or ``and pair``.

    ``backend`` as in `spiritlens.load`. Returns the lens with its prompts and the truth that methods must find.
    Raises ValueError for another name, or a backend that the installed TransformerLens has not.
    """
    vocabulary = planted_vocabulary()
    model = build_circuit(name, token_kinds(vocabulary), dtype, backend)
    lens = Lens(model=model, vocabulary=vocabulary, encoder=None, name=f"planted: {name}")
    late = circuits.LATE_FACT_LAYER if name == "fact machine, speech later" else circuits.FACT_LAYER
    pair = name in ("or pair", "and pair")
    heads = (circuits.MOVER_HEAD, circuits.SECOND_MOVER_HEAD) if pair else (circuits.MOVER_HEAD,)
    truth = Truth(
        merge=Head(circuits.MERGE_LAYER, circuits.MERGE_HEAD),
        fact_layers={"T2T": circuits.FACT_LAYER, "S2T": late},
        movers=tuple(Head(circuits.MOVER_LAYER, head) for head in heads),
        decoy=Head(circuits.MOVER_LAYER, circuits.DECOY_HEAD),
        gate_layer=circuits.GATE_LAYER if pair else None,
        rule="or" if name == "or pair" else "and" if name == "and pair" else "one",
    )
    return Planted(name, lens, truth)


def _origin(subject: str, phrasing: str, voice: str = "") -> Origin:
    return Origin(subject, "colour", phrasing, voice, group="both")


def _answer(subject: str) -> str:
    codes = _codes(subject)
    return ANSWERS[KNOWN[codes]] if codes in KNOWN else UNKNOWN


def _carrier(phrasing: str) -> str:
    if phrasing not in TEMPLATES:
        raise ValueError(f"no phrasing {phrasing!r}; there are {', '.join(TEMPLATES)}")
    return TEMPLATES[phrasing]


def _units(word: str) -> list[int]:
    """The units that speak a word: two halves for a subject, two to four units of their own for a carrier word."""
    words = _carrier_words()
    if word in words:
        start = 2 * len(FIRST_HALVES) * UNITS_PER_HALF + 4 * words.index(word)
        return list(range(start, start + 2 + words.index(word) % 3))
    first, last = _codes(word)
    return _half_units(0, first) + _half_units(1, last)
