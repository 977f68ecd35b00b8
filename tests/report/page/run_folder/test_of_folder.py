"""A page is made anew of its run folder alone: the same page, without torch; what is no run folder says so."""

import html
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))

from made_folder import (
    ACCURACY,
    FINDINGS,
    NOTES,
    PROMPTS,
    change_record,
    make_folder,
    prompts_with_sound_of_16_bits,
    roles_of,
    tokens,
)

import spiritlens as sl
from spiritlens.report.page.run_folder.of_folder import of_folder
from spiritlens.report.page.run_folder.reading import read_run_folder

WITHOUT_TORCH = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "transformers", "transformer_lens", "accelerate"):
            raise ModuleNotFoundError(f"no module named {name}")
sys.meta_path.insert(0, Absent())
from spiritlens.cli import main
sys.argv = ["spiritlens", "page", *sys.argv[1:]]
main()
assert not {"torch", "spiritlens.models", "spiritlens.runs"} & set(sys.modules)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """To be copied."""
    return make_folder(tmp_path_factory.mktemp("runs") / "trace")


@pytest.fixture(scope="module")
def kept(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(made, tmp_path_factory.mktemp("kept") / "trace"))


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "trace"))


def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    line = [sys.executable, "-c", WITHOUT_TORCH, *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=False, env=environment)


def without_sounds(page: Path) -> str:
    """The page without its packed sounds, whose stream has a random number, and without links to what lies beside."""
    text, count = re.subn(r'<script type="text/plain" id="sounds">[^<]+', "", page.read_text(encoding="utf-8"))
    assert count == 1
    return re.sub(r'\s*<h3 id="files-title">.*?</ul>', "", text, flags=re.DOTALL)


def test_everything_is_read_back(kept: Path) -> None:
    run = read_run_folder(kept)
    assert list(run.datasets) == ["by role", "by token"]
    assert run.datasets["by role"].attrs["dose"] == "matched"
    assert run.datasets["by role"].drop_attrs().identical(roles_of().drop_attrs())
    assert run.datasets["by token"].drop_attrs().identical(tokens().drop_attrs())
    for found, given in zip(run.prompts, prompts_with_sound_of_16_bits(), strict=True):
        assert repr(found.to_dict()) == repr(given.to_dict())
        assert (found.waveform is None) == (given.waveform is None)
        if given.waveform is not None:
            assert found.waveform is not None
            assert found.waveform.digest == given.waveform.digest
    assert run.comparison is not None
    assert run.comparison.findings == sl.compare(roles_of(), resamples=20, permutations=20).findings
    assert (run.kept.accuracy, run.kept.findings, run.kept.notes) == (ACCURACY, FINDINGS, NOTES)
    assert run.kept.settings["components"] == ["resid_pre"]
    (maps,) = run.maps
    assert (maps.heading, maps.text, list(maps.groups)) == ("By <what>", "Read <so>.", ["<both>", "neither"])
    assert maps.groups["neither"] is None
    assert maps.groups["<both>"]["mean"].equals(sl.effects.average(roles_of())["mean"])


def test_the_page_holds_what_was_kept(kept: Path, tmp_path: Path) -> None:
    page = of_folder(kept, tmp_path / "page")
    text = html.unescape(page.read_text(encoding="utf-8"))
    assert page == tmp_path / "page" / "index.html"
    for told in (*FINDINGS, *NOTES, "By <what>", "Read <so>.", "70\u00a0%"):
        assert told in text
    assert without_sounds(of_folder(kept)) == without_sounds(page)


def test_the_command_makes_it_without_torch_or_a_model(folder: Path) -> None:
    made = command(str(folder))
    assert made.returncode == 0, made.stderr
    assert made.stdout.strip() == str(folder / "index.html")
    by_command = without_sounds(folder / "index.html")
    assert by_command == without_sounds(of_folder(folder))
    refused = command(str(folder / "wavs"))
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "is no run folder" in refused.stderr


