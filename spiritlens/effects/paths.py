"""The edges dataset, schema ``spiritlens.paths/1``: what a path from one node to another carries.

Axes
    ``prompt sender_component sender_layer sender_head receiver_component receiver_layer receiver_head pos metric``.
    ``sender_head`` and ``receiver_head`` hold −1 for nodes without heads (MLPs, embeddings, logits);
    ``receiver_component`` is an input (``q_input k_input v_input mlp_in`` or ``logits``); ``pos`` is where the sender
    was patched, with the coordinate ``pos_name`` (a position, span or role).
Variables
    ``base [prompt metric]`` and ``patched [prompt … metric]`` (raw metric values), ``status [prompt … pos]``
    (`spiritlens.effects.schema.Status`: an edge that runs backwards is *absent*, never 0),
    ``noise_floor canary_self canary_all [prompt metric]`` (`spiritlens.effects.canaries`).
Signs
    change = (metric(patched) − metric(base)) · metric_sign, by `path_change`. Attributes name the base run
    (``base_run`` clean|corrupted), what was held (``frozen`` heads|heads+mlps|nothing) and the norm scale (``norms``
    recomputed|frozen): two studies that differ in one of these measured different things.
Source
    Wang et al. 2022, Interpretability in the Wild, §3 (path patching); Goldowsky-Dill et al. 2023.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr

from spiritlens.effects.making import (
    Attributes,
    MetricColumn,
    canary_variables,
    metric_coordinates,
    new_attributes,
    prompt_coordinates,
    text_array,
)
from spiritlens.effects.schema import (
    ATTRIBUTE_DEFAULTS,
    CANARIES,
    PROMPT_TEXTS,
    STATUS_ATTRIBUTES,
    check_attributes,
    check_baselines,
    check_dims,
    check_kinds,
    check_statuses,
)

PATHS_SCHEMA = "spiritlens.paths/1"

EDGE_AXES = (
    *("sender_component", "sender_layer", "sender_head"),
    *("receiver_component", "receiver_layer", "receiver_head", "pos"),
)

BaseRun = Literal["clean", "corrupted"]
"""The run that paths are patched in."""
Frozen = Literal["heads", "heads+mlps", "nothing"]
"""What is held at its base value between sender and receiver: all heads, all heads and MLPs, or nothing."""
Norms = Literal["recomputed", "frozen"]
"""Scale of the norm at the receiver: from what it receives, or held at the base run's."""

CLOSED_SETS = {"base_run": get_args(BaseRun), "frozen": get_args(Frozen), "norms": get_args(Norms)}


@dataclass(frozen=True, eq=False)
class PathArrays:
    """Arrays of an edges dataset: `patched` has the axes prompt, `EDGE_AXES`, metric and `status` the same without
    metric; `base`, `noise_floor` and the canaries (None: not measured) prompt and metric."""

    base: Any
    patched: Any
    status: Any
    noise_floor: Any
    canary_self: Any = None
    canary_all: Any = None


@dataclass(frozen=True, eq=False)
class PathAxes:
    """What stands along the axes: `senders` and `receivers` by the names ``component``, ``layer`` and ``head``;
    `positions` names the axis ``pos``."""

    senders: Mapping[str, Sequence[Any]]
    receivers: Mapping[str, Sequence[Any]]
    positions: Sequence[str]
    metrics: Sequence[MetricColumn]
    prompts: Mapping[str, Sequence[Any]]


def new_paths(
    values: PathArrays,
    axes: PathAxes,
    *,
    base_run: BaseRun,
    frozen: Frozen,
    norms: Norms,
    attributes: Attributes | None = None,
) -> xr.Dataset:
    """Build and check an edges dataset from plain arrays."""
    base = np.asarray(values.base)
    dataset = xr.Dataset(
        {
            "base": (("prompt", "metric"), base),
            "patched": (("prompt", *EDGE_AXES, "metric"), np.asarray(values.patched)),
            "status": (("prompt", *EDGE_AXES), np.asarray(values.status, dtype=np.int8), STATUS_ATTRIBUTES),
            "noise_floor": (("prompt", "metric"), np.asarray(values.noise_floor)),
            **canary_variables(base, values.canary_self, values.canary_all),
        },
        coords={
            **_node_coordinates("sender", axes.senders),
            **_node_coordinates("receiver", axes.receivers),
            "pos_name": ("pos", text_array(axes.positions)),
            **metric_coordinates(axes.metrics),
            "prompt": np.arange(len(base)),
            **prompt_coordinates(axes.prompts, len(base)),
        },
        attrs=new_attributes(
            PATHS_SCHEMA, {"base_run": base_run, "frozen": frozen, "norms": norms, **(attributes or {})}
        ),
    )
    return check_paths(dataset)


def check_paths(dataset: xr.Dataset) -> xr.Dataset:
    """Return the dataset unchanged if it holds the schema; otherwise ValueError says what differs and the remedy."""
    if dataset.attrs.get("schema") != PATHS_SCHEMA:
        raise ValueError(
            f"schema is {dataset.attrs.get('schema')!r}, expected {PATHS_SCHEMA!r}: build it with new_paths(...)"
        )
    node_axes = dict.fromkeys(EDGE_AXES[:-1], "")
    check_dims(
        dataset,
        {
            "base": ("prompt", "metric"),
            "patched": ("prompt", *EDGE_AXES, "metric"),
            "status": ("prompt", *EDGE_AXES),
            "noise_floor": ("prompt", "metric"),
            **dict.fromkeys([name for name in CANARIES if name in dataset.variables], ("prompt", "metric")),
            **{name: (name,) for name in (*node_axes, "metric")},
            "pos_name": ("pos",),
            "metric_sign": ("metric",),
            **dict.fromkeys((*PROMPT_TEXTS, "known"), ("prompt",)),
        },
    )
    check_kinds(dataset, ("sender_component", "receiver_component", "pos_name", "metric", *PROMPT_TEXTS), {})
    check_baselines(dataset, ("base", "noise_floor"))
    check_attributes(dataset, (*ATTRIBUTE_DEFAULTS, *CLOSED_SETS, "created"))
    for name, allowed in CLOSED_SETS.items():
        if dataset.attrs[name] not in allowed:
            raise ValueError(f"attribute {name} is {dataset.attrs[name]!r}, expected one of {', '.join(allowed)}")
    check_statuses(dataset["status"], dataset["patched"])
    return dataset


def path_change(dataset: xr.Dataset) -> xr.DataArray:
    """Signed change of each edge [prompt … pos metric]: (metric(patched) − metric(base)) · metric_sign; absent: NaN."""
    return ((dataset["patched"] - dataset["base"]) * dataset["metric_sign"]).rename("change")


def _node_coordinates(side: str, node: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    if set(node) != {"component", "layer", "head"}:
        raise ValueError(
            f"{side}s has {sorted(node)}, expected component, layer and head (head −1 where there is none)"
        )
    return {
        f"{side}_component": np.asarray([str(name) for name in node["component"]], dtype=np.str_),
        f"{side}_layer": np.asarray(node["layer"], dtype=np.int64),
        f"{side}_head": np.asarray(node["head"], dtype=np.int64),
    }
