"""Spans: positions of a prompt that are treated together, under a name."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from spiritlens.arguments import listed, whole, written


@dataclass(frozen=True)
class Span:
    """Positions of a prompt that are treated together; sorted, unique, at least one (none has only no name)."""

    name: str
    positions: tuple[int, ...]

    def __post_init__(self) -> None:
        written("name of the span", self.name, blank="allowed")
        given = listed(f"positions of span '{self.name}'", self.positions, empty=True)
        positions = tuple(whole(f"a position of span '{self.name}'", position) for position in given)
        object.__setattr__(self, "positions", positions)
        if not self.positions and not self.name:
            return  # the subject of a prompt that has none
        if not self.positions:
            raise ValueError(f"span '{self.name}' has no positions; a span needs at least one")
        if self.positions[0] < 0 or list(self.positions) != sorted(set(self.positions)):
            raise ValueError(
                f"span '{self.name}' has the positions {self.positions}; they must be sorted, unique and not negative"
            )

    @property
    def first(self) -> int:
        """The earliest position."""
        return self.positions[0]

    @property
    def last(self) -> int:
        """The latest position."""
        return self.positions[-1]

    def __len__(self) -> int:
        return len(self.positions)

    def __iter__(self) -> Iterator[int]:
        return iter(self.positions)

    def __contains__(self, position: object) -> bool:
        return position in self.positions


Where = str | int | slice | Span | Iterable[int]
"""What `Prompt.span` understands: a name, a position, a slice, a span, or positions."""


def ranges_text(positions: list[int]) -> str:
    """``0-3, 7`` for ``[0, 1, 2, 3, 7]``."""
    runs: list[list[int]] = []
    for position in positions:
        if runs and position == runs[-1][-1] + 1:
            runs[-1].append(position)
        else:
            runs.append([position])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
