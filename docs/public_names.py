"""The API reference: pages name parts of the package; the public names come from ``spiritlens/__init__.pyi``.

A page holds the directive ``public-names`` with module prefixes. For each module under them that is the home of a
public name it writes the module's docstring, which teaches the method, its axes, signs and source, and then each name
as `autodoc` reads it: signature with types, docstring, members. ``public-index`` is the table of all names. A name
that no page holds, or that two hold, is a warning, hence an error of ``make docs``.
"""

import ast
import importlib
import inspect
import re
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

import spiritlens
from spiritlens.public_names import stub_names

STUB = Path(spiritlens.__file__).with_suffix(".pyi")
LOGGER = logging.getLogger(__name__)


def homes() -> dict[str, str]:
    """Public name -> module that it comes from, as the stub lists them."""
    imports = [node for node in ast.parse(STUB.read_text(encoding="utf-8")).body if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name: str(node.module) for node in imports for alias in node.names}


def names_under(prefixes: list[str]) -> dict[str, list[str]]:
    """Module -> its public names, for the modules that are, or lie below, one of the prefixes."""
    chosen: dict[str, list[str]] = {}
    for name, home in sorted(homes().items(), key=lambda item: (item[1], item[0].lower())):
        if isinstance(getattr(spiritlens, name), ModuleType):
            home = f"{home}.{name}"
        if any(home == prefix or home.startswith(f"{prefix}.") for prefix in prefixes):
            chosen.setdefault(home, []).append(name)
    return chosen


def members_of(module: ModuleType) -> list[str]:
    """What a public module offers beyond the flat names: its ``__all__``, or the functions and classes it defines."""
    defined = [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and callable(value) and getattr(value, "__module__", "") == module.__name__
    ]
    return sorted((name for name in getattr(module, "__all__", defined) if name not in homes()), key=str.lower)


def public_values() -> dict[str, Any]:
    """Every public name, and those inside public modules (``figures.trace_map``), with its value."""
    values: dict[str, Any] = {}
    for name in homes():
        value = getattr(spiritlens, name)
        if isinstance(value, ModuleType):
            values |= {f"{name}.{member}": getattr(value, member) for member in members_of(value)}
        else:
            values[name] = value
    return values


def docstring(name: str, value: Any) -> str:
    """The docstring of a function or class, or the text below a constant's assignment."""
    if callable(value):
        return inspect.getdoc(value) or ""
    namespace, _, member = name.rpartition(".")
    stub = Path(getattr(spiritlens, namespace).__file__).with_suffix(".pyi") if namespace else STUB
    analyzer = ModuleAnalyzer.for_module(stub_names(stub)[member][0])
    return "\n".join(analyzer.find_attr_docs().get(("", member), []))


def plain_bars(text: str) -> str:
    """``|TE|`` means an absolute value in our docstrings, and a substitution in reStructuredText."""
    return re.sub(r"(?<!\w)\|(\w+)\|(?!\w)", r"\\|\1\\|", text)


def first_sentence(text: str) -> str:
    """Up to the first full stop that stands outside quotes."""
    opening = " ".join(text.split("\n\n")[0].split())
    ends = [place + 1 for place in range(len(opening)) if opening[place : place + 2] in (". ", ".")]
    return next((opening[:end] for end in ends if _quotes_are_closed(opening[:end])), opening)


def _quotes_are_closed(text: str) -> bool:
    return text.count("``") % 2 == 0 and text.replace("``", "").count("`") % 2 == 0


def directive_for(name: str, value: Any) -> list[str]:
    """The directive that documents one name."""
    if not callable(value):
        return [f".. py:data:: spiritlens.{name}", "", textwrap.indent(docstring(name, value), "   "), ""]
    if inspect.isclass(value):
        return [f".. autoclass:: spiritlens.{name}", "   :members:", ""]
    return [f".. autofunction:: spiritlens.{name}", ""]


def entries(home: str, names: list[str]) -> str:
    """A module's docstring and its names, as reStructuredText."""
    module = inspect.getdoc(importlib.import_module(home)) or ""
    lines = [f".. rubric:: {home}", "", plain_bars(module), ""]
    for name, value in public_values().items():
        if name.partition(".")[0] in names:
            lines += directive_for(name, value)
    return "\n".join(lines)


class PublicNames(SphinxDirective):
    """``.. public-names:: spiritlens.runs``: all public names of these modules."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[Any]:
        nodes = []
        for home, names in names_under(self.arguments[0].split()).items():
            nodes += self.parse_text_to_nodes(entries(home, names))
            written = self.env.__dict__.setdefault("public_names_written", {})
            for name in names:
                written.setdefault(name, []).append(self.env.docname)
        return nodes


class PublicIndex(SphinxDirective):
    """``.. public-index::``: name, what it is, and a link."""

    def run(self) -> list[Any]:
        rows = [".. list-table::", "   :widths: 30 70", ""]
        for name, value in sorted(public_values().items(), key=lambda item: item[0].lower()):
            what = plain_bars(first_sentence(docstring(name, value)))
            rows += [f"   * - :py:obj:`sl.{name} <spiritlens.{name}>`", f"     - {what}"]
        return self.parse_text_to_nodes("\n".join(rows))


def check_all_written(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of names that no page holds, or two."""
    written = env.__dict__.get("public_names_written", {})
    for name, home in homes().items():
        pages = sorted(set(written.get(name, [])))
        if len(pages) != 1:
            LOGGER.warning(f"{name} ({home}) is on {len(pages)} pages of the reference ({', '.join(pages)}): needed 1")


def plain_docstring(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Docstrings as `autodoc` gets them."""
    lines[:] = plain_bars("\n".join(lines)).splitlines()


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("public-names", PublicNames)
    app.add_directive("public-index", PublicIndex)
    app.connect("autodoc-process-docstring", plain_docstring)
    app.connect("env-check-consistency", check_all_written)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
