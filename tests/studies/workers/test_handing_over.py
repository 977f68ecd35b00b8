"""Workers of this machine make what one process makes; one that is killed is told, and the same call goes on."""

import contextlib
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from small_study import SETTINGS, command, unlike

import spiritlens as sl
from spiritlens.studies.workers import handing_over
from spiritlens.studies.workers.handing_over import devices_of, hand_over, visible_gpus

WORKERS = sl.studies.Workers


def job(folder: Path, shard: sl.effects.Shard | None = None) -> "sl.studies.StudyJob":
    place = sl.effects.RunFolder(folder, *([] if shard is None else [shard]))
    return sl.studies.StudyJob(sl.studies.Source(), place, SETTINGS)


def test_workers_take_the_gpus_in_turn_and_those_alone_that_are_seen() -> None:
    assert devices_of(None, 3, gpus=2) == ["cuda:0", "cuda:1", "cuda:0"]
    assert devices_of("cuda", 2, gpus=1) == ["cuda:0", "cuda:0"]
    assert devices_of("cpu", 2, gpus=2) == ["cpu", "cpu"]
    assert devices_of("cuda:1", 2, gpus=2) == ["cuda:1", "cuda:1"]
    assert devices_of(None, 2, gpus=0) == [None, None]
    assert visible_gpus(None, 2) == (0, 1)
    assert visible_gpus("4,7", 2) == (4, 7)
    assert visible_gpus("", 0) == ()
    assert visible_gpus("GPU-8a,GPU-9b", 2) == (0, 1)


def test_a_share_is_not_shared_again(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shard 2/3 is one worker's share"):
        hand_over(job(tmp_path, sl.effects.Shard(2, 3)), WORKERS(2))


def test_without_submitit_or_slurm_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ImportError, match=r"pip install 'spiritlens\[cluster\]'"):
        hand_over(job(tmp_path), WORKERS(2))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="there is no sbatch here"):
        hand_over(job(tmp_path), WORKERS(2, "slurm"))


def test_what_slurm_was_given_is_told() -> None:
    told = str(handing_over.Submission("7", 3, "10", Path("run"), Path("run/jobs/now")))
    assert told.startswith("SLURM has an array of 3 jobs, 7, and job 10, which joins them. Logs: run/jobs/now.")
    assert str(handing_over.Submission("", 1, "4", Path("run"), Path("run/jobs/now"))).startswith("SLURM has job 4. ")


def test_more_threads_than_processors_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing_over, "processors", lambda: 8)
    with pytest.warns(UserWarning, match="4 workers of 3 threads share 8 processors and slow each other; threads=2"):
        handing_over.tell_threads(3, 4)
    handing_over.tell_threads(2, 4)
    handing_over.tell_threads(9, 1)


@pytest.mark.slow
def test_a_killed_worker_is_told_and_the_same_command_goes_on_to_what_one_process_makes(
    one_process: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    killed = threading.Thread(target=kill_the_first_at_work, args=(run,))
    killed.start()
    done = command(run, "--workers", "2")
    killed.join()
    assert done.returncode == 1
    told = done.stderr.splitlines()[-1]
    assert told.startswith("spiritlens: 1 of 2 workers ended before their work was done; the same command goes on.")
    assert ": it was killed (log: " in told
    assert not (run / "effects.nc").exists()
    again = command(run, "--workers", "2")
    assert again.returncode == 0, again.stderr
    assert unlike(one_process, run) == []
    assert again.stdout.strip().endswith(f"Page: {run / 'index.html'}")
    made_by = {part.attrs["worker"] for part in map(sl.effects.load, (run / "parts").glob("*.nc"))}
    assert made_by == {"1-of-2", "2-of-2"}


def kill_the_first_at_work(run: Path) -> None:
    """Send SIGKILL to a process that makes a shard of the run, as soon as there is one."""
    start = time.monotonic()
    while time.monotonic() - start < 600:
        for note in (run / "parts").glob(".?-of-2.worker"):
            with contextlib.suppress(OSError, ValueError):  # it ended just now
                os.kill(json.loads(note.read_text())["process"], signal.SIGKILL)
                return
        time.sleep(0.05)