def test_a_folder_with_further_prompts_gives_the_page_of_those_that_were_kept(folder: Path) -> None:
    few = roles_of()["prompt_id"].values.tolist()[:8]
    change_record(folder, lambda values: values["datasets"][0].update(prompts=few[::-1]))
    assert read_run_folder(folder).datasets["by role"]["prompt_id"].values.tolist() == few[::-1]


def test_the_folder_of_one_method_becomes_a_page_of_its_effects(folder: Path) -> None:
    for name in ("page.json", "study.json"):
        (folder / name).unlink()
    sl.effects.save(tokens().isel(prompt=[0, 1, 2, 3]), folder / "effects.nc")  # two are not finished
    run = read_run_folder(folder)
    assert list(run.datasets) == ["effects"]
    assert list(run.prompts) == PROMPTS[:4]
    assert of_folder(folder).is_file()


def test_sounds_that_are_gone_are_told(folder: Path) -> None:
    for path in (folder / "wavs").iterdir():
        path.unlink()
    with pytest.warns(UserWarning, match=r"3 of 3 sounds are not in .*made without them"):
        run = read_run_folder(folder)
    assert all(prompt.waveform is None for prompt in run.prompts)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda values: values.update(schema="spiritlens.page/0"), "has the schema 'spiritlens.page/0'"),
        (lambda values: values.pop("schema"), "has the schema None"),
        (lambda values: values.pop("findings"), "it has or lacks findings"),
        (lambda values: values.update(later=1), "it has or lacks later"),
        (lambda values: values.update(datasets=[]), "it names no dataset"),
        (lambda values: values.update(facts="some"), "facts is 'some'"),
        (lambda values: values.update(findings="They agree."), "where a list of texts should"),
        (lambda values: values["datasets"][0].update(name=3), "3 stands where a text should"),
        (lambda values: values["datasets"][0].pop("file"), "KeyError: 'file'"),
        (lambda values: values["datasets"][0].update(file="../effects.nc"), "would lie outside of the folder"),
        (lambda values: values["maps"][0]["groups"][0].update(file="/etc/passwd"), "would lie outside of the folder"),
        (lambda values: values.update(sounds={"a": "..\\a.wav"}), "would lie outside of the folder"),
        (lambda values: values["datasets"][0]["prompts"].append("ffff"), "lacks 1 of the 17 prompts of the page"),
        (lambda values: values["prompts"].append("ffff"), "lacks 1 of the 7 prompts of the page"),
    ],
)
def test_a_record_that_was_changed_is_one_sentence(folder: Path, change: Any, words: str) -> None:
    change_record(folder, change)
    with pytest.raises(ValueError, match=r"again") as refused:
        of_folder(folder)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (folder / "index.html").exists()


def test_damaged_files_are_named(folder: Path) -> None:
    for name in ("comparison.nc", "cells/both.nc", "tokens/effects.nc", "prompts.parquet", "page.json"):
        path = folder / name
        before = path.read_bytes()
        path.write_bytes(before[: len(before) // 2])
        with pytest.raises(ValueError, match=path.name):
            of_folder(folder)
        path.write_bytes(before)
    (folder / "comparison.nc").unlink()
    with pytest.raises(FileNotFoundError, match=r"comparison\.nc is not there"):
        of_folder(folder)
    assert not (folder / "index.html").exists()


def test_what_is_no_run_folder_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    (folder / "page.json").unlink()
    with pytest.raises(ValueError, match=r"holds a study that is not finished, or is of a version that kept no page"):
        of_folder(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"is no run folder \(it has neither page\.json nor effects\.nc\)"):
        of_folder(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match=r"is not there: give the --out"):
        of_folder(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"is a file: give the --out"):
        of_folder(folder / "effects.nc")


def test_a_page_that_cannot_be_written_leaves_what_was_there(folder: Path, tmp_path: Path) -> None:
    (folder / "index.html").mkdir()
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(ValueError, match=r"index\.html is a folder itself; name another place"):
        of_folder(folder)
    assert sorted(path.name for path in folder.iterdir()) == before
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match=r"is a file; name a folder"):
        of_folder(folder, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "x"
