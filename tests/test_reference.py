"""The API reference holds every public name once, and each docstring says what its reader needs."""

import importlib
import inspect
import io
import re
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

docutils = pytest.importorskip("docutils.core", reason="docstrings are read by docutils")
public_names = pytest.importorskip("public_names", exc_type=ImportError, reason="the reference is made by Sphinx")

DOCS = Path(__file__).parents[1] / "docs"

VALUES = public_names.public_values()
FUNCTIONS = {name: value for name, value in VALUES.items() if isinstance(value, FunctionType)}
CLASSES = {name: value for name, value in VALUES.items() if inspect.isclass(value)}
METHODS = ("spiritlens.analysis.", "spiritlens.comparison.", "spiritlens.runs.corruptions.")
"""Rooms whose functions follow a published method, or say that it is this project's."""


def undocumented(owner: type) -> list[str]:
    """Public methods and properties that the class itself defines and does not describe."""
    members = {name: value for name, value in vars(owner).items() if not name.startswith("_")}
    described = (FunctionType, property, classmethod, staticmethod)
    return [name for name, value in members.items() if isinstance(value, described) and not inspect.getdoc(value)]


def module_of(function: Any) -> str:
    """The docstring of the module that a function is from."""
    return inspect.getdoc(importlib.import_module(function.__module__)) or ""


def lacks(function: Any) -> list[str]:
    """What a function's docstring does not say; its module may say axes and source."""
    own = inspect.getdoc(function) or ""
    both = own + module_of(function)
    gives = str(inspect.signature(function).return_annotation)
    rules = {
        "what it returns": re.search(r"\b[Rr]eturns?\b", own) or gives == "None",
        "what it raises": re.search(r"\b[Rr]aises \w*Error\b", own) or not inspect.signature(function).parameters,
        "the axes of its result": not re.search(r"Dataset|DataArray|Tensor|ndarray", gives)
        or re.search(r"Axes: |\[[a-z_]+( [a-z_|+…]+)*\]", both),
        "a source": not function.__module__.startswith(METHODS)
        or re.search(r"Source: |\b(19|20)\d\d\b|this project's|[Ss]ee\s+`spiritlens\.", both),
    }
    return [what for what, said in rules.items() if not said]


def test_every_public_name_is_on_one_page() -> None:
    pages = [path.read_text(encoding="utf-8") for path in (DOCS / "reference").glob("*.md")]
    prefixes = [
        line.split() for page in pages for line in re.findall(r"^\.\. public-names:: (.*)$", page, re.MULTILINE)
    ]
    found = [name for under in prefixes for names in public_names.names_under(under).values() for name in names]
    assert sorted(found) == sorted(public_names.homes())


@pytest.mark.parametrize("name", VALUES)
def test_every_public_name_says_what_it_is(name: str) -> None:
    text = public_names.docstring(name, VALUES[name])
    assert len(text.split()) >= 5, f"{name}: {text!r}"


@pytest.mark.parametrize("name", CLASSES)
def test_every_public_method_says_what_it_is(name: str) -> None:
    assert undocumented(CLASSES[name]) == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_function_says_what_it_returns_and_raises(name: str) -> None:
    assert lacks(FUNCTIONS[name]) == []


def test_docstrings_of_the_reference_are_restructured_text() -> None:
    modules = {value.__module__ for value in VALUES.values() if callable(value)}
    texts = {module: inspect.getdoc(importlib.import_module(module)) or "" for module in modules}
    texts |= {name: public_names.docstring(name, value) for name, value in VALUES.items()}
    texts |= {f"{name}, in short": public_names.first_sentence(text) for name, text in texts.items()}
    broken = {name: problems for name, text in texts.items() if (problems := _problems(text))}
    assert broken == {}


def _problems(text: str) -> list[str]:
    """What docutils says against a text; roles of Sphinx's own are none of it."""
    said = io.StringIO()
    settings = {"warning_stream": said, "report_level": 2}
    docutils.publish_doctree(public_names.plain_bars(text), settings_overrides=settings)
    return [line for line in said.getvalue().splitlines() if line.startswith("<string>") and "Unknown" not in line]


def test_the_rules_find_what_is_missing() -> None:
    """The check of docstrings can fail: a bare one lacks all that a result of tensors needs."""

    def bare(argument): ...

    bare.__module__ = "spiritlens.effects.quantities"
    bare.__annotations__ = {"return": "Tensor"}
    assert lacks(bare)[:2] == ["what it returns", "what it raises"]
    bare.__doc__ = "Returns it. Raises ValueError."
    assert lacks(bare) == []


def test_an_absolute_value_is_no_substitution() -> None:
    assert public_names.plain_bars("where |TE| < 0.05, ``pos|span|role``") == r"where \|TE\| < 0.05, ``pos|span|role``"


def test_a_first_sentence_ends_outside_quotes() -> None:
    assert public_names.first_sentence("One ``a. b`` and two. Three.") == "One ``a. b`` and two."
