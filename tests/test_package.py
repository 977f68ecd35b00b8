"""The public face: names resolve, and opening the package costs neither torch nor a second."""

import subprocess
import sys
from pathlib import Path

import pytest

import spiritlens

TORCH_FREE = [
    "spiritlens",
    "spiritlens.cli",
    "spiritlens.effects.schema",
    "spiritlens.effects.statistics",
    "spiritlens.effects.store",
    "spiritlens.report.figures",
    "spiritlens.report.dashboard",
    "spiritlens.prompts.prompt",
    "spiritlens.speech.waveform",
    "spiritlens.speech.units",
    "spiritlens.speech.alignment",
]

WITHOUT_TORCH = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "transformers", "transformer_lens"):
            raise ModuleNotFoundError(f"no module named {name}")
sys.meta_path.insert(0, Absent())
"""
HEAVY = {"torch", "transformers", "transformer_lens", "xarray", "plotly", "pandas"}


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("module", TORCH_FREE)
def test_the_reading_half_opens_without_torch(module: str) -> None:
    assert _python(f"{WITHOUT_TORCH}import {module}; print('opened')") == "opened"


def test_importing_the_package_loads_no_heavy_module() -> None:
    assert _python(f"import sys, spiritlens; print(sorted({HEAVY | {'numpy'}} & set(sys.modules)))") == "[]"


def test_help_of_the_command_line_loads_no_heavy_module() -> None:
    heavy = _python(
        "import sys\n"
        "from spiritlens.cli import main\n"
        "sys.argv = ['spiritlens', '--help']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print('HEAVY', sorted({HEAVY} & set(sys.modules)))"
    )
    assert heavy.endswith("HEAVY []")


@pytest.mark.parametrize("name", [name for name in spiritlens.__all__ if name != "__version__"])
def test_each_public_name_resolves(name: str) -> None:
    value = getattr(spiritlens, name)
    assert value is not None
    assert name in dir(spiritlens)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no public name 'nonsense'"):
        _ = spiritlens.nonsense


def test_the_import_contracts_hold() -> None:
    root = Path(__file__).parent.parent
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_planted_circuits_are_reachable_from_the_models_room() -> None:
    circuit = spiritlens.models.planted("fact machine")
    assert {prompt.kind for prompt in circuit.prompts} >= {"T2T", "S2T"}
    with pytest.raises(AttributeError, match="no attribute 'unknown'"):
        _ = spiritlens.models.unknown
