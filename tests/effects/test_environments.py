"""Versions are named where they differ, and gone on with where that is accepted."""

import warnings
from pathlib import Path

import pytest

from spiritlens.effects.environments import check_versions, environment, read_environments, tell_mixed


def test_other_versions_are_refused_or_named() -> None:
    now = environment()
    older = {**now, "packages": {**now["packages"], "torch": "1.0", "numpy": "0.9"}}
    check_versions(Path("run"), [now], accept=False)
    there = rf"torch 1\.0 there, {now['packages']['torch'].split('+')[0]}"
    with pytest.raises(ValueError, match=rf"{there}.*numpy 0\.9 there.*--accept-versions"):
        check_versions(Path("run"), [now, older], accept=False)
    with pytest.warns(UserWarning, match=rf"{there}.*as accepted"):
        check_versions(Path("run"), [older, older], accept=True)


def test_what_no_number_depends_on_is_passed_over(tmp_path: Path) -> None:
    check_versions(tmp_path, [{"python": "2.7", "packages": {"other": "1"}}, {"packages": None}], accept=False)
    (tmp_path / "environment.json").write_text("{")
    assert read_environments(tmp_path / "environment.json") == []


def test_versions_that_stand_beside_each_other_are_named() -> None:
    now = environment()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tell_mixed(Path("run"), [now, now, {}, {"packages": None}])
    older = {**now, "packages": {**now["packages"], "torch": "1.0"}}
    with pytest.warns(UserWarning, match=r"run now holds .*\(torch [^;]* and 1\.0\); they are merged"):
        tell_mixed(Path("run"), [now, older, now])
