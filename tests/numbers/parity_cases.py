"""What every row of the parity table is asked of, and what a row is."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import plain_methods as slow
import xarray as xr
from plain_passes import PlainModel
from random_llamas import random_checkpoint

import spiritlens as sl
from spiritlens.models import backends
from spiritlens.models.checkpoints.llama import architecture
from spiritlens.models.checkpoints.reference import hold_float64
from spiritlens.prompts.prompt import Prompt

BACKENDS = [row.maker.name for row in backends.BACKENDS if row.maker]
ARCHITECTURES = {"llama": False, "qwen2": True}
QUIET: dict[str, Any] = {"progress": "none"}
SCORED: dict[str, Any] = {"metrics": slow.METRICS, **QUIET}
NODE = ("component", "layer", "role")


@dataclass(frozen=True, eq=False)
class Case:
    """A lens, the same weights in plain hooks, and a written and a spoken prompt, each with another like it."""

    lens: sl.Lens
    plain: PlainModel
    prompts: tuple[tuple[Prompt, Prompt], ...]


@dataclass(frozen=True)
class Row:
    """A public call of the method and its slow twin, both of a case, a prompt and another; `axes` are the labels of a
    cell."""

    method: str
    axes: tuple[str, ...]
    call: Callable[[Case, Prompt, Prompt], Any]
    twin: Callable[[PlainModel, Prompt, Prompt], slow.Cells]
    setting: str = ""

    @property
    def name(self) -> str:
        """The method and what is set."""
        return f"{self.method}, {self.setting}" if self.setting else self.method


@lru_cache
def plain_model(kind: str) -> PlainModel:
    weights, config = _checkpoint(kind)
    llama = architecture(config.model_type).model(config).double()
    llama.load_state_dict(weights)
    return PlainModel(hold_float64(llama.eval().requires_grad_(False)))


@lru_cache
def circuit() -> Any:
    return sl.planted("fact machine")


def _checkpoint(kind: str) -> Any:
    return random_checkpoint(n_kv_heads=2, d_vocab=circuit().lens.vocabulary.size, biased=ARCHITECTURES[kind])


@lru_cache
def case(kind: str, backend: Any) -> Case:
    weights, config = _checkpoint(kind)
    model = backends.maker(backend).converted(weights, config)
    machine = circuit()
    prompts = machine.text(machine.subjects[0]), machine.speech(machine.subjects[1])
    lens = sl.Lens(model=model, vocabulary=machine.lens.vocabulary, name=kind)
    return Case(lens, plain_model(kind), tuple((prompt, machine.counterfactual(prompt)) for prompt in prompts))


def restored(effects: xr.Dataset) -> xr.DataArray:
    """What an effects dataset of one prompt restored; a single sample and a single span are no axes."""
    found = effects["restored"].isel(prompt=0)
    single = [axis for axis in ("sample", "span") if axis in found.dims and found.sizes[axis] == 1]
    return found.isel(dict.fromkeys(single, 0), drop=True)


def listed(values: Any) -> dict[tuple[object, ...], float]:
    """Numbers by their places."""
    return {(place,): float(value) for place, value in enumerate(values)}


def same_words(prompt: Prompt) -> Prompt:
    """The prompt about the same subject in the other modality."""
    build = circuit().text if prompt.kind == "S2T" else circuit().speech
    found: Prompt = build(prompt.subject.name)
    return found
