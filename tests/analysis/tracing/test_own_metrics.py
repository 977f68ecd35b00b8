"""A metric of the user's own in a trace: measured, screened by, averaged, saved, and told from others of its name."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tracing_lens import TinyLens, spoken_prompt, text_prompt, tiny_lens

import spiritlens as sl
from spiritlens.analysis.grid.grid import Grid, Screen
from spiritlens.analysis.tracing.causal_tracing import causal_trace
from spiritlens.analysis.tracing.first_look import first_look
from spiritlens.effects.schema import Status
from spiritlens.runs.metrics import Metric

GRID = Grid(("resid_pre", "mlp_out"), at="role")


def doubt(logits: torch.Tensor, prompt: Any) -> torch.Tensor:
    """−log P(first token of the answer)."""
    return -logits[:, 0].log_softmax(-1)[:, prompt.answer_ids[0]]


def other_doubt(logits: torch.Tensor, prompt: Any) -> torch.Tensor:
    return 2 * -logits[:, 0].log_softmax(-1)[:, prompt.answer_ids[0]]


DOUBT = Metric("doubt", doubt, sign=-1, unit="nats", words="doubt in the answer")


@pytest.fixture(scope="module")
def lens() -> TinyLens:
    return tiny_lens()


@pytest.fixture(scope="module")
def prompts() -> list[Any]:
    return [text_prompt(fact_id="f"), spoken_prompt(fact_id="f")]


def test_it_is_measured_averaged_and_saved_with_its_sign_unit_and_words(lens, prompts, tmp_path: Path) -> None:
    effects = causal_trace(lens, prompts, GRID, metrics=("log_probability", DOUBT), samples=2, progress="none")
    ours, own = (effects.sel(metric=name) for name in ("log_probability", "doubt"))
    np.testing.assert_allclose(own["restored"], -ours["restored"], atol=1e-10)
    average = sl.effects.average(effects, facts="all")["mean"]
    for found in (sl.effects.total(effects), sl.effects.indirect(effects), average):
        np.testing.assert_allclose(found.sel(metric="doubt"), found.sel(metric="log_probability"), atol=1e-10)
    again = sl.effects.load(sl.effects.save(effects, tmp_path / "effects.nc")).sel(metric="doubt")
    told = [again[name].item() for name in ("metric_sign", "metric_unit", "metric_words")]
    assert told == [-1, "nats", "doubt in the answer"]


def test_cells_are_screened_by_it(lens, prompts) -> None:
    ours, own = (
        causal_trace(lens, prompts, GRID, metrics=(metric,), samples=2, screen=Screen(0.3), progress="none")
        for metric in ("log_probability", DOUBT)
    )
    assert (ours["status"] == Status.SCREENED).any()
    assert ours["status"].equals(own["status"])
    looks = [first_look(lens, prompts, GRID, metric=metric, samples=2) for metric in ("log_probability", DOUBT)]
    for first, second in zip(looks[0].estimates, looks[1].estimates, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-10)
    rough = Metric("rough", doubt, smooth=False)
    with pytest.raises(ValueError, match="'rough' has no useful one"):
        causal_trace(lens, prompts, GRID, metrics=(rough,), screen=0.3, progress="none")


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (Metric("doubt", other_doubt, sign=-1, unit="nats", words="doubt in the answer"), "code"),
        (Metric("doubt", doubt, sign=1, unit="nats", words="doubt in the answer"), "sign"),
        (Metric("doubt", doubt, sign=-1, unit="bits", words="doubt in the answer"), "unit"),
    ],
)
def test_a_folder_of_another_metric_of_its_name_is_refused(tmp_path: Path, other: Metric, told: str) -> None:
    circuit = sl.planted()

    def traced(metric: Metric) -> Any:
        grid, prompts = Grid(("resid_pre",), at="role"), circuit.prompts[:1]
        return causal_trace(circuit.lens, prompts, grid, None, (metric,), samples=1, folder=tmp_path, progress="none")

    first = traced(DOUBT)
    assert traced(DOUBT).identical(first)
    with pytest.raises(ValueError, match=rf"other settings .*own_metrics.*{told}"):
        traced(other)


def test_metrics_of_the_package_leave_no_mark(lens, prompts) -> None:
    """Results of built-in metrics keep the settings that they had before there were own ones."""
    effects = causal_trace(lens, prompts[:1], ("resid_pre",), samples=1, progress="none")
    assert "own_metrics" not in json.loads(effects.attrs["config_json"])
