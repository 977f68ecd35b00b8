"""The plan of a cluster counts what the sweep would run, and its failures add up."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "experiments"))

import plan_cluster as plan

from spiritlens.runs.sweep.cost import ModelShape

TINY = ModelShape(3, 2, 2, 8, 4, 16, 20, 4)
FEW = plan.Settings(facts=40, gpus=4, samples=2, window=1, piece_prompts=8, load_seconds=36, requeue_minutes=6)


def test_a_prompt_is_counted_by_hand() -> None:
    """Five spans of ten tokens, the subject at 4 and 5: rows start at the subject, behind it and at the last token."""
    found = plan.role_plan(TINY, 10, (4, 6), 1)
    assert [column.start for column in found.columns] == [4, 6, 9]
    layers = found.token_layers(1)
    resid, behind = 3 + 2 + 1, 2 * (2 + 1)  # blocks that rows run whole: from their layer on, or from the next one on
    assert layers == (6 + 4 + 1) * (resid + behind)
    assert found.token_layers(2) == 2 * layers
    work = plan.prompt_work(FEW, 10, TINY)
    assert work.token_layers == plan.role_plan(TINY, 10, (4, 7), 1).token_layers(2) + 3 * 10 * 3
    assert work.kept_bytes == 3 * 3 * 7 * (2 * 3 * 4 + 1)


def test_without_failures_the_hours_are_loading_and_the_largest_share() -> None:
    calm = replace(FEW, failures_per_hour=0.0)
    end, deaths, starts, lost = plan.simulated(calm, [45.0, 45.0], 0)
    piece = 8 * 45 / 3600
    assert end == pytest.approx(0.01 + 3 * piece)  # ten pieces on four jobs: three, three, two, two
    assert (deaths, starts) == (0, 4)
    assert lost == pytest.approx(4 * 0.01)


def test_failures_cost_hours_and_are_seeded() -> None:
    rough = replace(FEW, failures_per_hour=4.0, facts=400)
    found = [plan.simulated(rough, [45.0, 45.0], round_) for round_ in range(5)]
    calm = plan.simulated(replace(rough, failures_per_hour=0.0), [45.0, 45.0], 0)
    assert found[0] == plan.simulated(rough, [45.0, 45.0], 0)
    assert len(set(found)) == 5
    assert all(end > calm[0] and deaths > 0 and lost > calm[3] for end, deaths, _, lost in found)
    assert all(starts == 4 + deaths for _, deaths, starts, _ in found)


def test_a_piece_that_fits_no_job_is_told() -> None:
    with pytest.raises(SystemExit, match="no job ends them"):
        plan.simulated(replace(FEW, failures_per_hour=0.0, limit_hours=0.05), [45.0, 45.0], 0)


def test_the_table_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    plan.main(replace(FEW, rounds=2))
    told = capsys.readouterr().out
    assert "40 facts × 2 modalities × 2 samples on 4 GPUs" in told
    assert "not measured" in told
    assert "hours to the end" in told


def test_parts_are_those_of_the_writer() -> None:
    settings = replace(FEW, facts=2000, gpus=4)  # a thousand prompts each, 256 in a part
    assert plan.n_parts(settings, 4000) == 4 * 4
    assert plan.n_parts(settings, 4000 * (1 << 25)) == 4000, "a prompt of 32 MiB fills a part"


def test_the_calibration_counts_processor_seconds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that ticks a second between readings: the shares are those of the counts."""
    ticks = iter(range(10**6))
    monkeypatch.setattr(plan.time, "process_time", lambda: next(ticks))
    monkeypatch.setattr(plan, "SMALL", ModelShape(2, 2, 2, 8, 4, 16, 60, 4))
    plan.calibrate()
    told = capsys.readouterr().out
    layers = plan.role_plan(plan.SMALL, 48, (16, 24), 2).token_layers(10)
    assert f"width 8: {layers:,} token-layers a processor second" in told
    assert "of a matrix product's 2.15" in told, "2 · 1024³ operations in one tick"
