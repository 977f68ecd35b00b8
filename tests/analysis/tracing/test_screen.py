"""Attribution patching: exact to first order, and judged by exact cells."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tracing_by_hooks import TOLERANCE
from tracing_lens import make_prompt, spoken_prompt, text_prompt

import spiritlens as sl
from spiritlens.analysis.grid.grid import Draws, Grid, Screen
from spiritlens.analysis.tracing import causal_tracing as tracing
from spiritlens.analysis.tracing import screen as screen_module
from spiritlens.analysis.tracing.causal_tracing import causal_trace
from spiritlens.analysis.tracing.grid import trace_grid
from spiritlens.analysis.tracing.one_prompt import trace_prompt
from spiritlens.analysis.tracing.screen import attribution_patching, chosen_cells, common_cells, kept_cells
from spiritlens.analysis.tracing.settings import TraceSettings
from spiritlens.components import hook_name
from spiritlens.effects.quantities import indirect
from spiritlens.effects.schema import Status
from spiritlens.runs.corruptions.noise import Noise
from spiritlens.runs.metrics import METRIC_NAMED
from spiritlens.runs.scoring import prompt_scorers


def settings_of(lens, grid, metric="logit", scale=1e-4):
    return TraceSettings(trace_grid(lens.backend, grid), Noise(scale), Draws(2), (METRIC_NAMED[metric],))


@pytest.mark.parametrize("direction", ["denoising", "noising"])
@pytest.mark.parametrize("components", [("resid_pre", "resid_mid", "mlp_out"), ("z",), ("k",)])
def test_estimates_are_exact_for_small_noise(lens, components, direction) -> None:
    """A window of several layers too: to first order its effect is the sum of its layers' only where they do not feed
    each other, so components with windows are compared at width one."""
    settings, prompt = settings_of(lens, Grid(components, window=1, direction=direction)), text_prompt()
    estimate = attribution_patching(lens, prompt, settings)
    effects = trace_prompt(lens, prompt, settings).isel(prompt=0, metric=0)
    if direction == "denoising":
        exact = (effects.restored - effects.corrupted).mean("sample").values
    else:
        exact = (effects.clean - effects.restored).mean("sample").values
    exact = exact if settings.grid.has_heads else exact[..., None]
    assert np.nanmax(np.abs(exact)) > 1e-6
    assert np.array_equal(np.isnan(exact), np.isnan(estimate))
    assert np.nanmax(np.abs(exact - estimate)) < 1e-3 * np.nanmax(np.abs(exact))


@pytest.mark.parametrize("direction", ["denoising", "noising"])
def test_answer_and_foil_of_other_leading_tokens_add_up(lens, direction) -> None:
    """They are two continuations, and the first one alone gives log P(answer), which ranks cells otherwise."""
    prompt = text_prompt(answer_ids=(11, 5), foil_ids=(4, 6))
    grid = Grid(("resid_pre", "mlp_out"), window=1, direction=direction)
    settings = settings_of(lens, grid, "log_probability_difference")
    assert len(prompt_scorers(lens, prompt, settings.metrics)) == 2
    exact = indirect(trace_prompt(lens, prompt, settings)).isel(prompt=0, metric=0).values
    estimate = attribution_patching(lens, prompt, settings)[..., 0]
    assert np.nanmax(np.abs(exact - estimate)) < 1e-3 * np.nanmax(np.abs(exact))


@pytest.mark.parametrize("rule", ["gradient", "relp"])
@pytest.mark.parametrize("direction", ["denoising", "noising"])
def test_an_estimate_costs_two_forward_passes_and_one_backward(lens, monkeypatch, direction, rule) -> None:
    """Passes are counted at the first layer and at autograd, with the rows of noise samples."""
    settings, prompt = settings_of(lens, Grid(("resid_pre", "mlp_out"), direction=direction)), text_prompt()
    rows, backwards, grad = [], [], torch.autograd.grad

    def counted(*args, **more):
        backwards.append(1)
        return grad(*args, **more)

    def passing(embeddings):
        rows.append(len(embeddings))
        return embeddings

    monkeypatch.setattr(torch.autograd, "grad", counted)
    with lens.backend.hooked([(hook_name("resid_pre", 0), passing)]):
        attribution_patching(lens, prompt, settings, rule)
    assert sorted(rows) == [1, settings.draws.samples]
    assert len(backwards) == 1


def test_kept_cells_are_the_largest_estimates(lens) -> None:
    settings = settings_of(lens, Grid(("resid_pre", "mlp_out"), at="role", window=2), scale=None)
    for prompt in (text_prompt(), spoken_prompt()):
        estimate, kept = (
            np.abs(attribution_patching(lens, prompt, settings)),
            kept_cells(lens, prompt, settings, Screen(0.2)),
        )
        assert kept.sum() == np.ceil(0.2 * np.count_nonzero(~np.isnan(estimate)))
        assert estimate[kept].min() >= np.nanmax(np.where(kept, np.nan, estimate))


def test_common_cells_are_chosen_once_for_all_prompts(lens) -> None:
    grid = Grid(("resid_pre", "mlp_out"), at="role", window=2)
    settings = replace(settings_of(lens, grid, scale=None), screen=Screen(0.2, keep="common"))
    prompts = [text_prompt(), spoken_prompt()]
    cells = chosen_cells(lens, prompts, settings)
    assert cells(prompts[0]) is cells(prompts[1])
    assert np.array_equal(cells(prompts[0]), common_cells(lens, prompts, settings, Screen(0.2)))


def estimates_fail(monkeypatch: pytest.MonkeyPatch, ids, error) -> None:
    real = screen_module.attribution_patching

    def estimate(lens, prompt, *rest):
        if prompt.id in ids:
            raise error
        return real(lens, prompt, *rest)

    monkeypatch.setattr(screen_module, "attribution_patching", estimate)


def test_a_prompt_that_cannot_be_estimated_has_no_part_in_the_choice(
    lens, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others' cells are those that they have without it; a folder records it, and goes on where memory was out."""
    prompts, grid = [text_prompt(fact_id="a"), spoken_prompt(fact_id="b")], Grid(("resid_pre", "mlp_out"), at="role")
    asked = {"samples": Draws(2), "metrics": ("logit",), "screen": Screen(0.2, keep="common"), "progress": "none"}
    settings = settings_of(lens, grid, scale=None)
    alone = common_cells(lens, prompts[1:], settings, Screen(0.2))
    assert not np.array_equal(alone, common_cells(lens, prompts, settings, Screen(0.2)))
    real = tracing.trace_prompt

    def trace(lens, prompt, *rest, **more):
        if prompt.id == prompts[0].id:
            raise ValueError("a planted failure")
        return real(lens, prompt, *rest, **more)

    with monkeypatch.context() as patched:
        estimates_fail(patched, [prompts[0].id], ValueError("a planted failure"))
        patched.setattr(tracing, "trace_prompt", trace)
        with (
            pytest.warns(UserWarning, match="could not be measured"),
            pytest.warns(UserWarning, match="have no part in the choice") as told,
        ):
            found = causal_trace(lens, prompts, grid, folder=tmp_path / "run", **asked)
    assert [str(one.message).split(":")[0] for one in told] == [
        "1 prompts have no part in the choice of cells, as they cannot be estimated",
        "1 prompts could not be measured and are left out",
    ]
    assert found["prompt_id"].values.tolist() == [prompts[1].id]
    kept = np.isin(found.status.values[0], (Status.MEASURED, Status.EXACT))
    assert kept.sum() == alone.sum()
    assert (kept == alone[..., 0]).all()
    assert sl.effects.inspect(tmp_path / "run")[0].failures == {"ValueError: a planted failure": 1}


