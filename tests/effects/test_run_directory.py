"""A run directory resumes, refuses what it must refuse, and is shared by processes."""

import contextlib
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from effects_synthetic import token_effects

import spiritlens as sl
from spiritlens.effects import run_directory
from spiritlens.effects.contents import joined, read_contents
from spiritlens.effects.environments import environment
from spiritlens.effects.run_directory import RunDirectory, open_run
from spiritlens.effects.schema import PART_ATTRIBUTES
from spiritlens.effects.shards import Shard


def test_a_run_resumes_and_is_joined_in_any_order(tmp_path: Path) -> None:
    effects = token_effects(n_facts=2)
    ids = effects["prompt_id"].values.tolist()
    run = open_run(tmp_path / "run", {"seed": 0, "samples": 2})
    run.write_part("b", effects.isel(prompt=[1, 2]))
    again = open_run(tmp_path / "run", {"samples": 2, "seed": 0})
    assert again.done == ("b",)
    again.write_part("a", effects.isel(prompt=[0, 3]), worker="1-of-2", seconds=2.5)
    assert again.read_part("a").attrs["worker"] == "1-of-2"
    order = [ids[place] for place in (3, 1, 0, 2)]
    found = again.write_effects(joined(again, order, read_contents(again).where))
    assert found["prompt_id"].values.tolist() == order
    expected = effects.isel(prompt=[3, 1, 0, 2]).assign_coords(prompt=range(4))
    xr.testing.assert_equal(found, expected)
    assert not set(PART_ATTRIBUTES) & set(found.attrs)
    xr.testing.assert_identical(sl.effects.load(tmp_path / "run" / "effects.nc"), found)
    assert (tmp_path / "run" / "environment.json").is_file()


def test_another_configuration_is_refused_with_the_difference(tmp_path: Path) -> None:
    open_run(tmp_path, {"seed": 0, "samples": 2})
    with pytest.raises(ValueError, match="samples: 2 there, 3 here"):
        open_run(tmp_path, {"seed": 0, "samples": 3})
    with pytest.raises(ValueError, match=r"scale: 'not set' there, 1\.5 here"):
        open_run(tmp_path, {"seed": 0, "samples": 2, "scale": 1.5})


def test_parts_without_a_configuration_are_refused(tmp_path: Path) -> None:
    RunDirectory(tmp_path).write_part("a", token_effects(n_facts=1))
    with pytest.raises(ValueError, match="what made them is unknown"):
        open_run(tmp_path, {})


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    run = open_run(tmp_path, {})
    path = run.write_part("a", token_effects(n_facts=1))
    path.write_bytes(path.read_bytes()[:100])
    assert "a.nc cannot be read as netCDF" in read_contents(run).damaged["a"]
    with pytest.raises(ValueError, match=r"a\.nc cannot be read as netCDF"):
        joined(run, ["fact 0 T2T"], {"fact 0 T2T": "a"})


def test_a_damaged_configuration_is_named(tmp_path: Path) -> None:
    open_run(tmp_path, {})
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json is not JSON"):
        open_run(tmp_path, {})


def test_an_interrupted_write_leaves_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = open_run(tmp_path, {})

    def stop(temporary: Path, path: Path) -> None:
        assert temporary.is_file()
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        run.write_part("a", token_effects(n_facts=1))
    assert run.done == ()
    assert list((tmp_path / "parts").iterdir()) == []


def test_part_names_are_plain(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="plain file name"):
        open_run(tmp_path / "run", {}).write_part("../a", token_effects(n_facts=1))


def test_prompts_round_trip(tmp_path: Path) -> None:
    run = open_run(tmp_path, {})
    run.write_prompts([{"prompt_id": "a", "ids": [1, 2]}, {"prompt_id": "b", "ids": [3]}])
    assert run.read_prompts()["prompt_id"].tolist() == ["a", "b"]
    assert list(run.read_prompts()["ids"][1]) == [3]


def test_no_flipped_bit_of_the_prompts_is_believed(tmp_path: Path) -> None:
    run = open_run(tmp_path, {})
    path = run.write_prompts(
        [{"id": "a", "fact_id": "paris", "ids": [1, 2]}, {"id": "b", "fact_id": "oslo", "ids": [3]}]
    )
    whole, rows = path.read_bytes(), run.read_prompts().to_csv()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with contextlib.suppress(ValueError):
            assert run.read_prompts().to_csv() == rows, place


def test_environment_names_versions_without_importing() -> None:
    assert environment()["packages"]["numpy"] == np.__version__


