"""The command line: what a script can rely on, and one line instead of a traceback."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import spiritlens as sl
from spiritlens import cli
from spiritlens.speech.engines.process import EngineError


@dataclass(frozen=True)
class Checked:
    agrees: bool


@pytest.mark.parametrize(("agrees", "code"), [(True, None), (False, 1)])
def test_check_fails_where_the_models_differ(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], agrees: bool, code: int | None
) -> None:
    monkeypatch.setattr(sl, "load", lambda folder: None)
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
    words = (sl.WordInterval("the", 0.0, 0.107), sl.WordInterval("capital", 0.107, 1234.571))
    monkeypatch.setattr(sl, "align", lambda audio, text: words)
    cli.align(Path("me.wav"), "the capital")
    printed = tmp_path / "words.txt"
    printed.write_text(capsys.readouterr().out)
    assert sl.read_words(printed) == words
