"""A run that shards share holds what one process makes, bit by bit; what fails is left out and told."""

import dataclasses
import json
import os
import shutil
import stat
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import spiritlens as sl
import spiritlens.analysis.tracing.causal_tracing as tracing
from spiritlens.analysis.grid import prompt_folder
from spiritlens.effects import environments
from spiritlens.effects.netcdf import differences
from spiritlens.effects.shards import EmptyShard
from spiritlens.models.planted.planted import Planted

GRID = sl.Grid(("resid_pre",), at="token")


@pytest.fixture(scope="module")
def planted() -> Planted:
    return sl.planted()


@pytest.fixture(scope="module")
def prompts(planted: Planted) -> list[Any]:
    return [*planted.prompts[:3], *planted.prompts[12:14]]


def trace(planted: Planted, prompts: Any, folder: Any = None, **more: Any) -> xr.Dataset:
    return sl.causal_trace(planted.lens, prompts, GRID, samples=2, progress="none", folder=folder, **more)


@pytest.fixture(scope="module")
def whole(planted: Planted, prompts: list[Any]) -> xr.Dataset:
    return trace(planted, prompts)


def same(one: xr.Dataset, other: xr.Dataset) -> bool:
    return not differences(one.assign_attrs(created=""), other.assign_attrs(created=""))


def test_shards_make_what_one_process_makes(
    planted: Planted, prompts: list[Any], whole: xr.Dataset, tmp_path: Path
) -> None:
    made = [trace(planted, prompts, sl.effects.RunFolder(tmp_path, sl.effects.Shard(n, 2))) for n in (2, 1)]
    assert sum(part.sizes["prompt"] for part in made) == 5
    assert not (tmp_path / "effects.nc").exists()
    assert same(trace(planted, prompts, tmp_path), whole)
    assert same(sl.effects.load(tmp_path / "effects.nc"), whole)
    (report,) = sl.effects.inspect(tmp_path)
    assert [(one.label, one.running) for one in report.workers] == [("1-of-2", False), ("2-of-2", False)]
    assert (report.finished, report.waiting, report.hours_left) == (5, 0, 0.0)


def test_a_shard_without_prompts_is_told(planted: Planted, prompts: list[Any], tmp_path: Path) -> None:
    with pytest.raises(EmptyShard, match="shard 3/3 has none of the prompts"):
        trace(planted, prompts[:2], sl.effects.RunFolder(tmp_path, sl.effects.Shard(3, 3)))


