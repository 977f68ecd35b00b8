"""What public functions check at their door; an error names the argument, what was given and what may be given.

    seed = whole("seed", seed, at_least=0)             # int; 1.0, True, "1" are refused, numpy's integers taken
    alpha = number("alpha", alpha, above=0, below=1)   # float; nan, True and "0.05" are refused
    edges = listed("edges", edges, of=Blocked)         # tuple, read once; a text or a single Blocked is refused
    check_choice("over", over, Over)                   # a closed set, as a `Literal` alias
    text = written("text", text)                       # str; blanks only are refused unless blank="allowed"

A value is checked once, where it comes in; inner functions trust it. `told_keywords` is for public functions whose
keywords are many: a misspelt one is told with the closest that there is.
"""

import operator
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import wraps
from inspect import signature
from math import isnan
from typing import Any, Literal, ParamSpec, TypeVar, get_args, overload

Item = TypeVar("Item")
Given = ParamSpec("Given")
Made = TypeVar("Made")


class CallError(TypeError, ValueError):
    """A call whose arguments do not fit the function's: a misspelt keyword, or one that is missing."""


def told_keywords(function: Callable[Given, Made]) -> Callable[Given, Made]:
    """Refuse a call with a keyword that the function lacks, or without one it needs, before anything runs."""
    parameters = signature(function)
    name = function.__qualname__

    @wraps(function)
    def called(*args: Given.args, **kwargs: Given.kwargs) -> Made:
        try:
            parameters.bind(*args, **kwargs)
        except TypeError as error:
            raise CallError(_misfit(name, tuple(parameters.parameters), kwargs, error)) from None
        return function(*args, **kwargs)

    return called


def _misfit(function: str, known: tuple[str, ...], given: dict[str, Any], error: TypeError) -> str:
    """What is wrong with a call, in words."""
    listing = ", ".join(name for name in known if name != "self")
    for name in given:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            remedy = f"did you mean {close[0]}=? " if close else ""
            return f"{function} has no argument {name}=: {remedy}It takes {listing}"
    return f"{function}: {error}; it takes {listing}"


def check_choice(name: str, value: object, choices: Any) -> None:
    """Refuse a value that is none of a `Literal` alias's; `name` is the option's, as its user writes it."""
    allowed = get_args(choices)
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name}={shown(value)}: expected one of {', '.join(allowed)}")


def whole(name: str, value: object, *, at_least: int | None = None, at_most: int | None = None) -> int:
    """A whole number as Python's int: also numpy's and torch's integers; no bool, no float, no text."""
    rule = "expected a whole number" + _range(at_least, at_most)
    if _is_bool(value):
        raise ValueError(f"{name}={shown(value)}: {rule}")
    try:
        found = operator.index(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{name}={shown(value)}: {rule}") from None
    if (at_least is not None and found < at_least) or (at_most is not None and found > at_most):
        raise ValueError(f"{name}={found}: {rule}")
    return found


def number(
    name: str,
    value: object,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> float:
    """A real number as Python's float; no nan, no bool, no text. Infinity only where the bounds allow it."""
    rule = "expected a number" + _range(at_least, at_most, above, below)
    if isinstance(value, (str, bytes)) or _is_bool(value):
        raise ValueError(f"{name}={shown(value)}: {rule}")
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise ValueError(f"{name}={shown(value)}: {rule}") from None
    outside = (
        isnan(found)
        or (at_least is not None and found < at_least)
        or (at_most is not None and found > at_most)
        or (above is not None and found <= above)
        or (below is not None and found >= below)
    )
    if outside:
        raise ValueError(f"{name}={found:g}: {rule}")
    return found


@overload
def listed(name: str, values: Iterable[Item], *, of: type[Item], empty: bool = ...) -> tuple[Item, ...]: ...
@overload
def listed(
    name: str, values: Iterable[Any], *, of: tuple[type, ...] | None = ..., empty: bool = ...
) -> tuple[Any, ...]: ...
def listed(name: str, values: Any, *, of: Any = None, empty: bool = False) -> tuple[Any, ...]:
    """The values as a tuple, read once; one value alone, none (unless `empty`) and other kinds are refused."""
    kinds = of if isinstance(of, tuple) else () if of is None else (of,)
    wanted = " or ".join(kind.__name__ for kind in kinds) or "value"
    if isinstance(values, (str, bytes)):
        raise ValueError(f"{name}={shown(values)}: expected several; write [{shown(values)}] for one")
    if kinds and isinstance(values, kinds):
        raise ValueError(f"{name}={shown(values)}: expected several; write [{name.removesuffix('s')}] for one")
    try:
        found = tuple(values)
    except TypeError:
        held = f"; give its .{name}" if hasattr(values, name) else ""
        raise ValueError(f"{name}={shown(values)}: expected a list of {wanted}s{held}") from None
    if not found and not empty:
        raise ValueError(f"{name} is empty: give at least one {wanted}")
    for place, value in enumerate(found):
        if kinds and not isinstance(value, kinds):
            raise ValueError(f"{name}[{place}] is {shown(value)} ({type(value).__name__}): expected a {wanted}")
    return found


def written(name: str, value: object, *, blank: Literal["refused", "allowed"] = "refused") -> str:
    """A text; other kinds are refused, and blanks only unless they are allowed."""
    if not isinstance(value, str):
        raise ValueError(f"{name}={shown(value)} ({type(value).__name__}): expected a text")
    if blank == "refused" and not value.strip():
        raise ValueError(f"the {name} is empty ({value!r}): write at least one word")
    return value


def shown(value: object, longest: int = 80) -> str:
    """A value in an error: its repr on one line, cut where it is long."""
    try:
        text = " ".join(repr(value).split())
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _is_bool(value: object) -> bool:
    """True and False, also as numpy's and torch's."""
    return isinstance(value, bool) or str(getattr(value, "dtype", "")).endswith("bool")


def _range(
    at_least: float | None, at_most: float | None, above: float | None = None, below: float | None = None
) -> str:
    low = f"≥ {at_least:g}" if at_least is not None else f"> {above:g}" if above is not None else ""
    high = f"≤ {at_most:g}" if at_most is not None else f"< {below:g}" if below is not None else ""
    return " " + " and ".join(part for part in (low, high) if part) if low or high else ""


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For ``object_pairs_hook`` of `json.loads`: refuse an object that names something twice; JSON keeps the last."""
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise ValueError(f"{twice!r} is there twice, of which JSON would keep the last; name each once")
    return dict(pairs)
