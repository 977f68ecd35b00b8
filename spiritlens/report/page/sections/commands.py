"""What was not run, and the lines that would run it: from layers to heads, from heads to paths.

The lines are Python, to be copied as they stand where ``lens`` and ``prompts`` are those of the page and ``effects``
(or ``heads``) are its results. They repeat the corruption, the samples and the seed of what was run.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.effects.averages import average, obstacle
from spiritlens.report.acts import act_of, settings_of
from spiritlens.report.figures.head_means import default_role, role_of
from spiritlens.report.page.document import Command
from spiritlens.terms import Facts

SENDERS = 4
"""Paths are asked for from so many heads, the largest."""

HEADS = """heads = sl.causal_trace(
    lens, prompts, sl.Grid(("z",), at="role", direction="{direction}"), {corruption}, {metrics}, samples={draws}
)
sl.dashboard({{"by role": effects, "heads": heads}}, "page", prompts=prompts)"""
PATHS = """senders = [{senders}]
paths = sl.path_patch(
    lens, prompts, {corruption}, sl.paths.Paths(senders, [sl.paths.Receiver("logits")]), {metrics}, samples={draws}
)
sl.dashboard({{"by role": effects, "heads": heads, "paths": paths}}, "page", prompts=prompts)"""


def deeper(effects: Mapping[str, xr.Dataset], has_paths: bool, facts: Facts) -> list[Command]:
    """The next step that was not run: heads where effects are of whole layers only, paths where heads were run.

    Only traces whose corruption was noise can be repeated from what they tell of themselves.
    """
    wholes, heads = (
        [one for one in effects.values() if ("head" in one.dims) == by_head and _repeats(one)]
        for by_head in (False, True)
    )
    if has_paths:
        return []
    if heads:
        senders = _largest(heads[0], facts)
        made = {"senders": senders, **_parts(heads[0])}
        what = "Paths from the largest heads to the answer were not run. These lines run them:"
        return [Command(what, PATHS.format(**made))] if senders else []
    if wholes:
        return [Command("Single heads were not run. These lines run them:", HEADS.format(**_parts(wholes[0])))]
    return []


def _repeats(effects: xr.Dataset) -> bool:
    """Whether a dataset is a trace under noise, whose settings it tells."""
    corruption = settings_of(effects).get("corruption")
    return act_of(effects) == "causal tracing" and isinstance(corruption, dict) and "noise" in corruption


def _parts(effects: xr.Dataset) -> dict[str, Any]:
    """What the lines repeat: direction, corruption, metrics, samples and seed."""
    noise = settings_of(effects)["corruption"]
    scale = noise["noise"]
    scales = f"sl.corruptions.NoiseScale({', '.join(map(repr, scale))})" if isinstance(scale, list) else repr(scale)
    rest = ", ".join(repr(str(noise[name])) for name in ("law", "mode", "stream") if name in noise)
    seed = int(effects.attrs.get("seed", 0))
    names = effects["metric"].values.tolist()
    return {
        "direction": effects.attrs["direction"],
        "corruption": f"sl.Noise({scales}, {rest})",
        "metrics": f"({', '.join(map(repr, map(str, names)))},)",
        "draws": f"sl.Draws({effects.sizes['sample']}, seed={seed})",
    }


def _largest(effects: xr.Dataset, facts: Facts) -> str:
    """The largest heads at the read-out, as senders."""
    if obstacle(effects, facts) or "z" not in effects["component"].values:
        return ""
    means = average(effects, facts=facts).sel(component="z").isel(metric=0)
    role = default_role(means)
    groups = [means.isel(group=group) for group in range(means.sizes["group"])]
    maps = [group["mean"].sel(role=role_of(group, role)) for group in groups]
    sizes = np.max([np.nan_to_num(np.abs(one.transpose("layer", "head").values)) for one in maps], axis=0)
    order = np.argsort(-sizes.reshape(-1), kind="stable")[:SENDERS]
    places = [divmod(int(place), sizes.shape[1]) for place in order if sizes.reshape(-1)[place] > 0]
    layers, heads = means["layer"].values, means["head"].values
    named = [(int(layers[layer]), int(heads[head])) for layer, head in sorted(places)]
    return ", ".join(f'sl.paths.Sender("z", {layer}, {head})' for layer, head in named)
