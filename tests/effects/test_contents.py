"""Which prompt lies in which part; each is read once, under its present names."""

from pathlib import Path

import xarray as xr
from effects_synthetic import token_effects

from spiritlens.effects.contents import joined, named_as, read_contents, stored_names
from spiritlens.effects.run_directory import RunDirectory


def test_a_prompt_that_two_parts_hold_counts_once(tmp_path: Path) -> None:
    run, effects = RunDirectory(tmp_path), token_effects(n_facts=2)
    ids = effects["prompt_id"].values.tolist()
    run.write_part("a", effects.isel(prompt=[0, 1]))
    run.write_part("b", effects.isel(prompt=[1, 2, 3]))
    where = read_contents(run).where
    assert where == dict(zip(ids, ("a", "a", "b", "b"), strict=True))
    xr.testing.assert_equal(joined(run, ids, where), effects)


def test_a_subset_has_no_padding_of_others(tmp_path: Path) -> None:
    run, effects = RunDirectory(tmp_path), token_effects(n_facts=2)
    run.write_part("a", effects)
    written = effects["modality"].values == "T2T"
    ids = effects["prompt_id"].values[written].tolist()
    found = joined(run, ids, read_contents(run).where)
    shorter = effects.isel(prompt=written)
    length = int((shorter["token_family"] != "").any("prompt").sum())
    assert found.sizes["pos"] == length < effects.sizes["pos"]
    assert (found["restored"].values == shorter["restored"].isel(pos=slice(0, length)).values).all()


def test_names_are_those_of_the_table(tmp_path: Path) -> None:
    run, effects = RunDirectory(tmp_path), token_effects(n_facts=1)
    ids = effects["prompt_id"].values.tolist()
    run.write_prompts([{"id": name, "fact_id": f"new {name}", "kind": "T2T"} for name in ids])
    found = named_as(effects, stored_names(run, ids))
    assert found["fact_id"].values.tolist() == [f"new {name}" for name in ids]
    assert named_as(effects, stored_names(run, [*ids, "other"])) is effects
