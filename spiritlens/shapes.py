"""Axis words and the run-time check of tensor shapes.

Public functions annotate tensors with jaxtyping and the axis words below, and are decorated with `checked`, so that a
tensor of the wrong shape is refused at the door with an error that names the axis, expected and found.

Axis words: ``batch`` (rows), ``pos`` (token positions), ``head``, ``d_model``, ``d_head``, ``d_mlp``, ``d_vocab``,
``layer``, ``sample`` (noise samples), ``prompt``, ``component``, ``metric``, ``span``; in speech ``time`` (audio
samples), ``frame`` (encoder frames) and ``unit`` (after deduplication).

Source: jaxtyping (https://docs.kidger.site/jaxtyping) with beartype as the type checker.
"""

import functools
import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import jaxtyping
from beartype import beartype
from beartype.roar import BeartypeCallHintViolation

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class ShapeError(TypeError, ValueError):
    """A tensor whose shape or dtype differs from the annotation; names the argument, the axis, expected and found."""


def checked(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Check a public function's annotations at each call (about 30 µs); `ShapeError` where they do not hold."""
    typed = jaxtyping.jaxtyped(function, typechecker=beartype)

    @functools.wraps(function)
    def wrapper(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return typed(*args, **kwargs)
        except (jaxtyping.TypeCheckError, BeartypeCallHintViolation) as error:
            raise ShapeError(_explain(function.__qualname__, error)) from None

    return wrapper


def _explain(name: str, error: Exception) -> str:
    """One clear sentence out of jaxtyping's report of several lines."""
    text = str(error)
    argument = _first(r"typechecking (?:parameter|argument) '([^']+)'", text)
    found = _first(r"Actual value: (.*)", text)
    expected = _first(r"Expected type: (?:<class '(.*)'>|.*)\.", text)
    if not found:
        return f"{name}: {text}"
    where = f"argument '{argument}'" if argument else "result"
    message = f"{name}: {where}: expected {expected or 'another type'}, found {found.removesuffix('(torch)')}"
    axes = dict(line.split("=") for line in re.findall(r"^\w+=\d+$", text, re.MULTILINE))
    return message + _differing_axis(expected, found, axes)


def _first(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return (match.group(1) or "") if match else ""


def _differing_axis(expected: str, found: str, axes: dict[str, str]) -> str:
    """Name the first axis that does not fit: its word, the size bound by earlier arguments, and the size found."""
    words = _first(r"'([^']*)'", expected).split()
    sizes = [size for size in _first(r"\[([\d,]*)\]", found).split(",") if size]
    if not words or "[" not in found or any(word.startswith(("*", "...")) for word in words):
        return ""
    if len(words) != len(sizes):
        return f" ({len(words)} axes expected: {' '.join(words)}; {len(sizes)} found)"
    for word, size in zip(words, sizes, strict=True):
        wanted = axes.get(word, word if word.isdigit() else size)
        if wanted != size:
            return f" (axis {word}: expected {wanted}, found {size})"
    return ""
