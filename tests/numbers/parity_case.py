"""What a row of the parity table is given: one set of random weights on a lens and in plain hooks, and prompts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from plain_passes import PlainModel
from random_llamas import random_checkpoint

import spiritlens as sl
from spiritlens.models import backends
from spiritlens.models.checkpoints.llama import architecture
from spiritlens.models.checkpoints.reference import hold_float64
from spiritlens.prompts.prompt import Prompt

Cells: TypeAlias = Mapping[tuple[object, ...], object]
ARCHITECTURES = {"llama": False, "qwen2": True}
"""With grouped-query attention; Qwen 2 has biases."""
QUIET: dict[str, Any] = {"progress": "none"}
METRICS = ("logit_difference", "probability")
SCORED: dict[str, Any] = {"metrics": METRICS, **QUIET}
NODE = ("component", "layer", "role")


@dataclass(frozen=True, eq=False)
class Case:
    """A lens, the same weights in plain hooks, and a written and a spoken prompt, each with another like it."""

    lens: sl.Lens
    plain: PlainModel
    prompts: tuple[tuple[Prompt, Prompt], ...]


@dataclass(frozen=True)
class Row:
    """A public method, called in one of its ways, and its slow twin: both of a case, a prompt and another.

    `axes` are the labels of a cell; none where the call gives a dict by labels. `places` are those of the prompts.
    """

    method: str
    way: str
    axes: tuple[str, ...]
    call: Callable[[Case, Prompt, Prompt], Any]
    twin: Callable[[PlainModel, Prompt, Prompt], Cells]
    places: tuple[int, ...] = (0, 1)

    @property
    def name(self) -> str:
        return f"{self.method}, {self.way}" if self.way else self.method


@lru_cache
def circuit() -> Any:
    """The planted fact machine, for its vocabulary and prompts."""
    return sl.planted("fact machine")


@lru_cache
def references() -> tuple[Prompt, ...]:
    """Written and spoken prompts about other subjects than those of the cases."""
    machine = circuit()
    return tuple(build(subject) for build in (machine.text, machine.speech) for subject in machine.subjects[2:5])


def partner(prompt: Prompt) -> Prompt:
    """The same fact in the other modality."""
    return (circuit().speech if prompt.kind == "T2T" else circuit().text)(prompt.subject.name)


def ids_of(modality: str) -> Sequence[int]:
    """Ids of trained rows: units at speech, text pieces at all else."""
    vocabulary = circuit().lens.vocabulary
    return list(vocabulary.unit_ids) if modality == "speech" else vocabulary.text_ids.tolist()


@lru_cache
def plain_model(kind: str) -> PlainModel:
    weights, config = _checkpoint(kind)
    llama = architecture(config.model_type).model(config).double()
    llama.load_state_dict(weights)
    return PlainModel(hold_float64(llama.eval().requires_grad_(False)))


@lru_cache
def case(kind: str, backend: Any) -> Case:
    weights, config = _checkpoint(kind)
    model = backends.maker(backend).converted(weights, config)
    machine = circuit()
    prompts = machine.text(machine.subjects[0]), machine.speech(machine.subjects[1])
    lens = sl.Lens(model=model, vocabulary=machine.lens.vocabulary, name=kind)
    return Case(lens, plain_model(kind), tuple((prompt, machine.counterfactual(prompt)) for prompt in prompts))


def _checkpoint(kind: str) -> Any:
    return random_checkpoint(n_kv_heads=2, d_vocab=circuit().lens.vocabulary.size, biased=ARCHITECTURES[kind])
