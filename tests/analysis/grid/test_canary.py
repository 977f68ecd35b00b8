"""The canary of every method holds as it is, and one planted bug in the engine trips it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

import spiritlens.analysis.heads.attention_knockout as attention_knockout_module
import spiritlens.analysis.heads.head_knockout as head_knockout_module
import spiritlens.analysis.patching.closed_form as closed_form
import spiritlens.analysis.paths.changes as changes
import spiritlens.analysis.paths.path_values as path_values
import spiritlens.runs.sweep.columns as columns
from spiritlens.analysis.attribution.attribution_patching import attribution_patch
from spiritlens.analysis.grid.canary import canary_programs, largest
from spiritlens.analysis.grid.grid import Grid
from spiritlens.analysis.heads.attention_knockout import attention_knockout
from spiritlens.analysis.heads.head_knockout import head_knockout
from spiritlens.analysis.patching.activation_patching import activation_patch, back_patch
from spiritlens.analysis.patching.donors import Donors
from spiritlens.analysis.paths.nodes import Receiver
from spiritlens.analysis.paths.path_patching import path_patch
from spiritlens.analysis.paths.paths import Paths
from spiritlens.analysis.tracing.causal_tracing import causal_trace
from spiritlens.effects.canaries import canary
from spiritlens.runs.corruptions.noise import Noise
from spiritlens.runs.sweep.recorded import RecordedRun
from tests.analysis.tracing_lens import TinyLens, make_prompt, spoken_prompt, text_prompt, tiny_lens

QUIET: dict[str, Any] = {"progress": "none", "metrics": ("probability", "logit_difference")}
PROMPTS = [text_prompt(fact_id="f"), spoken_prompt(fact_id="f")]
LONGER = make_prompt((1, 30, 7, 21, 9, 16, 5, 24, 13), (-1, -1, 0, 1, 2, 2, 2, 3, 4), (4, 5, 6))
EVERYTHING = ("resid_pre", "resid_mid", "mlp_out", "attn_out", "resid_post")

Call = Callable[[TinyLens], xr.Dataset]
METHODS: dict[str, Call] = {
    "trace": lambda lens: causal_trace(lens, PROMPTS, EVERYTHING, samples=2, **QUIET),
    "trace, noising": lambda lens: causal_trace(
        lens, PROMPTS, Grid(EVERYTHING, direction="noising"), samples=2, **QUIET
    ),
    "trace of heads": lambda lens: causal_trace(lens, PROMPTS, ("q", "k", "v", "z"), samples=2, **QUIET),
    "patch": lambda lens: activation_patch(lens, PROMPTS, Noise(), ("resid_pre", "k", "mlp_out"), **QUIET),
    "patch of heads": lambda lens: activation_patch(lens, PROMPTS, Noise(), Grid(("z", "q"), heads="each"), **QUIET),
    "head knock-out": lambda lens: head_knockout(lens, PROMPTS, "zero", **QUIET),
    "attention knock-out": lambda lens: attention_knockout(lens, PROMPTS, **QUIET),
    "paths": lambda lens: path_patch(
        lens, PROMPTS, Noise(), Paths(receivers=(Receiver("mlp_in", 1), Receiver("v_input", 2, 0))), **QUIET
    ),
    "paths to the logits": lambda lens: path_patch(lens, PROMPTS, Noise(), **QUIET),
}


@pytest.fixture(scope="module")
def lens() -> TinyLens:
    return tiny_lens(2)


@pytest.mark.parametrize("method", METHODS)
def test_the_canary_of_each_method_holds_and_is_measured(lens: TinyLens, method: str) -> None:
    found = METHODS[method](lens)
    assert {row.name for row in canary(found).rows} == {"canary_self", "canary_all"}
    assert not canary(found).failed
    assert float(found["canary_self"].max()) < 1e-12
    assert float(found["canary_all"].max()) < 1e-12


def _nothing_is_put_in(rows: torch.Tensor, *rest: Any, **how: Any) -> torch.Tensor:
    return rows


def _last_layer_instead(run: RecordedRun, component: str, layer: int, *rest: Any) -> torch.Tensor:
    before = layer - 1 if component in ("mlp_out", "z", "k") and layer == 2 else layer
    return AT(run, component, before, *rest)


def _next_position(run: RecordedRun, component: str, layer: int, samples: Any, positions: Any) -> torch.Tensor:
    found = AT(run, component, layer, samples, positions)
    return found.roll(1, 1) if component in ("mlp_out", "z", "k") and layer == 1 else found


AT = RecordedRun.at


@pytest.mark.parametrize("method", ["trace", "trace, noising", "trace of heads", "patch", "patch of heads", "paths"])
def test_a_hook_that_does_nothing_trips_it(lens: TinyLens, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "patched", _nothing_is_put_in)
    found = METHODS[method](lens)
    assert canary(found).problem.startswith("its canary fails: at prompt")
    assert all(float(found["canary_all"].sel(metric="logit_difference", prompt=place)) > 1e-4 for place in (0, 1))


@pytest.mark.parametrize("method", ["trace", "trace of heads", "patch", "paths"])
@pytest.mark.parametrize("bug", [_last_layer_instead, _next_position])
def test_a_value_of_another_layer_or_position_trips_it(
    lens: TinyLens, method: str, bug: Callable[..., torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RecordedRun, "at", bug)
    assert canary(METHODS[method](lens)).failed


def test_a_closed_form_that_puts_nothing_in_trips_it(lens: TinyLens, monkeypatch: pytest.MonkeyPatch) -> None:
    right = closed_form._of_component

    def wrong(model: Any, base: RecordedRun, source: Any, *rest: Any) -> torch.Tensor:
        return right(model, base, base.values, *rest)

    monkeypatch.setattr(closed_form, "_of_component", wrong)
    grid = Grid(("z",), heads="each")
    assert canary(activation_patch(lens, PROMPTS, Noise(), grid, **QUIET)).failed


def test_head_knock_out_trips_it(lens: TinyLens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_knockout_module, "_all_heads", lambda model: [(0, 0), (2, 1)])
    assert canary(METHODS["head knock-out"](lens)).failed


def test_attention_knock_out_trips_it(lens: TinyLens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention_knockout_module, "cut_scores", lambda couples, heads: lambda scores: scores)
    assert canary(METHODS["attention knock-out"](lens)).failed


def test_a_cut_that_was_asked_for_by_nobody_trips_it(lens: TinyLens, monkeypatch: pytest.MonkeyPatch) -> None:
    def always(couples: Any, heads: Any) -> Callable[[torch.Tensor], torch.Tensor]:
        return lambda scores: scores * 0.5

    monkeypatch.setattr(attention_knockout_module, "cut_scores", always)
    assert {row.name for row in canary(METHODS["attention knock-out"](lens)).failed} == {"canary_self", "canary_all"}


@pytest.mark.parametrize("method", ["paths", "paths to the logits"])
def test_a_sender_of_another_head_trips_it(lens: TinyLens, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import spiritlens.analysis.paths.canary as paths_canary

    right = changes.sender_change

    def wrong(model: Any, base: Any, source: Any, sender: Any, positions: Any) -> torch.Tensor:
        return right(model, base, source, sender, positions) * (0 if sender.component == "mlp_out" else 1)

    monkeypatch.setattr(paths_canary, "sender_change", wrong)
    assert canary(METHODS[method](lens)).failed


def test_a_receiver_that_reads_something_else_trips_it(lens: TinyLens, monkeypatch: pytest.MonkeyPatch) -> None:
    right = path_values.received

    def wrong(*given: Any) -> dict[str, torch.Tensor]:
        return {name: 1.5 * value for name, value in right(*given).items()}

    monkeypatch.setattr(path_values, "received", wrong)
    assert {row.name for row in canary(METHODS["paths"](lens)).failed} == {"canary_self"}


def test_values_of_other_layers_and_lengths_add_up_to_no_run(lens: TinyLens) -> None:
    back = back_patch(lens, PROMPTS[:1], Noise(), ("resid_pre",), **QUIET)
    crossed = activation_patch(
        lens, PROMPTS[:1], Noise(), ("resid_pre",), donors=Donors([LONGER], pooling="last"), **QUIET
    )
    for found in (back, crossed):
        assert np.isnan(found["canary_all"]).all()
        assert float(found["canary_self"].max()) < 1e-12


def test_an_estimate_has_none(lens: TinyLens) -> None:
    found = attribution_patch(lens, PROMPTS, Noise(), metrics=("logit_difference",), progress="none")
    assert not canary(found).rows
    assert str(canary(found)).startswith("no canary")


def test_the_turn_goes_through_all_blocks_and_streams() -> None:
    turns = {
        (layer, action.component)
        for number in range(200)
        for layer, (action,) in canary_programs(("resid_pre", "resid_mid"), 4, range(3), f"prompt {number}")[2].items()
    }
    assert turns == {(layer, name) for layer in range(4) for name in ("resid_pre", "resid_mid")}


def test_the_largest_of_nothing_is_nothing() -> None:
    assert largest([]).own is None