def test_differences_are_told_by_their_own_names_and_lists_by_counts(tmp_path: Path) -> None:
    calls = [json.dumps({"sever": sever, "metrics": ["logit"]}) for sever in ("none", "mlp")]
    first, second = ({"trace": {"config_json": call, "scale": float("nan")}} for call in calls)
    open_run(tmp_path / "nested", first)
    open_run(tmp_path / "nested", first)
    with pytest.raises(ValueError, match=r"settings \(trace\.config_json\.sever: 'none' there, 'mlp' here\)"):
        open_run(tmp_path / "nested", second)
    open_run(tmp_path / "lists", {"prompts": [f"id {place}" for place in range(40)]})
    with pytest.raises(ValueError, match=r"\(prompts: 40 there, 41 here, 0 only there, 1 only here\)"):
        open_run(tmp_path / "lists", {"prompts": [f"id {place}" for place in range(41)]})
    with pytest.raises(ValueError, match="0 only there, 0 only here; the same in another order"):
        open_run(tmp_path / "lists", {"prompts": [f"id {39 - place}" for place in range(40)]})
    layers = [{"window_layers": {str(layer): [layer, layer + width] for layer in range(20)}} for width in (0, 1)]
    open_run(tmp_path / "window", layers[0])
    with pytest.raises(ValueError, match=r"window_layers\.0: \[0, 0\] there, \[0, 1\] here, and 19 more beside it"):
        open_run(tmp_path / "window", layers[1])


def test_environments_are_all_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = open_run(tmp_path, {})
    assert not (tmp_path / "environment.json").exists(), "it tells what wrote parts"
    run.write_part("a", token_effects(n_facts=1))
    run.write_part("b", token_effects(n_facts=1))
    now = environment()
    monkeypatch.setattr(run_directory, "environment", lambda: {**now, "python": "3.99"})
    run.write_part("c", token_effects(n_facts=1))
    found = json.loads((tmp_path / "environment.json").read_text(encoding="utf-8"))
    assert [one["python"] for one in found] == [now["python"], "3.99"]


def test_numpy_numbers_are_numbers_and_kinds_are_told_apart(tmp_path: Path) -> None:
    open_run(tmp_path, {"seed": np.int64(1), "scale": np.float32(0.5)})
    open_run(tmp_path, {"seed": 1, "scale": 0.5})
    for seed in (1.0, True, "1"):
        with pytest.raises(ValueError, match="seed: 1 there"):
            open_run(tmp_path, {"seed": seed, "scale": 0.5})
    with pytest.raises(ValueError, match="configuration cannot be written as JSON"):
        open_run(tmp_path / "other", {"seed": {1}})


def test_temporary_files_of_killed_writers_are_swept(tmp_path: Path) -> None:
    open_run(tmp_path, {})
    left = [tmp_path / ".spiritlens-1-a.tmp", tmp_path / "parts" / ".spiritlens-1-b.tmp"]
    for path in left:
        path.write_bytes(b"half")
    open_run(tmp_path, {})
    assert not any(path.exists() for path in left)


def test_a_shard_is_made_by_one_process_at_a_time(tmp_path: Path) -> None:
    run, shard = open_run(tmp_path, {}), Shard(2, 3)
    with run.at_work(shard):
        assert run.running() == ("2-of-3",)
        told = rf"is at work on shard 2/3 of this run \(process {os.getpid()} on .*, since 2.*\): wait"
        with pytest.raises(ValueError, match=told), RunDirectory(tmp_path).at_work(shard):
            pass
        for other in (Shard(), Shard(1, 2)):
            with (
                pytest.raises(ValueError, match=r"shard 2/3 of this run .*: wait until it has ended"),
                run.at_work(other),
            ):
                pass
        with run.at_work(Shard(1, 3)):
            assert run.running() == ("1-of-3", "2-of-3")
    assert run.running() == ()
    with run.at_work(), pytest.raises(ValueError, match="at work on this run"), run.at_work(shard):
        pass


def test_a_killed_process_holds_no_shard(tmp_path: Path) -> None:
    run = open_run(tmp_path, {})
    child = os.fork()
    if not child:
        with run.at_work():
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert run.running() == ()
    with run.at_work():
        assert run.running() == ("1-of-1",)


def test_effects_that_are_there_are_not_written_again(tmp_path: Path) -> None:
    run, effects = open_run(tmp_path, {}), token_effects(n_facts=1)
    run.write_effects(effects)
    written = (tmp_path / "effects.nc").stat().st_mtime_ns
    run.write_effects(effects)
    assert (tmp_path / "effects.nc").stat().st_mtime_ns == written
    (tmp_path / "effects.nc").write_bytes(b"damaged")
    xr.testing.assert_identical(run.write_effects(effects), sl.effects.load(tmp_path / "effects.nc"))
