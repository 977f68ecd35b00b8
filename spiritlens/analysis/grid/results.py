"""What the results of patching have in common: columns about the prompts, and attributes about the model and the
call."""

import json
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

import numpy as np
from torch import Tensor

import spiritlens
from spiritlens.effects.environments import version
from spiritlens.effects.making import heard_coordinates
from spiritlens.effects.schema import HEARD_COLUMNS, LATER_PROMPT_TEXTS, PROMPT_TEXTS
from spiritlens.models.lens import Lens
from spiritlens.prompts.knowing import EXACT, Knowing
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.metrics import Metric
from spiritlens.runs.sweep.sweep import resolved_memory_budget

LIBRARIES = ("torch", "transformer-lens")
"""What runs the model: their versions are written into results."""


COLUMN_OF = {"prompt_id": "id", "modality": "kind", "subject": "subject.name"}
"""What a prompt calls the coordinates that have another name in a result."""


def prompt_columns(prompts: Sequence[Prompt], known: Sequence[bool]) -> dict[str, list[Any]]:
    """The coordinates of the prompt axis that both schemas want, one value per prompt."""
    names = (*PROMPT_TEXTS, *LATER_PROMPT_TEXTS, *HEARD_COLUMNS)
    columns: dict[str, list[Any]] = {
        # lists alone, as a tuple a prompt would have the collector look at all prompts
        name: list(map(attrgetter(COLUMN_OF.get(name, name)), prompts))
        for name in names
    }
    return columns | {"known": [int(flag) for flag in known]}


def heard_columns(prompts: Sequence[Prompt]) -> dict[str, Any]:
    """What a recogniser heard, as coordinates ready for xarray, for results with few columns of prompts."""
    return heard_coordinates({name: [getattr(prompt, name) for prompt in prompts] for name in HEARD_COLUMNS})


def model_attributes(lens: Lens, seed: int, config: Mapping[str, Any]) -> dict[str, str | int | float]:
    """Attributes that say which model was asked, as it is now, and how: the call's settings as JSON, and the memory
    that its batches may take, by which results of some devices differ in their last digits."""
    budget = resolved_memory_budget(lens.backend.device, lens.memory_budget)
    return {
        "spiritlens_version": spiritlens.__version__,
        "libraries": ", ".join(f"{package} {version(package)}" for package in LIBRARIES),
        "model_name": lens.name,
        "model_hash": lens.id,
        "vocabulary": lens.vocabulary.hash,
        "hooks": "; ".join(lens.hooks),
        "dtype": str(lens.backend.dtype).removeprefix("torch."),
        "device": str(lens.backend.device),
        "seed": seed,
        **knowing_attribute(lens.knowing),
        "config_json": json.dumps({**config, "memory_budget": budget}, sort_keys=True),
    }


def knowing_attribute(knowing: Knowing) -> dict[str, str]:
    """The rule by which `known` was found; nothing for ``exact``, which results have by default, so that folders of
    versions that knew no other go on."""
    return {} if knowing == EXACT else {"knowing": str(knowing)}


def metric_settings(metrics: Sequence[Metric]) -> dict[str, Any]:
    """The metrics for the settings of a call: their names, and what tells own ones from others of the same name."""
    own = {
        metric.name: {"code": metric.identity, "sign": metric.sign, "unit": metric.unit, "words": metric.words}
        for metric in metrics
        if metric.identity
    }
    return {"metrics": [metric.name for metric in metrics], **({"own_metrics": own} if own else {})}


def array(values: Tensor) -> np.ndarray[Any, Any]:
    """A tensor as a numpy array; bfloat16 and float16 become float32."""
    plain = values.detach().cpu()
    if plain.is_floating_point() and plain.element_size() < 4:
        plain = plain.float()
    found: np.ndarray[Any, Any] = plain.numpy()
    return found
