"""Editors and type checkers see the public names with their types, through the stub that the loader reads."""

import ast
import subprocess
import sys
from pathlib import Path

import jedi
import pytest

import spiritlens

ROOT = Path(spiritlens.__file__).parents[1]
SCRIPT = """\
import spiritlens as sl

lens = sl.load()
text = lens.text("The capital of France is", subject="France", answer="Paris")
effects = sl.causal_trace(lens, [text], sl.Grid(("resid_pre",)), samples=2)
reveal_type(lens)
reveal_type(text)
reveal_type(effects)
reveal_type(sl.compare(effects))
reveal_type(sl.speech.read_words([("the", 0.0, 0.1)]))
"""
SEEN = (
    "lens.Lens",
    "prompt.Prompt",
    "dataset.Dataset",
    "result.Comparison",
    "tuple[spiritlens.speech.words.WordInterval",
)


def test_a_static_tool_completes_what_a_call_returns() -> None:
    script = jedi.Script("import spiritlens as sl\nlens = sl.load()\nlens.", project=jedi.Project(ROOT))
    assert {"text", "speak", "audio", "generate", "model"} <= {found.name for found in script.complete(3, 5)}
    call = jedi.Script("import spiritlens as sl\nsl.causal_trace(", project=jedi.Project(ROOT))
    assert "corruption" in {parameter.name for parameter in call.get_signatures(2, 16)[0].params}


def test_the_stub_names_each_public_name_once_and_as_itself() -> None:
    stub = ast.parse(Path(spiritlens.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    aliases = [alias for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert [alias.name for alias in aliases] == [alias.asname for alias in aliases]
    assert len({alias.name for alias in aliases}) == len(aliases) > 50


@pytest.mark.slow
def test_a_strictly_checked_script_sees_real_types(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    settings = ROOT / "pyproject.toml"
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", settings, tmp_path / "script.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    revealed = [line.split("Revealed type is ")[1] for line in done.stdout.splitlines() if "Revealed type" in line]
    assert len(revealed) == len(SEEN), done.stdout + done.stderr
    assert all(wanted in found for wanted, found in zip(SEEN, revealed, strict=True)), revealed
