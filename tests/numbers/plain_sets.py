"""The interchange of heads written out: restored, removed, ranked on one half of the facts, kept on the other.

The halves are those that the package draws of the facts, before any model runs.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from plain_methods import Cells, measured_each, recorded, taken, zeroed
from plain_passes import Edit, Edits, PlainModel, Point
from torch import Tensor

from spiritlens.analysis.interchange.halves import halves
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.subject_key import subject_key

RANKINGS = ("T2T", "S2T", "T2T reversed", "S2T reversed")


def removing(plain: PlainModel, prompt: Prompt, heads: Sequence[tuple[int, int]]) -> Edits:
    """Heads zeroed at every token but the first."""
    edits: dict[Point, Edit] = {}
    for layer in {layer for layer, _ in heads}:
        of_layer = [head for other, head in heads if other == layer]

        def edit(value: Tensor, of_layer: list[int] = of_layer) -> Tensor:
            changed = value.clone()
            changed[:, 1:, of_layer] = 0
            return changed

        edits["z", layer] = edit
    return edits


@lru_cache
def kept(plain: PlainModel, machine: Any, n_kept: int) -> Cells:
    """The logit difference with none, `n_kept` and all heads of each ranking kept, by prompt, ranking and size."""
    facts = machine.subjects[:4]
    prompts = [build(subject) for build in (machine.text, machine.speech) for subject in facts]
    heads = [(layer, head) for layer in range(plain.n_layers) for head in range(plain.n_heads)]
    half = halves(prompts, 0)
    folds = [half[subject_key(prompt)] for prompt in prompts]
    shares = np.stack([_effects(plain, prompt, heads) for prompt in prompts])  # [prompt (restored, removed) head + 1]
    found = Cells()
    for fold, prompt in zip(folds, prompts, strict=True):
        cells: dict[Any, Edits] = {}
        for kind in ("T2T", "S2T"):
            chosen = [other.kind == kind and place != fold for other, place in zip(prompts, folds, strict=True)]
            sums = shares[chosen].sum(0)
            scores = (sums[:, :-1] / np.abs(sums[:, -1:])).max(0)
            order = sorted(range(len(heads)), key=lambda part: -round(scores[part], 9))
            for name, ranking in ((kind, order), (f"{kind} reversed", order[::-1])):
                for size in (0, n_kept, len(heads)):
                    cells[prompt.id, name, size] = removing(plain, prompt, [heads[part] for part in ranking[size:]])
        each = measured_each(plain, prompt, prompt.tokens, cells)
        found |= {labels: np.ravel(value)[0] for labels, value in each.items()}
    return found


def _effects(plain: PlainModel, prompt: Prompt, heads: Sequence[tuple[int, int]]) -> np.ndarray:
    """What each head gives back in the run without the subject, and takes away where it is removed; last, the whole."""
    values, rest = recorded(plain, prompt), list(range(1, len(prompt)))

    cells: dict[object, Edits] = {
        "clean": {},
        "corrupted": zeroed(prompt),
        "empty": removing(plain, prompt, heads),
        **{
            ("restored", layer, head): {**zeroed(prompt), ("z", layer): taken(values["z", layer], "z", rest, head)}
            for layer, head in heads
        },
        **{("removed", *head): removing(plain, prompt, [head]) for head in heads},
    }
    found = {
        name: float(np.ravel(value)[0]) for name, value in measured_each(plain, prompt, prompt.tokens, cells).items()
    }
    restored = [found["restored", *head] - found["corrupted"] for head in heads]
    removed = [found["clean"] - found["removed", *head] for head in heads]
    return np.array([[*restored, found["clean"] - found["corrupted"]], [*removed, found["clean"] - found["empty"]]])
