"""The lines that a page names run what was not run, with the same corruption, samples and seed."""

from pathlib import Path
from typing import Any

import pytest
import xarray as xr

import spiritlens as sl
from spiritlens.models.planted.planted import Planted
from spiritlens.report.page.sections.commands import deeper, lines_of_layer


@pytest.fixture(scope="module")
def machine() -> Planted:
    return sl.planted()


def run(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **names: Any) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    space = {"sl": sl, **names}
    exec(compile(code, "<command>", "exec"), space)
    return space


def test_layers_lead_to_heads_and_heads_to_paths(
    machine: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lens, prompts = machine.lens, [machine.prompts[0], machine.prompts[12]]
    (mover,) = machine.truth.movers
    draws = sl.Draws(2, seed=3)
    effects = sl.causal_trace(
        lens, prompts, sl.Grid(("mlp_out",), at="role"), sl.Noise(0.2), ("logit",), samples=draws, progress="none"
    )
    (first,) = deeper({"by role": effects}, False, "known")
    assert first.what.startswith("Single heads were not run.")
    space = run(first.code, tmp_path, monkeypatch, lens=lens, prompts=prompts, effects=effects)
    heads = space["heads"]
    assert "head" in heads.dims
    for same in ("seed", "samples", "corruption", "noise_scale_text", "noise_scale_speech", "direction"):
        assert heads.attrs[same] == effects.attrs[same]
    assert heads["metric"].values.tolist() == ["logit"]
    xr.testing.assert_allclose(heads["corrupted"], effects["corrupted"])
    (second,) = deeper({"by role": effects, "heads": heads}, False, "known")
    assert f'sl.paths.Sender("z", {mover.layer}, {mover.head})' in second.code
    space = run(second.code, tmp_path, monkeypatch, lens=lens, prompts=prompts, effects=effects, heads=heads)
    assert space["paths"].attrs["schema"] == "spiritlens.paths/1"
    assert (tmp_path / "page" / "index.html").is_file()
    assert deeper({"by role": effects, "heads": heads}, True, "known") == []


def test_what_cannot_be_repeated_has_no_lines(roles: xr.Dataset) -> None:
    assert deeper({"by role": roles.assign_attrs(config_json="{}")}, False, "known") == []
    assert deeper({"by role": roles.assign_attrs(method="activation patching")}, False, "known") == []


def test_lines_of_a_layer_and_a_head_run_as_they_stand(
    machine: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lens, prompts = machine.lens, [machine.prompts[0], machine.prompts[12]]
    (mover,) = machine.truth.movers
    draws = sl.Draws(1, seed=5)
    effects = sl.causal_trace(
        lens, prompts, sl.Grid(("mlp_out",), at="role"), sl.Noise(0.2), ("logit",), samples=draws, progress="none"
    )
    lines = lines_of_layer({"by role": effects})
    assert lines.pop("changed") == ""
    for step, code in lines.items():
        filled = code.replace("@layer@", str(mover.layer)).replace("@head@", str(mover.head))
        space = run(filled, tmp_path, monkeypatch, lens=lens, prompts=prompts, effects=effects)
        at = f"#view=layers&layer={mover.layer}" + ("" if step == "heads" else "&head=")
        assert f"index.html{at}" in capsys.readouterr().out
        if step == "heads":
            assert space["heads"].attrs["seed"] == effects.attrs["seed"]
            continue
        side = "sender" if step.startswith("out of") else "receiver"
        assert set(space["paths"][f"{side}_layer"].values.tolist()) == {mover.layer}
        head = -1 if step.endswith("MLP") else mover.head
        assert set(space["paths"][f"{side}_head"].values.tolist()) == {head}


def test_lines_say_where_they_cannot_repeat(roles: xr.Dataset) -> None:
    lines = lines_of_layer({"by role": roles.assign_attrs(method="activation patching")})
    assert lines["changed"].endswith("these lines do it with the default noise:")
    assert "sl.Noise()" in lines["heads"]
