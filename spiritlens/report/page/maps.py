"""Maps of single prompts for the page: rows × layers of each component, metric and head, by role or token by token.

Rows of a map by role are the same for all prompts, with the *read-out* as a row of its own: T2T's last word and S2T's
final marker, where the answer is read (`spiritlens.comparison.pairing.with_readout`). Maps by token, word or span have
rows of their own, each with its label, word, role and times.

Axes of a packed map: ``component layer head row``, head of length 1 where there are none. Values are indirect effects,
one segment for each metric and prompt (``metric × n_prompts + prompt``); `status` is `effects.schema.Status`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.comparison.pairing import with_readout
from spiritlens.effects.metric_words import sign_of, unit_of, words_of
from spiritlens.effects.quantities import indirect, smallest_total_effect, total
from spiritlens.effects.role_effects import ordered_roles
from spiritlens.effects.schema import Status, site_axis, window_of
from spiritlens.report.page.packing import Described, Packing
from spiritlens.report.words import component_words
from spiritlens.terms import READOUT_ROLES

ORDER = ("prompt", "component", "layer", "head", "row")


def packed_maps(effects: xr.Dataset, prompts: Sequence[int], packing: Packing) -> Described:
    """The maps of a dataset; `prompts` are the places of its prompts in the table of the page."""
    axis = site_axis(effects)
    effect, status = _cells(effects, axis)
    rows: Described
    if axis == "role":
        roles = ordered_roles(effects["role"].values.tolist())
        effect, names = aligned_rows(effect, effects["role"].values.tolist(), roles)
        absent = np.where(status == Status.ABSENT, np.nan, status.astype(np.float64))
        status, _ = aligned_rows(absent[..., None], effects["role"].values.tolist(), roles)
        status = np.nan_to_num(status[..., 0], nan=float(Status.ABSENT)).astype(np.int8)
        rows = {"labels": packing.texts("maps", names)}
        present = np.ones((len(prompts), len(names)), dtype=bool)
    else:
        present = (status != Status.ABSENT).any(axis=(1, 2, 3))
        rows = _token_rows(effects, axis, present, packing)
    block = "maps" if axis == "role" else "tokens"
    n_metrics = effects.sizes["metric"]
    segments = [
        effect[place][..., present[place], metric] for metric in range(n_metrics) for place in range(len(prompts))
    ]
    statuses = [status[place][..., present[place]].reshape(-1) for place in range(len(prompts))]
    return {
        **axes_of(effects),
        "axis": axis,
        "at": effects.attrs["at"],
        "direction": effects.attrs["direction"],
        "samples": effects.sizes["sample"],
        "prompts": packing.numbers("facts", np.asarray(prompts, dtype=np.int64)),
        "rows": rows,
        "values": packing.segments(block, segments),
        "status": packing.numbers(block, np.concatenate(statuses) if statuses else np.zeros(0, dtype=np.int8)),
        "total": packing.numbers("facts", total(effects).transpose("metric", "prompt").values),
        "floor": packing.numbers("facts", effects["noise_floor"].transpose("metric", "prompt").values),
        "smallest": [smallest_total_effect(effects, str(name)) for name in effects["metric"].values],
    }


def axes_of(effects: xr.Dataset) -> Described:
    """Components with their words and windows, layers, heads, and metrics with their words, units and signs."""
    layers = [int(layer) for layer in effects["layer"].values]
    names = [str(name) for name in effects["metric"].values]
    return {
        "layers": layers,
        "components": [
            {
                "name": str(name),
                "words": component_words(str(name)),
                "windows": [list(window_of(effects, str(name), layer)) for layer in layers],
            }
            for name in effects["component"].values
        ],
        "heads": [int(head) for head in effects["head"].values] if "head" in effects.dims else [],
        "metrics": [
            {
                "name": name,
                "words": words_of(effects, name),
                "unit": unit_of(effects, name),
                "sign": sign_of(effects, name),
            }
            for name in names
        ],
    }


def aligned_rows(values: Any, names: Sequence[str], roles: list[str]) -> tuple[Any, list[str]]:
    """Values [prompt component layer head role metric] with roles in order and the read-out as a row of its own."""
    places = [list(names).index(role) for role in roles]
    last = np.moveaxis(values[..., places, :], -1, 1)  # with_readout takes rows last, and tells rows by axes 1 and 2
    shape = last.shape
    if READOUT_ROLES[-1] not in roles:
        return np.moveaxis(last, 1, -1), list(roles)
    flat = last.reshape(shape[0], shape[1], -1, shape[-1])
    joined, found = with_readout(flat, roles)
    return np.moveaxis(joined.reshape(*shape[:-1], len(found)), 1, -1), found


def _cells(effects: xr.Dataset, axis: str) -> tuple[Any, Any]:
    """Effects [prompt component layer head row metric] and statuses, with a head axis always."""
    effect, status = indirect(effects), effects["status"]
    if "head" not in effects.dims:
        effect, status = effect.expand_dims("head"), status.expand_dims("head")
    order = ("prompt", "component", "layer", "head", axis)
    return effect.transpose(*order, "metric").values, status.transpose(*order).values


def _token_rows(effects: xr.Dataset, axis: str, present: Any, packing: Packing) -> Described:
    """What is known of each token, word or span, those of one prompt after those of another."""
    token = axis == "pos"
    columns = {"labels": "token" if token else "span_name", "roles": "role" if token else "span_role"}
    columns |= {"words": "word", "parts": "part"} if token else {"words": "span_name"}
    texts = {
        name: packing.texts("tokens", effects[column].transpose("prompt", axis).values[present].tolist())
        for name, column in columns.items()
    }
    times = {name: packing.numbers("tokens", effects[name].values[present].astype(float)) for name in ("start", "end")}
    index = effects["word_index"].values if token else np.broadcast_to(np.arange(present.shape[1]), present.shape)
    return {
        **texts,
        **times,
        "word_index": packing.numbers("tokens", index[present].astype(np.int64)),
        "position": packing.numbers("tokens", np.nonzero(present)[1] if token else np.full(present.sum(), -1)),
        "sizes": packing.numbers("tokens", present.sum(axis=1).astype(np.int64)),
    }
