"""Where a prompt comes from: what results name it by, and group it by."""

from dataclasses import dataclass, fields
from typing import Any

from spiritlens.arguments import listed, shown, written


@dataclass(frozen=True)
class Origin:
    """The fact that a prompt states, its relation, phrasing and group, the voice that speaks it and its audio file.

    ``aliases`` are other names of the fact's answer.
    """

    fact_id: str = ""
    relation: str = ""
    phrasing: str = ""
    voice: str = ""
    group: str = ""
    audio: str = ""
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name != "aliases":
                written(field.name, getattr(self, field.name), blank="allowed")
        object.__setattr__(self, "aliases", listed("aliases", self.aliases, of=str, empty=True))


def given_origin(origin: Any) -> Origin:
    """An origin; anything else, such as a mapping of its fields, is refused."""
    if not isinstance(origin, Origin):
        raise ValueError(f"origin={shown(origin, 40)} ({type(origin).__name__}): expected an Origin(fact_id=…, …)")
    return origin