def test_where_none_can_be_estimated_or_memory_runs_out_the_error_is_told(
    lens, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts, settings = [text_prompt(), spoken_prompt()], settings_of(lens, Grid(("resid_pre",), at="role"))
    ids = [prompt.id for prompt in prompts]
    for failing, error in (
        (ids, ValueError("none")),
        (ids[:1], MemoryError("no room")),
        (ids[:1], KeyError("CUDA error")),
    ):
        with monkeypatch.context() as patched:
            estimates_fail(patched, failing, error)
            with pytest.raises(type(error), match=str(error)):
                common_cells(lens, prompts, settings, Screen(0.5))


def test_refusals(lens) -> None:
    both, by_token = [text_prompt(), spoken_prompt()], settings_of(lens, ("resid_pre",))
    with pytest.raises(ValueError, match="the same sites"):
        common_cells(lens, both, by_token, Screen(0.5))
    with pytest.raises(ValueError, match="the same sites"):  # before anything is run
        chosen_cells(lens, both, replace(by_token, screen=Screen(0.5, keep="common")))
    severed = settings_of(lens, Grid(("resid_pre",), sever="mlp"))
    with pytest.raises(ValueError, match="severing"):
        attribution_patching(lens, text_prompt(), severed)


def test_a_screened_control_keeps_the_controls_cells(lens, prompts) -> None:
    """Before block 0 only the control's own tokens (2 and 3) can move, so that no screen keeps the subject's there."""
    settings = {"samples": 1, "metrics": ("logit",), "progress": "none"}
    grid = Grid(("resid_pre",), corrupted="control")
    whole = causal_trace(lens, prompts[:1], grid, **settings)
    screened = causal_trace(lens, prompts[:1], grid, screen=0.6, **settings)
    before_block_0 = screened.status.values[0, 0, 0]
    assert before_block_0[[2, 3]].tolist() == [Status.MEASURED] * 2
    assert before_block_0[[4, 5]].tolist() == [Status.SCREENED] * 2
    assert json.loads(screened.attrs["config_json"])["keep"] == "each"
    assert json.loads(whole.attrs["config_json"])["keep"] is None


def test_screen_keeps_a_fraction_and_averages_want_common_cells(lens) -> None:
    spoken = [spoken_prompt(fact_id="a")]
    other = make_prompt(
        (1, 31, 34, 38, 36, 40, 39, 41, 32, 37, 44, 39, 33, 30), spoken[0].word_index, (4, 5, 6, 7), fact_id="b"
    )
    pair = [*spoken, other]
    whole = causal_trace(lens, pair, ("resid_pre",), samples=1, progress="none")
    each = causal_trace(lens, pair, ("resid_pre",), samples=1, screen=0.25, progress="none")
    common = causal_trace(lens, pair, ("resid_pre",), samples=1, screen=Screen(0.25, keep="common"), progress="none")
    for effects in (each, common):
        kept = (effects.status.values == Status.MEASURED) | (effects.status.values == Status.EXACT)
        assert (kept.reshape(2, -1).sum(1) == 11).all()
        assert (effects.status.values[~kept] == Status.SCREENED).all()
        assert np.nanmax(np.abs((effects.restored - whole.restored).values)) < TOLERANCE
    assert (common.status.values[0] == common.status.values[1]).all()
    assert not (each.status.values[0] == each.status.values[1]).all()
    with pytest.raises(ValueError, match="screen"):
        sl.effects.average(each)


def test_a_screen_by_relp_keeps_its_own_largest_estimates(lens) -> None:
    settings = {"samples": 1, "metrics": ("logit",), "progress": "none"}
    effects = causal_trace(lens, [text_prompt()], ("resid_pre", "mlp_out"), screen="relp", **settings)
    of = settings_of(lens, ("resid_pre", "mlp_out"), scale=None)
    chosen = kept_cells(lens, text_prompt(), replace(of, draws=Draws(1)), Screen(rule="relp"))[..., 0]
    assert np.array_equal(effects.status.values[0] == Status.MEASURED, chosen & (effects.status.values[0] == 0))
    assert 0 < chosen.sum() == np.ceil(0.1 * np.count_nonzero(effects.status.values[0] != Status.ABSENT))
    assert json.loads(effects.attrs["config_json"])["screened_by"] == "relp"
    with pytest.raises(ValueError, match="component 'k': RelP holds attention patterns constant"):
        causal_trace(lens, [text_prompt()], ("k",), screen="relp", **settings)
    with pytest.raises(ValueError, match="screen='fast'"):
        causal_trace(lens, [text_prompt()], ("z",), screen="fast", **settings)
