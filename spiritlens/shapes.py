"""Axis words and the run-time check of tensor shapes.

Public functions annotate tensors with jaxtyping and the axis words below, and are decorated with `checked`, so that a
tensor of the wrong shape is refused at the door with an error that names the axis, expected and found.

Axis words: ``batch`` (rows), ``pos`` (token positions), ``head``, ``d_model``, ``d_head``, ``d_mlp``, ``d_vocab``,
``layer``, ``sample`` (noise samples), ``prompt``, ``component``, ``metric``, ``span``; in speech ``time`` (audio
samples), ``frame`` (encoder frames) and ``unit`` (after deduplication).

beartype looks at one item of a sequence, drawn by Python's `random`: that would move a user's random state, and errors
would come by lot. Items of a ``Sequence[…]`` are therefore looked at here, all of them.

Source: jaxtyping (https://docs.kidger.site/jaxtyping) with beartype as the type checker.
"""

import functools
import inspect
import re
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, ParamSpec, TypeVar, get_args, get_origin

import jaxtyping
from beartype import beartype
from beartype.roar import BeartypeCallHintViolation

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class ShapeError(TypeError, ValueError):
    """A tensor whose shape or dtype differs from the annotation; names the argument, the axis, expected and found."""


def checked(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Check a public function's annotations at each call (about 30 µs); `ShapeError` where they do not hold."""
    plain, listed = _without_items(function)
    typed = jaxtyping.jaxtyped(plain, typechecker=beartype)

    @functools.wraps(function)
    def wrapper(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            for place, name, kind in listed:
                _check_items(function, name, args[place] if place < len(args) else kwargs.get(name, ()), kind)
            result: Result = typed(*args, **kwargs)
            return result
        except (jaxtyping.TypeCheckError, BeartypeCallHintViolation) as error:
            raise ShapeError(_explain(function.__qualname__, error)) from None

    return wrapper


def _without_items(function: Callable[..., Any]) -> tuple[Callable[..., Any], list[tuple[int, str, type]]]:
    """The function with bare sequences in its annotations, and each one's place, name and kind of item."""
    if not isinstance(function, FunctionType) or hasattr(function, "__wrapped__"):
        raise TypeError(f"{function!r} is no plain function; put @checked next to the def")
    hints, listed = dict(function.__annotations__), []
    for place, name in enumerate(inspect.signature(function).parameters):
        if get_origin(hints.get(name)) is Sequence:
            listed.append((place, name, get_args(hints[name])[0]))
            hints[name] = Sequence
    drawn = [name for name, hint in hints.items() if get_origin(hint) is list or Ellipsis in get_args(hint)]
    if drawn:
        raise TypeError(f"{function.__qualname__}: an item of '{drawn[0]}' would be drawn; annotate it as Sequence[…]")
    plain = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    plain.__kwdefaults__, plain.__annotations__ = function.__kwdefaults__, hints
    plain.__module__, plain.__qualname__, plain.__doc__ = function.__module__, function.__qualname__, function.__doc__
    return plain, listed


def _check_items(function: Callable[..., Any], name: str, values: object, kind: type) -> None:
    """Refuse a text in place of a sequence, and the first item of another kind."""
    where = f"{function.__qualname__}: argument '{name}'"
    if isinstance(values, (str, bytes)):
        raise ShapeError(f"{where}: expected several {kind.__name__}, found one text; write [{values!r}]")
    for place, value in enumerate(values if isinstance(values, Sequence) else ()):
        if not isinstance(value, kind):
            raise ShapeError(f"{where}: expected {kind.__name__}, found {value!r} at place {place}")


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