def test_runs_of_two_machines_are_merged(
    planted: Planted, prompts: list[Any], whole: xr.Dataset, tmp_path: Path
) -> None:
    for number in (1, 2):
        trace(planted, prompts, sl.effects.RunFolder(tmp_path / str(number), sl.effects.Shard(number, 2)))
    trace(planted, prompts[:1], tmp_path / "1")
    for name, lines in {
        "1/answers.jsonl": "a\n",
        "1/answers/2-of-2.jsonl": "b\u2028b\n",
        "2/answers/2-of-2.jsonl": "b\u2028b\nc",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(lines, encoding="utf-8")
    (report,) = sl.effects.merge([tmp_path / "1", tmp_path / "2"], tmp_path / "all")
    assert (report.finished, report.joined) == (5, True)
    assert same(sl.effects.load(tmp_path / "all" / "effects.nc"), whole)
    names = sorted(path.name for path in (tmp_path / "all" / "parts").glob("*.nc"))
    sl.effects.merge([tmp_path / "2", tmp_path / "1"], tmp_path / "all")
    assert sorted(path.name for path in (tmp_path / "all" / "parts").glob("*.nc")) == names
    assert (tmp_path / "all" / "answers.jsonl").read_text(encoding="utf-8") == "a\nb\u2028b\nc\n"
    trace(planted, prompts, tmp_path / "other", screen=0.5)
    with pytest.raises(ValueError, match=r"other settings.*screen"):
        sl.effects.merge([tmp_path / "other"], tmp_path / "all")


def test_a_merge_names_versions_that_differ(
    planted: Planted, prompts: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace(planted, prompts[:1], tmp_path / "1")
    monkeypatch.setattr(environments, "version", lambda package: "99.0")
    trace(planted, prompts[1:2], tmp_path / "2")
    (tmp_path / "2" / "environment.json").unlink()
    with pytest.warns(UserWarning, match=r"all now holds .*torch [\w.+]+ and 99\.0.*they are merged"):
        sl.effects.merge([tmp_path / "1", tmp_path / "2"], tmp_path / "all")


@pytest.mark.parametrize("error", [ValueError("its subject is lost"), RuntimeError("rank 3"), MemoryError("no")])
def test_one_bad_prompt_is_recorded_and_skipped(
    error: Exception,
    planted: Planted,
    prompts: list[Any],
    whole: xr.Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = tracing.trace_prompt

    def failing(lens: Any, prompt: Any, *rest: Any, **more: Any) -> xr.Dataset:
        if prompt.id == prompts[1].id:
            raise error
        return original(lens, prompt, *rest, **more)

    monkeypatch.setattr(tracing, "trace_prompt", failing)
    with pytest.warns(UserWarning, match=rf"1 prompts could not be measured .*{prompts[1].id}.*{error}"):
        found = trace(planted, prompts, tmp_path)
    assert found["prompt_id"].values.tolist() == [prompts[place].id for place in (0, 2, 3, 4)]
    (report,) = sl.effects.inspect(tmp_path)
    assert report.failures == {f"{type(error).__name__}: {error}": 1}
    assert (report.finished, report.waiting) == (4, 0)
    assert "failed 1 ×" in repr(report)
    monkeypatch.undo()
    assert same(trace(planted, prompts, tmp_path), whole)
    assert sl.effects.inspect(tmp_path)[0].failures == {}


def test_failures_are_recorded_as_they_come(
    planted: Planted, prompts: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a run that is killed, or goes on for days, tells what failed, and by which worker."""
    shard = sl.effects.RunFolder(tmp_path, sl.effects.Shard(1, 2))
    told: list[Any] = []

    def failing(lens: Any, prompt: Any, *rest: Any, **more: Any) -> xr.Dataset:
        if told:
            told.append(sl.effects.inspect(tmp_path)[0])
            raise KeyboardInterrupt
        told.append(prompt.id)
        raise ValueError("its subject is lost")

    monkeypatch.setattr(tracing, "trace_prompt", failing)
    with pytest.raises(KeyboardInterrupt):
        trace(planted, prompts, shard)
    _, report = told
    assert report.failures == {"ValueError: its subject is lost": 1}
    (worker,) = report.workers
    assert (worker.label, worker.prompts, worker.failures, worker.running) == ("1-of-2", 0, 1, True)
    assert str(worker) == "1-of-2: 0 prompts, 1 failed, at work"


def test_a_failed_device_and_faults_of_the_program_end_the_call(
    planted: Planted, prompts: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error in (RuntimeError("CUDA error: an illegal memory access"), AssertionError("never"), OSError("no room")):
        monkeypatch.setattr(tracing, "trace_prompt", lambda *rest, error=error, **more: (_ for _ in ()).throw(error))
        with pytest.raises(type(error), match=str(error)):
            trace(planted, prompts, tmp_path)
    monkeypatch.setattr(tracing, "trace_prompt", lambda *rest, **more: (_ for _ in ()).throw(ValueError("all")))
    with (
        pytest.warns(match="left out"),
        pytest.raises(ValueError, match=r"none of the 5 prompts could.*all"),
    ):
        trace(planted, prompts, tmp_path)


def test_other_versions_are_refused_before_anything_runs_unless_accepted(
    planted: Planted, prompts: list[Any], whole: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace(planted, prompts[:2], tmp_path)
    monkeypatch.setattr(environments, "version", lambda package: "99.0")
    with pytest.raises(ValueError, match=r"torch .* there, 99\.0 here.*accept_versions=True"):
        trace(planted, prompts, tmp_path)
    assert trace(planted, prompts[:2], tmp_path).sizes["prompt"] == 2, "what is finished is only read"
    with pytest.warns(UserWarning, match="as accepted"):
        found = trace(planted, prompts, sl.effects.RunFolder(tmp_path, accept_versions=True))
    assert found.equals(whole)


def test_each_part_tells_the_versions_that_made_it(
    planted: Planted, prompts: list[Any], whole: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that other versions left unfilled is not filled on, and parts alone tell their versions too."""
    trace(planted, prompts[:2], tmp_path)
    now = environments.environment()
    monkeypatch.setattr(environments, "version", lambda package: "99.0")
    place = sl.effects.RunFolder(tmp_path, accept_versions=True)
    with pytest.warns(UserWarning, match="as accepted"):
        trace(planted, prompts[:3], place)
    with pytest.warns(UserWarning, match="as accepted"):
        assert trace(planted, prompts, place).equals(whole), "the same versions fill their part on"
    parts = [sl.effects.load(path) for path in sorted((tmp_path / "parts").glob("*.nc"))]
    made_by = [json.loads(part.attrs["environment"])["packages"]["torch"] for part in parts]
    assert [part.sizes["prompt"] for part in parts] == [2, 3]
    assert made_by == [now["packages"]["torch"], "99.0"]
    monkeypatch.undo()
    (tmp_path / "environment.json").unlink()
    with pytest.raises(ValueError, match=r"torch 99\.0 there"):
        trace(planted, planted.prompts[:6], tmp_path)


def test_a_finished_run_is_only_read_and_needs_no_permission_to_write(
    planted: Planted, prompts: list[Any], whole: xr.Dataset, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    trace(planted, prompts, folder)
    places = [folder, *folder.rglob("*")]
    before = {path: path.stat().st_mtime_ns for path in places}
    for path in places:
        path.chmod(stat.S_IRUSR | (stat.S_IXUSR if path.is_dir() else 0))
    try:
        assert same(trace(planted, prompts, folder), whole)
        assert trace(planted, prompts[2:3], folder).equals(trace(planted, prompts[2:3]))
        assert {path: path.stat().st_mtime_ns for path in places} == before
        if os.geteuid():
            with pytest.raises(OSError, match="cannot be written"):
                trace(planted, planted.prompts[:6], folder)
    finally:
        for path in places:
            path.chmod(stat.S_IRWXU)


def test_facts_may_be_added_to_a_folder(
    planted: Planted, prompts: list[Any], whole: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace(planted, prompts[:3], tmp_path)
    traced: list[str] = []
    original = tracing.trace_prompt

    def counted(lens: Any, prompt: Any, *rest: Any, **more: Any) -> xr.Dataset:
        traced.append(prompt.id)
        return original(lens, prompt, *rest, **more)

    monkeypatch.setattr(tracing, "trace_prompt", counted)
    assert same(trace(planted, prompts, tmp_path), whole)
    assert traced == [prompt.id for prompt in prompts[3:]]


def test_clocks_that_differ_decide_nothing(
    planted: Planted, prompts: list[Any], whole: xr.Dataset, tmp_path: Path
) -> None:
    """Files of the year 2106 and of 1970, as machines with wrong clocks leave them."""
    trace(planted, prompts[:3], tmp_path)
    for number, path in enumerate(sorted(tmp_path.rglob("*"))):
        os.utime(path, (4294967295 * (number % 2),) * 2)
    assert same(trace(planted, prompts, tmp_path), whole)


def decay(part: Path) -> None:
    """One bit turns over, and neither size nor time of change tell."""
    found = part.stat()
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    os.utime(part, ns=(found.st_atime_ns, found.st_mtime_ns))


@pytest.mark.parametrize("then", ["more prompts", "effects.nc is lost"])
def test_a_part_that_decayed_is_told_and_measured_again(
    then: str, planted: Planted, prompts: list[Any], whole: xr.Dataset, tmp_path: Path
) -> None:
    trace(planted, prompts[:3] if then == "more prompts" else prompts, tmp_path)
    decay(tmp_path / "parts" / "1-of-1.000001.nc")
    if then != "more prompts":
        (tmp_path / "effects.nc").unlink()
    with pytest.warns(UserWarning, match=r"1 parts are damaged and kept as \.damaged.*checksum"):
        assert same(trace(planted, prompts, tmp_path), whole)
    assert sl.effects.inspect(tmp_path)[0].damaged == ()


def test_a_damaged_part_of_other_shards_is_told_and_measured_again(
    planted: Planted, prompts: list[Any], whole: xr.Dataset, tmp_path: Path
) -> None:
    """Made by two shards, gone on with by three, none of which wrote the part; the whole puts it aside."""

    def shards(of: int) -> None:
        for number in range(1, of + 1):
            trace(planted, prompts, sl.effects.RunFolder(tmp_path, sl.effects.Shard(number, of)))

    shards(2)
    trace(planted, prompts, tmp_path)
    decay(tmp_path / "parts" / "1-of-2.000001.nc")
    (tmp_path / "effects.nc").unlink()
    with pytest.warns(UserWarning, match=r"1 parts of other shards are damaged; their prompts are measured again"):
        shards(3)
    with pytest.warns(UserWarning, match=r"1 parts are damaged and kept as \.damaged"):
        assert same(trace(planted, prompts, tmp_path), whole)
    assert (tmp_path / "parts" / "1-of-2.000001.damaged").is_file()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert same(trace(planted, prompts, tmp_path), whole)


def test_a_shards_own_damaged_part_and_anothers_are_told_apart(
    planted: Planted, prompts: list[Any], tmp_path: Path
) -> None:
    shards = [sl.effects.RunFolder(tmp_path, sl.effects.Shard(number, 2)) for number in (1, 2)]
    for shard in shards:
        trace(planted, prompts, shard)
    for number in (1, 2):
        decay(tmp_path / "parts" / f"{number}-of-2.000001.nc")
    with pytest.warns(UserWarning, match="1 parts .* damaged") as found:
        trace(planted, prompts, shards[0])
    told = {str(one.message).partition(" parts ")[2].partition(":")[0]: str(one.message) for one in found}
    for words, own, other in (("and kept as .damaged", "1-of-2", "2-of-2"), ("of other shards", "2-of-2", "1-of-2")):
        (message,) = [message for start, message in told.items() if words in start]
        assert message.startswith("1 parts ")
        assert f"{own}.000001" in message
        assert f"{other}.000001" not in message


def test_thousands_of_prompts_are_looked_up_by_columns(
    planted: Planted, prompts: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resume reads the rows of prompts.parquet as rows where prompts are new or changed alone."""
    trace(planted, prompts, tmp_path)
    monkeypatch.setattr(prompt_folder, "_rows", lambda table: pytest.fail("rows were read"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trace(planted, prompts, tmp_path)
    monkeypatch.undo()
    renamed = [dataclasses.replace(prompts[0], relation="other"), *prompts[1:]]
    assert trace(planted, renamed, tmp_path)["relation"].values[0] == "other"


def test_verify_traces_cells_anew_and_finds_what_is_wrong(planted: Planted, prompts: list[Any], tmp_path: Path) -> None:
    for name, grid in {"run": GRID, "heads": sl.Grid(("z",), at="role"), "run/words": sl.Grid(at="word")}.items():
        sl.causal_trace(planted.lens, prompts, grid, samples=2, progress="none", folder=tmp_path / name)
    found = sl.tracing.verify(planted.lens, tmp_path, cells=6, seed=1)
    assert [one.folder for one in found] == [tmp_path / name for name in ("heads", "run", "run/words")]
    assert all(one.cells == 6 and one.wrong == () and one.unchecked == "" for one in found)
    assert all(one.largest < 1e-5 for one in found)
    assert "nothing is wrong" in repr(found[0])
    part = tmp_path / "heads" / "parts" / "1-of-1.000001.nc"
    kept = sl.effects.load(part)
    (every,) = sl.tracing.verify(planted.lens, tmp_path / "heads", cells=10**4)
    assert every.cells == int((kept["status"] == 0).sum()), "each once, however many are asked for"
    shifted = kept.assign(restored=kept["restored"] + 0.01 * (kept["status"] == 0))
    sl.effects.save(shifted.transpose(*kept["restored"].dims, ...), part)
    (wrong,) = sl.tracing.verify(planted.lens, tmp_path / "heads", cells=6)
    assert len(wrong.wrong) == wrong.cells > 0
    assert wrong.largest == pytest.approx(0.01, abs=1e-4)
    part.write_bytes(part.read_bytes()[:-100])
    assert "cannot be read" in sl.tracing.verify(planted.lens, tmp_path / "heads")[0].wrong[0]


def test_verify_says_what_it_cannot_make_anew(planted: Planted, prompts: list[Any], tmp_path: Path) -> None:
    sl.lenses.logit_lens(planted.lens, prompts, folder=tmp_path / "lens", progress="none")
    assert "no trace" in sl.tracing.verify(planted.lens, tmp_path)[0].unchecked
    shutil.rmtree(tmp_path / "lens")
    trace(planted, prompts, tmp_path / "run")
    other = sl.planted()
    other.lens.backend.mlp_weights(0).out.weight.data[0, 0] += 1e-3
    assert "another model" in sl.tracing.verify(other.lens, tmp_path)[0].unchecked
    with pytest.raises(ValueError, match="holds no run"):
        sl.tracing.verify(planted.lens, tmp_path / "nothing")


def test_a_run_under_way_tells_hours_left(planted: Planted, prompts: list[Any], tmp_path: Path) -> None:
    trace(planted, prompts[:1], tmp_path)
    trace(planted, prompts, sl.effects.RunFolder(tmp_path, sl.effects.Shard(1, 3)))
    (report,) = sl.effects.inspect(tmp_path)
    seconds = sum(worker.seconds for worker in report.workers)
    assert report.asked == 5
    assert 1 < report.finished < 5
    expected = report.waiting * seconds / report.finished / 3600
    assert np.isclose(report.hours_left, expected)
    assert f"{report.waiting} wait, about" in repr(report)


def test_a_study_that_asks_still_tells_how_far_it_is(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text("{}")
    (report,) = sl.effects.inspect(tmp_path)
    assert (report.asked, report.answered) == (0, 0)
    (tmp_path / "answers").mkdir()
    for name, facts in {"answers.jsonl": "ab", "answers/1-of-2.jsonl": "bc"}.items():
        lines = [json.dumps({"fact": fact, "kind": kind}) for fact in facts for kind in ("T2T", "S2T")]
        (tmp_path / name).write_text("\n".join([*lines, '{"fact": "cut']))
    assert "answers of 3 facts are kept" in repr(sl.effects.inspect(tmp_path)[0])
