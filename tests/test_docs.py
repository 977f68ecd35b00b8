"""Every Python block of the README and of the pages runs, in order, each file in one namespace and an empty folder."""

import ast
import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
RECORDING = ROOT / "tests" / "data" / "docs" / "me.wav"


def code_blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def python_blocks(page: Path) -> list[str]:
    return code_blocks(page, "python")


def commands(page: Path) -> list[str]:
    lines = [line.split("#")[0].strip() for block in code_blocks(page, "bash") for line in block.splitlines()]
    return [line for line in lines if line]


def required_options(script: Path) -> list[str]:
    """Options without a default of a script whose `main` or `Arguments` tyro reads."""
    names: list[str] = []
    for node in ast.parse(script.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name == "Arguments":
            fields = [item for item in node.body if isinstance(item, ast.AnnAssign) and item.value is None]
            return [f"--{ast.unparse(field.target).replace('_', '-')}" for field in fields]
        if isinstance(node, ast.FunctionDef) and node.name == "main":
            given = node.args.args[: len(node.args.args) - len(node.args.defaults)]
            names = [f"--{argument.arg.replace('_', '-')}" for argument in given]
    return names


@pytest.mark.parametrize("page", [page for page in PAGES if python_blocks(page)], ids=lambda page: page.name)
def test_the_code_of_the_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(RECORDING, tmp_path / "me.wav")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("plotly.graph_objects.Figure.show", lambda figure: figure.to_json())
    namespace: dict[str, object] = {}
    for number, block in enumerate(python_blocks(page)):
        exec(compile(block, f"{page.name}, block {number + 1}", "exec"), namespace)
    assert namespace


def test_the_readme_fits_on_a_page() -> None:
    assert (ROOT / "README.md").read_text(encoding="utf-8").count("\n") <= 120


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_the_page_exist(page: Path) -> None:
    from spiritlens.cli import COMMANDS

    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for command in commands(page):
        words = command.split()
        if words[0] == "make":
            assert set(words[1:]) <= targets, command
        elif words[0] == "spiritlens":
            assert words[1] in COMMANDS, command
        elif words[0] == "python" and words[1].endswith(".py"):
            assert (ROOT / words[1]).is_file(), command
            lacking = set(required_options(ROOT / words[1])) - set(words)
            assert not lacking, f"{command} lacks {sorted(lacking)}"
