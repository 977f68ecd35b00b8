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

LAYER = (
    HEADS.rpartition("\n")[0]
    + """
print(heads.sel(layer=@layer@))
page = sl.dashboard({{"by role": effects, "heads": heads}}, "page", prompts=prompts)
print(f"{{page}}#view=layers&layer=@layer@")"""
)
OUT_OF = """paths = sl.path_patch(
    lens,
    prompts,
    {corruption},
    sl.paths.Paths([{sender}], [sl.paths.Receiver("logits")]),
    {metrics},
    samples={draws},
)
page = sl.dashboard({{"by role": effects, "paths": paths}}, "page", prompts=prompts)
print(f"{{page}}#view=layers&layer=@layer@&head=@head@")"""
INTO = """# k_input and v_input are of key-value heads, of which a model may have fewer
paths = sl.attribute_edges(
    lens,
    prompts,
    {corruption},
    sl.paths.Paths(receivers=[{receivers}]),
    {metrics},
    samples={draws},
)
page = sl.dashboard({{"by role": effects, "edges": paths}}, "page", prompts=prompts)
print(f"{{page}}#view=layers&layer=@layer@&head=@head@")"""
DEFAULT_NOISE = (
    "What was done here cannot be repeated from what it tells of itself; these lines do it with the default noise:"
)
HEAD = {
    "sender": 'sl.paths.Sender("z", @layer@, @head@)',
    "receivers": ", ".join(f'sl.paths.Receiver("{letter}_input", @layer@, @head@)' for letter in "qkv"),
}
MLP = {
    "sender": 'sl.paths.Sender("mlp_out", @layer@)',
    "receivers": 'sl.paths.Receiver("mlp_in", @layer@)',
}


def lines_of_layer(effects: Mapping[str, xr.Dataset]) -> dict[str, str]:
    """The lines of each step, with ``@layer@`` and ``@head@`` where the reader's layer and head belong: ``heads`` of a
    layer, and paths ``out of`` and ``into`` a head or an MLP. ``changed`` says what they cannot repeat ("": nothing).

    Where no dataset tells its noise, they corrupt as `sl.Noise()` does.
    """
    own = [one for one in effects.values() if _repeats(one)]
    parts = _parts(own[0]) if own else _default_parts(next(iter(effects.values())))
    return {
        "changed": "" if own else DEFAULT_NOISE,
        "heads": LAYER.format(**parts),
        "out of": OUT_OF.format(**parts, sender=HEAD["sender"]),
        "into": INTO.format(**parts, receivers=HEAD["receivers"]),
        "out of MLP": OUT_OF.format(**parts, sender=MLP["sender"]).replace("@head@", "mlp"),
        "into MLP": INTO.partition("\n")[2].format(**parts, receivers=MLP["receivers"]).replace("@head@", "mlp"),
    }


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


def _default_parts(effects: xr.Dataset) -> dict[str, Any]:
    """What the lines say where a dataset does not tell its noise."""
    return {
        "direction": effects.attrs["direction"],
        "corruption": "sl.Noise()",
        "metrics": '("logit_difference",)',
        "draws": f"sl.Draws({max(1, effects.sizes['sample'])})",
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
