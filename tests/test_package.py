"""The public face: names resolve, and opening the package costs neither torch nor a second."""

import ast
import builtins
import dis
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import CodeType

import pytest

import spiritlens
from spiritlens.arguments import CallError

TORCH_FREE = [
    "spiritlens.terms",
    "spiritlens.comparison.compare",
    "spiritlens.comparison.result",
    "spiritlens",
    "spiritlens.cli",
    "spiritlens.effects",
    "spiritlens.effects.averages",
    "spiritlens.effects.schema",
    "spiritlens.effects.store",
    "spiritlens.heads",
    "spiritlens.report.figures",
    "spiritlens.report.page",
    "spiritlens.report.page.dashboard",
    "spiritlens.report.tables",
    "spiritlens.prompts.prompt",
    "spiritlens.speech.audio.waveform",
    "spiritlens.speech.units",
    "spiritlens.speech.alignment.unit_words",
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


def _global_names(code: CodeType) -> set[str]:
    """Names that a code object, and those within it, look up in the module or among the built-ins."""
    names = {step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return names.union(*(_global_names(part) for part in code.co_consts if isinstance(part, CodeType)))


CHILDREN = ("_child",)
"""Scripts that engines run in processes of their own, with Python's library alone."""


@pytest.mark.parametrize(
    "name",
    [
        module.name
        for module in pkgutil.walk_packages(spiritlens.__path__, "spiritlens.")
        if not module.name.endswith((*CHILDREN, "__main__"))
    ],
)
def test_no_name_is_undefined(name: str) -> None:
    """Axis strings of jaxtyping keep linters from telling undefined names, so the compiled code is asked."""
    module = importlib.import_module(name)
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    used = _global_names(compile(source, name, "exec"))
    local = set()  # names of class bodies, which are looked up there first
    for value in vars(module).values():
        if isinstance(value, type) and value.__module__ == name:
            local |= {*vars(value), *getattr(value, "__annotations__", {})}
    unknown = used - set(vars(module)) - set(vars(builtins)) - local - {"__module__", "__qualname__", "__annotations__"}
    assert unknown == set()


FUNCTIONS = {
    **{name: getattr(spiritlens, name) for name in spiritlens.__all__ if inspect.isfunction(getattr(spiritlens, name))},
    **{
        f"{space}.{name}": getattr(getattr(spiritlens, space), name)
        for space in ("comparison", "effects", "figures", "heads", "page", "tables")
        for name in getattr(spiritlens, space).__all__
        if inspect.isfunction(getattr(getattr(spiritlens, space), name))
    },
}


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "hook_name"])  # asked too often to be checked
def test_a_misspelt_keyword_names_the_public_function(name: str) -> None:
    with pytest.raises(CallError, match=rf"{name.rpartition('.')[2]}.* has no argument metricz="):
        FUNCTIONS[name](metricz=())


ROOT = Path(__file__).parent.parent
SCRIPTS = sorted(path for folder in ("experiments", "benchmarks") for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_script_takes_from_the_package_is_there(path: Path) -> None:
    """Experiments and benchmarks run too seldom to tell that a name has moved."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "spiritlens":
            module = importlib.import_module(str(node.module))
            for alias in node.names:
                assert hasattr(module, alias.name) or importlib.import_module(f"{node.module}.{alias.name}")
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "sl":
            assert node.attr in dir(spiritlens)
