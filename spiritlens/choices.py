"""Options out of a closed set: one check, and one error that names the option, what was given and what may be given."""

from typing import Any, get_args


def check_choice(name: str, value: object, choices: Any) -> None:
    """Refuse a value that is none of a `Literal` alias's; `name` is the option's, as its user writes it."""
    allowed = get_args(choices)
    if value not in allowed:
        raise ValueError(f"{name}={value!r}: expected one of {', '.join(allowed)}")
