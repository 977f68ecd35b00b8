"""Every prompt falls to one shard, whoever else is at work; schedulers say which shard a process is."""

import pytest

from spiritlens.effects.shards import RunFolder, Shard, given_run_folder, parsed_shard, shard_of_environment


@pytest.mark.parametrize("of", [1, 2, 3, 7, 50])
def test_shards_share_all_prompts_evenly(of: int) -> None:
    sizes = [12, 48] * 20 + [30]
    shares = [Shard(number, of).places(sizes) for number in range(1, of + 1)]
    assert sorted(place for share in shares for place in share) == list(range(41))
    loads = [sum(sizes[place] for place in share) for share in shares]
    assert max(loads) - min(loads) <= max(sizes)
    assert all(list(share) == sorted(share) for share in shares)


def test_a_shard_is_read_from_a_text_and_from_schedulers() -> None:
    assert parsed_shard("2/8") == Shard(2, 8)
    assert (str(Shard(2, 8)), Shard(2, 8).label) == ("2/8", "2-of-8")
    assert shard_of_environment({"RANK": "0", "WORLD_SIZE": "4"}) == Shard(1, 4)
    array = {"SLURM_ARRAY_TASK_ID": "9", "SLURM_ARRAY_TASK_COUNT": "3"}
    assert shard_of_environment({**array, "SLURM_ARRAY_TASK_MIN": "5", "SLURM_ARRAY_TASK_STEP": "2"}) == Shard(3, 3)
    step = {"SLURM_PROCID": "1", "SLURM_NTASKS": "4"}
    assert shard_of_environment(step) == Shard(2, 4)
    assert shard_of_environment({**array, **step, "SLURM_ARRAY_TASK_MIN": "9"}) == Shard(2, 12)
    script = {"SLURM_PROCID": "0", "SLURM_NTASKS": "4", "ENVIRONMENT": "BATCH"}
    assert shard_of_environment(script) == Shard(), "a batch script is no task of a step"
    assert shard_of_environment({**script, "SLURM_STEP_ID": "0"}) == Shard(1, 4)
    assert shard_of_environment({"RANK": "1"}) == shard_of_environment({}) == Shard()
    with pytest.raises(ValueError, match="RANK='x': expected a whole number"):
        shard_of_environment({"RANK": "x", "WORLD_SIZE": "2"})


@pytest.mark.parametrize("text", ["", "2", "2/", "/2", "a/b", "2/8/3", "-1/2", None, 5])
def test_odd_texts_are_refused_with_an_example(text: object) -> None:
    with pytest.raises(ValueError, match=r"such as 2/8"):
        parsed_shard(text)


@pytest.mark.parametrize(("number", "of", "told"), [(0, 2, "number=0"), (3, 2, "the last of 2"), (1, 0, "of=0")])
def test_shards_that_cannot_be_are_refused(number: int, of: int, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Shard(number, of)


def test_folders_within_are_shared_alike() -> None:
    place = RunFolder("run", Shard(2, 3), accept_versions=True)
    assert place.within("tokens") == RunFolder("run/tokens", Shard(2, 3), accept_versions=True)
    assert given_run_folder("run") == RunFolder("run")
    assert given_run_folder(place) is place
    for given in ({"path": 5}, {"path": "run", "shard": "2/3"}, {"path": "run", "accept_versions": "yes"}):
        with pytest.raises(ValueError, match="expected"):
            RunFolder(**given)
