"""Every Python block of the README and of the pages runs, in order, each file in one namespace and an empty folder.

A block that begins with the name of a file of the package (``# spiritlens/cli.py``) is written into a copy of the
package instead, and blocks that begin with ``# afterwards`` run there, in one process of their own.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
EXTENDING = ROOT / "docs" / "extending.md"
INTO_A_FILE = re.compile(r"# (spiritlens/[\w/]+\.pyi?)\n")
PLACE = re.compile(r"^# (in|above) (.*)\n", re.MULTILINE)
AFTERWARDS = "# afterwards\n"
RECORDING = ROOT / "tests" / "data" / "docs" / "me.wav"


def code_blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def python_blocks(page: Path) -> list[str]:
    """What runs as it stands."""
    blocks = code_blocks(page, "python")
    return [block for block in blocks if not INTO_A_FILE.match(block) and not block.startswith(AFTERWARDS)]


def recipes(page: Path) -> dict[str, list[str]]:
    """Heading -> files of the package that its blocks write to."""
    sections = re.split(r"^##+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    blocks = {
        title: re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        for title, text in zip(sections[::2], sections[1::2], strict=True)
    }
    return {
        title: sorted({match[1] for block in of_title if (match := INTO_A_FILE.match(block))})
        for title, of_title in blocks.items()
    }


def with_block(there: str, block: str) -> str:
    """A file with a block in it: imports below the file's own; what follows ``# in NAME`` as the last row of that
    table; what follows ``# above LINE``, code or a row, above the line that begins so.
    """
    imports = "".join(re.findall(r"^(?:from|import) .*\n", block, re.MULTILINE))
    above, *rest = PLACE.split(re.sub(r"^(?:from|import) .*\n", "", block, flags=re.MULTILINE))
    assert not above.strip(), f"the recipe does not say where this goes: {above}"
    lines = there.splitlines(keepends=True)
    own = [node for node in ast.parse(there).body if isinstance(node, ast.Import | ast.ImportFrom)]
    added = {own[-1].end_lineno: imports} if own else {0: imports}
    for where, name, code in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        at = end_of_table(there, name) if where == "in" else line_beginning(there, name)
        indent = 4 if where == "in" else len(lines[at]) - len(lines[at].lstrip())
        is_row = isinstance(ast.parse(code).body[0], ast.Expr)
        added[at] = added.get(at, "") + textwrap.indent(code.strip() + (",\n" if is_row else "\n"), " " * indent)
    for at in sorted(added, reverse=True):
        lines.insert(at, added[at])
    return "".join(lines)


def end_of_table(source: str, name: str) -> int:
    """Number of the line before which a further row of a table goes."""
    for node in ast.parse(source).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == name:
            table = next(part for part in ast.walk(node.value) if isinstance(part, ast.Tuple))
            return table.end_lineno - source.splitlines()[table.end_lineno - 1].strip().startswith(")")
    raise ValueError(f"no table {name}")


def line_beginning(source: str, text: str) -> int:
    """Number of the line that begins so, blanks and line breaks aside."""
    lines, wanted = source.splitlines(), "".join(text.split())
    beginnings = ("".join(" ".join(lines[at : at + 3]).split()) for at in range(len(lines)))
    return next(at for at, beginning in enumerate(beginnings) if lines[at].strip() and beginning.startswith(wanted))


def copy_of_package(page: Path, folder: Path) -> None:
    """The package with the page's blocks written into its files (`with_block`), and new files whole."""
    shutil.copytree(ROOT / "spiritlens", folder / "spiritlens", ignore=shutil.ignore_patterns("assets", "__pycache__"))
    (folder / "spiritlens" / "assets").symlink_to(ROOT / "spiritlens" / "assets", target_is_directory=True)
    for block in code_blocks(page, "python"):
        if match := INTO_A_FILE.match(block):
            path, code = folder / match[1], block[match.end() :]
            path.parent.mkdir(exist_ok=True)
            path.write_text(
                with_block(path.read_text(encoding="utf-8"), code) if path.exists() else code, encoding="utf-8"
            )


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


def test_recipes_that_change_the_package_work_in_a_copy_of_it(tmp_path: Path) -> None:
    copy_of_package(EXTENDING, tmp_path)
    shutil.copy(RECORDING, tmp_path / "me.wav")
    last = "\n".join(block for block in code_blocks(EXTENDING, "python") if block.startswith(AFTERWARDS))
    where = "import spiritlens\nassert spiritlens.__file__.startswith(" + repr(str(tmp_path)) + ")\n"
    run = subprocess.run(
        [sys.executable, "-c", where + last],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert last
    assert run.stdout


def test_no_recipe_names_more_than_two_files() -> None:
    found = {title: files for title, files in recipes(EXTENDING).items() if files}
    assert max(len(files) for files in found.values()) <= 2
    rows = re.findall(r"^\| (an? [^|]*) \|[^|]*\|([^|]*)\|$", EXTENDING.read_text(encoding="utf-8"), re.MULTILINE)
    promised = {title.capitalize(): re.findall("`([^`]+)`", files) for title, files in rows}
    assert [title for title, files in promised.items() if files] == list(found)
    for title, files in found.items():
        patterns = [f"spiritlens/{re.escape(name).replace('NAME', '[a-z_]+')}" for name in promised[title]]
        assert len(patterns) == len(files)
        assert all(any(re.fullmatch(pattern, name) for pattern in patterns) for name in files), title


def test_the_page_of_the_command_line_shows_every_verb() -> None:
    from spiritlens.cli import COMMANDS

    page = (ROOT / "docs" / "command_line.md").read_text(encoding="utf-8")
    assert re.findall(r"^## ([a-z]+)\n", page, re.MULTILINE) == list(COMMANDS)
    assert re.findall(r"^\.\. command-help:: (\w+)$", page, re.MULTILINE) == list(COMMANDS)


def test_every_page_is_in_the_index() -> None:
    index = " ".join(re.findall(r"```{toctree}(.*?)```", (ROOT / "docs" / "index.md").read_text(), re.DOTALL)).split()
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"}
    assert set(index) >= pages


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
        elif words[:2] == ["python", "-m"]:
            script = ROOT / f"{words[2].replace('.', '/')}.py"
            assert script.is_file(), command
            lacking = set(required_options(script)) - set(words)
            assert not lacking, f"{command} lacks {sorted(lacking)}"
        elif words[0] == "python" and words[1].endswith(".py"):
            assert (ROOT / words[1]).is_file(), command
            lacking = set(required_options(ROOT / words[1])) - set(words)
            assert not lacking, f"{command} lacks {sorted(lacking)}"
