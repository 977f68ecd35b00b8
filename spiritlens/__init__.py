"""spiritlens: where and how a speech-text language model recalls facts, in writing and in speech.

    import spiritlens as sl

    lens = sl.load()                                   # the embedded model, or a checkpoint folder
    text = lens.text("The capital of France is", subject="France", answer="Paris")
    spoken = lens.speak("The capital of France is", subject="France", answer="Paris")
    effects = sl.causal_trace(lens, [text, spoken])

Names are resolved at first use (PEP 562): importing the package, reading results and drawing figures need no torch.
"""

import ast
import importlib
from pathlib import Path
from typing import Any

__version__ = "0.2.0"


def _read_stub() -> dict[str, tuple[str, str]]:
    """Public name -> module and name there, as ``__init__.pyi`` lists them."""
    stub = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name: (str(node.module), alias.name) for node in imports for alias in node.names}


_PUBLIC = _read_stub()

__all__ = sorted(["__version__", *_PUBLIC])


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"spiritlens has no public name {name!r}; see dir(spiritlens)")
    home, attribute = _PUBLIC[name]
    module = importlib.import_module(home)
    value = getattr(module, attribute) if hasattr(module, attribute) else importlib.import_module(f"{home}.{attribute}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
