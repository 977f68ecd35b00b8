"""Public names that are resolved at first use (PEP 562), as a stub lists them.

A package or module ``m.py`` with the stub ``m.pyi`` beside it, whose lines read ``from home import name as name``,
writes ``__getattr__, __dir__, __all__ = public_names(__name__, __file__)``: type checkers and the program then read
one list, and importing ``m`` imports nothing that its user does not ask for.
"""

import ast
import importlib
import sys
import warnings
from collections.abc import Callable, Mapping
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType
from typing import Any


def public_names(
    module: str, file: str, moved: Mapping[str, str] = MappingProxyType({})
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """``__getattr__``, ``__dir__`` and ``__all__`` of the module in this file, from the stub beside it.

    Names that `moved` into a namespace (``"voice": "speech.voice"``) are still resolved, with a FutureWarning.
    """
    homes = stub_names(Path(file).with_suffix(".pyi"))
    names = sorted(homes)

    def resolve(name: str) -> Any:
        if name in moved:
            warnings.warn(f"{module}.{name} is {module}.{moved[name]} now", FutureWarning, stacklevel=2)
            return attrgetter(moved[name])(sys.modules[module])
        if name not in homes:
            raise AttributeError(f"{module} has no public name {name!r}; see dir({module})")
        home, attribute = homes[name]
        found = importlib.import_module(home)
        inside = vars(found)  # getattr would ask this function again where the home is the module itself
        value = inside[attribute] if attribute in inside else importlib.import_module(f"{home}.{attribute}")
        setattr(sys.modules[module], name, value)
        return value

    return resolve, lambda: names, names


def stub_names(stub: Path) -> dict[str, tuple[str, str]]:
    """Public name -> module and name there."""
    lines = ast.parse(stub.read_text(encoding="utf-8")).body
    imports = [node for node in lines if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name: (str(node.module), alias.name) for node in imports for alias in node.names}
