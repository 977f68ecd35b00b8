"""Every figure of `FIGURES`, drawn of small results; those with a stacked form are drawn in it too."""

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import xarray as xr

sys.path.append(str(Path(__file__).parents[1] / "effects"))
sys.path.append(str(Path(__file__).parent))

from effects_synthetic import role_effects, token_effects
from made_prompt import make_prompt

import spiritlens as sl
from spiritlens.report.figures import FIGURES

QUIET = {"progress": "none"}
NODES = sl.paths.Paths((sl.paths.Sender("mlp_out", 2), sl.paths.Sender("z", 4, 0)), (sl.paths.Receiver("logits"),))


@cache
def given() -> dict[str, Any]:
    """What figures are given, by `Figure.of`."""
    machine = sl.planted()
    lens, prompts = machine.lens, machine.prompts
    few = [*prompts[:8], *prompts[12:20]]
    roles = roles_of(8)
    heads = sl.Grid(("z",), at="role", heads="each")
    return {
        "effects": token_effects(model_name="tiny"),
        "averages": roles,
        "total averages": roles,
        "groups": {
            "both": roles,
            "text only": roles.sel(prompt=roles["modality"] == "T2T"),
            "speech only": None,
            "neither": roles,
        },
        "heads": sl.activation_patch(lens, few, sl.Noise(), heads, metrics=("logit_difference",), **QUIET),
        "paths": sl.path_patch(lens, few, sl.Noise(), NODES, metrics=("logit_difference",), **QUIET),
        "attention": sl.heads.attention_mass(lens, few, by="role"),
        "attribution": sl.heads.direct_logit_attribution(lens, few, by="role"),
        "lens": sl.lenses.logit_lens(lens, few),
        "doses": sl.tracing.dose_curve(lens, few, (0.25, 0.5, 1.0, 2.0), samples=1),
        "interchange": sl.interchange(
            lens, prompts[:4], prompts[12:16], sl.heads.Parts(removed="zero", sizes=(2,), random_rankings=1), **QUIET
        ),
        "rows": [
            {"group": group, "facts": 40, "T2T": 0.9, "S2T": 0.7, "known in both": 0.65, "guessing": 0.05}
            for group in ("both", "text only", "all")
        ],
        "prompt": make_prompt("S2T", 1),
    }


def roles_of(n_layers: int) -> xr.Dataset:
    """Maps by role of so many layers and three components."""
    peaks = {"T2T": 0.3 * n_layers, "S2T": 0.5 * n_layers}
    return role_effects(n_facts=12, n_layers=n_layers, peaks=peaks, components=("resid_pre", "mlp_out", "attn_out"))


DRAWN: dict[str, Callable[[], go.Figure]] = {
    **{figure.name: lambda figure=figure: figure.draw(given()[figure.of]) for figure in FIGURES},
    **{
        f"{figure.name}, stacked": lambda figure=figure: figure.draw(given()[figure.of], arrangement="stacked")
        for figure in FIGURES
        if figure.forms == "both"
    },
    "role_maps, 32 layers": lambda: sl.figures.role_maps(roles_of(32)),
    "layer_curves, 32 layers": lambda: sl.figures.layer_curves(roles_of(32)),
    "role_maps, one component": lambda: sl.figures.role_maps(roles_of(32), "mlp_out"),
}
"""How each figure is drawn, by name; nothing is until it is asked for."""


@cache
def figure_of(name: str) -> go.Figure:
    """The figure; one of another kind of result than `given` knows is an error here."""
    return DRAWN[name]()


def every_figure() -> dict[str, go.Figure]:
    """Figures by name."""
    return {name: figure_of(name) for name in DRAWN}
