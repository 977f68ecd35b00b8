"""A trace's folder belongs to one model as it is; prompts join it, and it is checked before anything runs."""

import dataclasses
import hashlib
import shutil
import warnings
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from either_kind import turn_positions
from old_parts import one_prompt_parts

import spiritlens as sl
import spiritlens.analysis.tracing.causal_tracing as tracing
import spiritlens.analysis.tracing.screen as screening
from spiritlens.analysis.grid.grid import Draws, Grid, Screen
from spiritlens.analysis.grid.prompt_folder import fingerprint
from spiritlens.analysis.grid.results import prompt_columns
from spiritlens.analysis.tracing.causal_tracing import causal_trace
from spiritlens.effects.run_directory import RunDirectory
from spiritlens.models.planted.planted import Planted


@pytest.fixture(scope="module")
def planted() -> Planted:
    return sl.planted()


GRID = Grid(("resid_pre",), at="role")


def trace(planted: Planted, folder: Path | None, prompts: Any = None, **settings: Any) -> xr.Dataset:
    chosen = planted.prompts[:2] if prompts is None else prompts
    asked = {"grid": GRID, "samples": 1, "progress": "none", **settings}
    return causal_trace(planted.lens, chosen, folder=folder, **asked)


def state(folder: Path) -> dict[str, tuple[int, int]]:
    """Which files there are, and when each was written."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


@pytest.fixture
def no_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*arguments: object, **settings: object) -> None:
        raise AssertionError("the model was run")

    for name in ("trace_prompt", "knows"):
        monkeypatch.setattr(tracing, name, run)
    monkeypatch.setattr(screening, "attribution_patching", run)


def edit_by_data(planted: Planted) -> None:
    planted.lens.backend.mlp_weights(0).out.weight.data[0, 0] += 1e-3


def edit_without_gradients(planted: Planted) -> None:
    with torch.no_grad():
        planted.lens.backend.mlp_weights(0).out.weight.add_(1)


def edit_positions(planted: Planted) -> None:
    turn_positions(planted.lens.model)


def hook(planted: Planted) -> None:
    planted.lens.model.add_hook("blocks.0.hook_mlp_out", lambda value, hook: value * 0)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (edit_by_data, r"trace\.model_hash: "),
        (edit_without_gradients, r"trace\.model_hash: "),
        (edit_positions, r"trace\.model_hash: "),
        (hook, r"trace\.hooks: '' there, 'blocks\.0\.hook_mlp_out: .*<lambda>"),
    ],
)
def test_another_state_of_the_model_is_refused(change: Callable[[Planted], None], told: str, tmp_path: Path) -> None:
    planted = sl.planted()
    before = trace(planted, tmp_path / "run")
    change(planted)
    with pytest.raises(ValueError, match=f"begun with other settings .*{told}"):
        trace(planted, tmp_path / "run")
    now = trace(planted, None)
    assert (now.attrs["model_hash"], now.attrs["hooks"]) != (before.attrs["model_hash"], before.attrs["hooks"])


def test_other_text_ids_decide_other_numbers(planted: Planted, tmp_path: Path) -> None:
    lens, settings = planted.lens, {"corruption": sl.Noise(0.1)}
    trace(planted, tmp_path, **settings)
    vocabulary = lens.vocabulary
    fewer = sl.prompts.Vocabulary(
        vocabulary.tokenizer, vocabulary.family, vocabulary.size, untrained=frozenset({int(vocabulary.text_ids[-1])})
    )
    other = dataclasses.replace(planted, lens=sl.Lens(lens.model, fewer))
    with pytest.raises(ValueError, match=r"trace\.config_json\.text_ids: "):
        trace(other, tmp_path, **settings)


def test_prompts_join_a_folder(planted: Planted, tmp_path: Path) -> None:
    one, two, three = planted.prompts[0], planted.prompts[12], planted.prompts[1]
    trace(planted, tmp_path, [one, two])
    written = state(one_prompt_parts(tmp_path) / "parts")
    found = trace(planted, tmp_path, [three, one])
    assert found["prompt_id"].values.tolist() == [three.id, one.id]
    assert found.equals(trace(planted, None, [three, one]))
    assert written.items() <= state(tmp_path / "parts").items(), "finished parts are kept"
    assert sl.effects.load(tmp_path / "effects.nc")["prompt_id"].values.tolist() == [one.id, two.id, three.id]
    assert sl.effects.rejoin(tmp_path).changed == {}


def test_a_folder_is_judged_before_the_model_runs_and_a_finished_one_only_read(
    planted: Planted, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    before = trace(planted, tmp_path / "run")
    (tmp_path / "file").write_text("in the way")
    request.getfixturevalue("no_runs")
    for settings in (
        {"samples": Draws(1, seed=1)},
        {"grid": dataclasses.replace(GRID, window=5)},
        {"grid": dataclasses.replace(GRID, direction="noising")},
        {"screen": 0.5},
    ):
        with pytest.raises(ValueError, match="begun with other settings"):
            trace(planted, tmp_path / "run", planted.prompts[:4], **settings)
    with pytest.raises(ValueError, match="is a file; name a folder"):
        trace(planted, tmp_path / "file")
    with pytest.raises(ValueError, match="metric 'guess' is unknown"):
        trace(planted, tmp_path / "new", metrics=["guess"])
    assert not (tmp_path / "new").exists()
    written = state(tmp_path / "run")
    assert trace(planted, tmp_path / "run").equals(before), "a finished folder needs no model"
    assert state(tmp_path / "run") == written, "and is only read"


def test_names_follow_the_call_in_all_files(planted: Planted, tmp_path: Path) -> None:
    before = trace(planted, tmp_path)
    renamed = [
        dataclasses.replace(prompt, fact_id=f"a longer name {n}") for n, prompt in enumerate(planted.prompts[:2])
    ]
    found = trace(planted, tmp_path, renamed)
    names = ["a longer name 0", "a longer name 1"]
    assert found["fact_id"].values.tolist() == names
    assert sl.effects.load(tmp_path / "effects.nc")["fact_id"].values.tolist() == names
    assert sl.effects.rejoin(tmp_path).changed == {}
    assert RunDirectory(tmp_path).read_prompts()["fact_id"].tolist() == names
    assert found["restored"].identical(before["restored"].assign_coords(fact_id=found["fact_id"]))


def test_the_same_tokens_with_other_roles_are_refused(planted: Planted, tmp_path: Path) -> None:
    trace(planted, tmp_path)
    prompt = planted.prompts[0]
    roles = tuple("after subject" if role == "last word" else role for role in prompt.roles)
    with pytest.raises(ValueError, match=f"prompt {prompt.id} is in .* with other roles"):
        trace(planted, tmp_path, [dataclasses.replace(prompt, roles=roles)])


def test_an_upgrade_between_two_prompts_keeps_both_versions(
    planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace(planted, tmp_path, planted.prompts[:1])
    monkeypatch.setattr(sl, "__version__", "9.9.9")
    found = trace(planted, tmp_path)
    monkeypatch.undo()
    assert found.attrs["spiritlens_version"] == f"{sl.__version__}; 9.9.9"
    xr.testing.assert_identical(sl.effects.load(tmp_path / "effects.nc"), found)


def test_damaged_parts_are_told_and_traced_again(planted: Planted, tmp_path: Path) -> None:
    before = trace(planted, tmp_path)
    one_prompt_parts(tmp_path)
    first, second = (tmp_path / "parts" / f"{prompt.id}.nc" for prompt in planted.prompts[:2])
    shutil.copy(second, first)
    content = bytearray(second.read_bytes())
    content[len(content) // 2] ^= 1
    second.write_bytes(content)
    with pytest.warns(
        UserWarning, match=rf"2 parts are damaged .* measured again: .*{first.name} holds the prompt.*{second.name}"
    ):
        assert trace(planted, tmp_path).equals(before)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trace(planted, tmp_path)


def test_damaged_parts_of_other_calls_are_left_out_and_told(planted: Planted, tmp_path: Path) -> None:
    first, second, third = planted.prompts[:3]
    trace(planted, tmp_path, [first, second])
    part = RunDirectory(one_prompt_parts(tmp_path)).part
    shutil.copy(part(second.id), part(first.id))
    with pytest.warns(UserWarning, match=f"lacks 1 prompts of other calls.*{first.id}.nc holds the prompt {second.id}"):
        found = trace(planted, tmp_path, [third])
    assert found["prompt_id"].values.tolist() == [third.id]
    assert sl.effects.load(tmp_path / "effects.nc")["prompt_id"].values.tolist() == [second.id, third.id]
    trace(planted, tmp_path, [first])
    assert sl.effects.load(tmp_path / "effects.nc")["prompt_id"].values.tolist() == [first.id, second.id, third.id]


def test_cells_chosen_together_belong_to_their_prompts(planted: Planted, tmp_path: Path) -> None:
    trace(planted, tmp_path, screen=Screen(0.5, keep="common"))
    with pytest.raises(ValueError, match="screened together"):
        trace(planted, tmp_path, planted.prompts[:3], screen=Screen(0.5, keep="common"))


def test_one_folder_holds_the_units_of_one_speech_encoder(planted: Planted, tmp_path: Path) -> None:
    first, second = planted.prompts[12:14]
    asked = {"grid": GRID, "samples": 1, "progress": "none", "folder": tmp_path / "run"}
    sl.causal_trace(planted.lens, [dataclasses.replace(first, encoder="one"), planted.prompts[0]], **asked)
    with pytest.raises(ValueError, match=r"2 speech encoders \(one, other\)"):
        sl.causal_trace(planted.lens, [dataclasses.replace(second, encoder="other")], **asked)
    sl.causal_trace(planted.lens, [dataclasses.replace(second, encoder="one")], **asked)


def test_a_spoken_prompt_tells_its_encoder() -> None:
    lens = sl.load()
    spoken = lens.speak("The capital of France is", subject="France", answer="Paris")
    assert spoken.encoder == lens.encoder.digest[:16]
    assert lens.text("The capital of France is", subject="France", answer="Paris").encoder == ""


def test_a_folder_resumes_after_an_interruption(lens, prompts, monkeypatch, tmp_path) -> None:
    import spiritlens.analysis.tracing.causal_tracing as module

    whole = causal_trace(lens, prompts, Grid(at="role"), samples=1, progress="none")
    original = module.trace_prompt
    traced: list[str] = []

    def once(lens, prompt, *args, **kwargs):
        if traced:
            raise KeyboardInterrupt
        traced.append(prompt.id)
        return original(lens, prompt, *args, **kwargs)

    monkeypatch.setattr(module, "trace_prompt", once)
    with pytest.raises(KeyboardInterrupt):
        causal_trace(lens, prompts, Grid(at="role"), samples=1, progress="none", folder=tmp_path)
    traced.clear()
    effects = causal_trace(lens, prompts, Grid(at="role"), samples=1, progress="none", folder=tmp_path)
    assert traced == [prompts[1].id], "the first prompt was not traced again"
    assert np.array_equal(effects.restored.values, whole.restored.values, equal_nan=True)
    with pytest.raises(ValueError, match=r"other settings"):
        causal_trace(lens, prompts, Grid(at="role"), samples=Draws(1, seed=1), progress="none", folder=tmp_path)


def test_a_fingerprint_is_the_one_that_folders_hold_already(planted: Planted) -> None:
    """Of each prompt's words, roles, parts and times, of odd ones as well."""
    written = planted.prompts[0]
    size = len(written)
    odd = {"words": ("東\ud800", "", "a\x1fb"), "word_index": (-1,) * (size - 1) + (2,), "aliases": ("é", "")}
    timed = {"starts": (0.0,) * (size - 1) + (1e-300,), "ends": (float("nan"),) * size, "encoder": "e"}
    prints = []
    for prompt in (*planted.prompts[:2], *(dataclasses.replace(written, **change) for change in (odd, timed))):
        texts = (prompt.words, prompt.roles, prompt.parts, (prompt.vocabulary, prompt.encoder, prompt.kind))
        told = (*texts, (prompt.foil_rule,), prompt.aliases)
        words = "".join(f"{len(some)} " + "\x1f".join(some) for some in told).encode("utf-8", "surrogatepass")
        numbers = array("q", prompt.word_index).tobytes() + array("d", prompt.starts + prompt.ends).tobytes()
        prints.append(fingerprint(prompt))
        assert prints[-1] == hashlib.sha256(words + numbers).hexdigest()[:16]
    assert len({*prints}) == 4


def test_columns_of_prompts_have_the_value_of_each(planted: Planted) -> None:
    prompts = [*planted.prompts[:2], dataclasses.replace(planted.prompts[0], voice="v", word_error=0.5)]
    columns = prompt_columns(prompts, [True, False, True])
    assert columns["prompt_id"] == [prompt.id for prompt in prompts]
    assert columns["modality"] == [prompt.kind for prompt in prompts]
    assert columns["subject"] == [prompt.subject.name for prompt in prompts]
    assert columns["voice"][2:] == ["v"]
    assert columns["word_error"][2:] == [0.5]
    assert columns["known"] == [1, 0, 1]
