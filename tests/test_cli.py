"""The command line: what a script can rely on, and one line instead of a traceback."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import spiritlens as sl
from spiritlens import cli
from spiritlens.models import loading
from spiritlens.speech.engines.process import EngineError
from spiritlens.studies import cost
from spiritlens.studies import study as studies


@dataclass(frozen=True)
class Checked:
    agrees: bool


@pytest.mark.parametrize(("agrees", "code"), [(True, None), (False, 1)])
def test_check_fails_where_the_models_differ(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], agrees: bool, code: int | None
) -> None:
    monkeypatch.setattr(loading, "load", lambda folder, dtype, device: None)
    monkeypatch.setattr(sl, "selfcheck", lambda lens: Checked(agrees))
    if code is None:
        cli.check(Path("model"))
    else:
        with pytest.raises(SystemExit) as stopped:
            cli.check(Path("model"))
        assert stopped.value.code == code
    assert f"agrees={agrees}" in capsys.readouterr().out


def failing(error: Exception) -> Callable[[], None]:
    def voices() -> None:
        raise error

    return voices


@pytest.mark.parametrize("error", [EngineError("no festival here"), PermissionError("not yours"), ValueError("wrong")])
def test_errors_of_engines_files_and_users_are_one_line(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setitem(cli.COMMANDS, "voices", failing(error))
    monkeypatch.setattr(sys, "argv", ["spiritlens", "voices"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == f"spiritlens: {error}"


def test_what_align_prints_is_read_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = (sl.speech.WordInterval("the", 0.0, 0.107), sl.speech.WordInterval("capital", 0.107, 1234.571))
    monkeypatch.setattr(sl.speech, "align", lambda audio, text: words)
    cli.align(Path("me.wav"), "the capital")
    printed = tmp_path / "words.txt"
    printed.write_text(capsys.readouterr().out)
    assert sl.speech.read_words(printed) == words


def told(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    """What the command line ends with: a line, or an exit code."""
    monkeypatch.setattr(sys, "argv", ["spiritlens", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return stopped.value.code


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--facts", "none.json"), "no facts at 'none.json'"),
        (("--phrasing", "sung"), "phrasing 'sung' is unknown to fact capital/france; choose one of first"),
        (("--voice", "espeak:en-xx"), "has no voice of the accent or language 'en-xx'"),
        (("--n-facts", "0"), "n_facts=0: expected a whole number ≥ 1"),
        (("--samples", "-1"), "samples=-1: expected a whole number ≥ 1"),
        (("--window", "0"), "window=0: expected a whole number ≥ 1"),
        (("--seed", "-1"), "seed=-1: expected a whole number ≥ 0"),
        (("--tflops", "nan"), "tflops=nan: expected a number > 0"),
        (("--out", "pyproject.toml"), "pyproject.toml is a file; name a folder"),
        (("--device", "gpu"), "device='gpu' cannot be used"),
        (("--workers", "0"), "workers=0: expected a whole number ≥ 1"),
        (("--partition", "main"), "partition='main' is for SLURM to give"),
        (("--cluster", "slurm", "--hours", "-1"), "hours=-1: expected a number > 0"),
        (("--workers", "2", "--shard", "1/2"), "shard 1/2 is one worker's share"),
    ],
)
def test_arguments_are_checked_before_a_model_is_loaded(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], line: str
) -> None:
    monkeypatch.setattr(loading, "load", None)
    monkeypatch.chdir(Path(__file__).parents[1])
    code = told(monkeypatch, "trace", *arguments)
    assert isinstance(code, str)
    assert line in code
    assert "\n" not in code


def test_a_model_is_loaded_in_the_precision_and_on_the_device_that_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def stopping(*arguments: object) -> None:
        asked.append(arguments)
        raise ValueError("far enough")

    monkeypatch.setattr(loading, "load", stopping)
    told(monkeypatch, "trace", "--model", "m", "--dtype", "bfloat16", "--device", "cpu")
    assert asked == [("m", "bfloat16", "cpu")]


def test_what_is_asked_for_reaches_the_study(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked = []
    monkeypatch.setattr(loading, "load", lambda *model: "lens")
    monkeypatch.setattr(studies, "study", lambda *given, protocol: asked.append((*given, protocol)) or "found")
    numbers = ("--n-facts", "2", "--samples", "3", "--seed", "4", "--window", "5", "--n-token-maps", "0")
    words = ("--ask", "all", "--components", "resid_pre", "z", "--knowing", "generated 4", "--selection", "each")
    words += ("--protocol", "seed", "--ending", "plain", "--dose", "equal", "--floors", "unknown", "--twins", "5")
    monkeypatch.setattr(sys, "argv", ["spiritlens", "trace", "--out", str(tmp_path), *numbers, *words])
    cli.main()
    knowing = sl.prompts.Knowing("generated", tokens=4)
    settings = sl.studies.StudySettings(
        n_facts=2,
        n_token_maps=0,
        components=("resid_pre", "z"),
        window=5,
        samples=3,
        seed=4,
        ask="all",
        knowing=knowing,
        selection="each",
        ending="plain",
        dose="equal",
        floors=("unknown",),
        twins=5,
    )
    assert asked == [("lens", sl.effects.RunFolder(tmp_path), settings, sl.load_facts(), "seed")]
    assert capsys.readouterr().out == "found\n"


def test_a_dry_run_asks_the_cost_of_the_same_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(loading, "load", lambda *model: "lens")
    monkeypatch.setattr(studies, "study", None)
    monkeypatch.setattr(
        cost,
        "study_cost",
        lambda lens, settings, facts, tflops, protocol: {lens: (settings.n_facts, len(facts), tflops, protocol)},
    )
    monkeypatch.setattr(cost, "study_memory", lambda costs, twins, asked: (len(costs), twins, asked))
    options = ("--n-facts", "3", "--tflops", "2", "--twins", "1")
    monkeypatch.setattr(sys, "argv", ["spiritlens", "trace", "--dry-run", *options])
    cli.main()
    n_facts = len(sl.load_facts())
    told = f"Maps lens:\n(3, {n_facts}, 2.0, 'own')\nAll together:\n(1, 1, None)\n"
    assert capsys.readouterr().out == told
    monkeypatch.setattr(sys, "argv", ["spiritlens", "trace", "--dry-run", "--ask", "all"])
    cli.main()
    assert capsys.readouterr().out.endswith(f"(1, 0, {n_facts})\n")


def test_what_is_asked_for_reaches_the_table_of_sensitivity(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked = []
    monkeypatch.setattr(loading, "load", lambda *model: "lens")
    monkeypatch.setattr(sl, "sensitivity", lambda *given, recogniser: asked.append((*given, recogniser)) or "found")
    options = ("--n-facts", "2", "--samples", "3", "--other-voice", "flite:slt", "--components", "z", "--window", "5")
    words = (*options, "--knowing", "top 3", "--out", str(tmp_path), "--accept-versions")
    monkeypatch.setattr(sys, "argv", ["spiritlens", "sensitivity", *words])
    cli.main()
    knowing = sl.prompts.Knowing("top k", k=3)
    settings = sl.studies.SensitivitySettings("espeak:en-us", "flite:slt", None, 2, ("z",), 5, 3, 0, knowing)
    place = sl.effects.RunFolder(tmp_path, accept_versions=True)
    assert asked == [("lens", place, settings, sl.load_facts(), None)]
    assert capsys.readouterr().out == "found\n"


def test_a_dry_run_of_sensitivity_adds_up_its_traces(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Costs:
        hours = 1.5

        def __repr__(self) -> str:
            return "much"

    monkeypatch.setattr(loading, "load", lambda *model: "lens")
    monkeypatch.setattr(sl, "sensitivity", None)
    cost = {"baseline": Costs(), "other draws": Costs()}
    monkeypatch.setattr(sl.studies, "sensitivity_cost", lambda lens, settings, facts, tflops: cost)
    monkeypatch.setattr(sl.studies, "study_memory", lambda costs: f"memory of {len(costs)}")
    monkeypatch.setattr(sys, "argv", ["spiritlens", "sensitivity", "--dry-run", "--tflops", "2"])
    cli.main()
    together = "All together: 3 hours at 2 TFLOP/s; other variants cost nothing more"
    assert capsys.readouterr().out == f"baseline:\nmuch\nother draws:\nmuch\n{together}\nmemory of 2\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--other-voice", "espeak:en-us"), "other_voice='espeak:en-us' is the voice itself"),
        (("--n-facts", "0"), "n_facts=0: expected a whole number ≥ 1"),
        (("--tflops", "0"), "tflops=0: expected a number > 0"),
        (("--facts", "none.json"), "no facts at 'none.json'"),
    ],
)
def test_arguments_of_sensitivity_are_checked_before_a_model_is_loaded(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], line: str
) -> None:
    monkeypatch.setattr(loading, "load", None)
    code = told(monkeypatch, "sensitivity", *arguments)
    assert isinstance(code, str)
    assert line in code
    assert "\n" not in code


def test_the_version_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["spiritlens", "--version"])
    cli.main()
    assert capsys.readouterr().out == f"spiritlens {sl.__version__}\n"


@pytest.mark.parametrize(
    ("verb", "line"), [("trace", "interrupted; the same command goes on"), ("voices", "interrupted")]
)
def test_an_interrupt_is_one_line_and_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], verb: str, line: str
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(cli.COMMANDS, verb, interrupted)
    assert told(monkeypatch, verb) == 130
    assert capsys.readouterr().err.split("\n") == ["", f"spiritlens: {line}", ""]


@pytest.mark.parametrize("text", ["surely", "top k", "generated -1"])
def test_a_rule_that_is_none_is_told_by_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["spiritlens", "trace", "--knowing", text])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    told = " ".join([str(stopped.value), *capsys.readouterr()])
    assert stopped.value.code != 0
    assert "knowing" in told
