"""Interchange datasets of plain numbers, for tests of what reads them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.effects.interchange import Rankings, new_interchange, new_sets

ATTRIBUTES: dict[str, str | int | float] = {
    **{"metric": "logit_difference", "metric_sign": 1, "metric_unit": "logits", "metric_words": ""},
    **{"parts": "heads", "removed": "mean"},
}
NAMES = ("T2T", "T2T reversed", "S2T", "S2T reversed", "random 0", "random 1")
SIZES = (0, 1, 2, 4)
CURVES = {
    "T2T": (0, 1, 1, 1),
    "T2T reversed": (0, 0, 0, 1),
    "S2T": (0, 0.5, 1, 1),
    "S2T reversed": (0, 0, 0.25, 1),
    "random 0": (0, 0, 0.5, 1),
    "random 1": (0, 0.5, 1.5, 1),
}
"""Faithfulness of each ranking at these sizes, in both modalities."""


def made_sets(values: Any, **about: Any) -> xr.Dataset:
    """Two or more prompts, T2T and S2T by turns, with values [prompt set]."""
    count = len(values)
    prompts = {
        "prompt_id": [f"p{number}" for number in range(count)],
        "modality": [("T2T", "S2T")[number % 2] for number in range(count)],
        "subject": [f"s{number // 2}" for number in range(count)],
        "fact_id": [f"f{number // 2}" for number in range(count)],
        "known": [1] * count,
    }
    baselines = {"clean": np.ones(count), "empty": np.zeros(count), "noise_floor": np.full(count, 1e-9)}
    sets = [f"set {number}" for number in range(np.shape(values)[1])]
    return new_sets(values, baselines | about, sets, prompts, ATTRIBUTES)


def made_interchange(
    totals: Sequence[float] = (1, 2, 3, 4, 5, 6, 7, 8), noise: float = 0.0, floor: float = 1e-9, seed: int = 0
) -> xr.Dataset:
    """Facts whose recall is these totals above an empty model of −1, in both modalities, with the curves above;
    `noise` is the deviation of each fact's value from its curve, none with all or without any part."""
    draw = np.random.default_rng(seed)
    curves = np.array([CURVES[name] for name in NAMES])
    each = np.repeat(np.asarray(totals, dtype=float), 2)
    values = each[:, None, None] * curves
    values[..., 1:-1] += noise * draw.normal(size=values[..., 1:-1].shape)
    count = len(each)
    sets = made_sets(
        values.reshape(count, -1) - 1, clean=each - 1, empty=-np.ones(count), noise_floor=np.full(count, floor)
    )
    order = np.tile(np.arange(4), (2, 1))
    orders = {name: order[:, ::-1] if name.endswith("reversed") else order for name in NAMES}
    folds = [number // 2 % 2 for number in range(count)]
    return new_interchange(sets, Rankings(("a", "b", "c", "d"), orders, np.zeros((2, 2, 4))), SIZES, folds)
