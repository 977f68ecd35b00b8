"""Facts as they were loaded: a tuple of facts that knows its layout and what was left out."""

from collections.abc import Iterable

from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.left_out import LeftOut


class Facts(tuple[Fact, ...]):
    """The facts of one source, in its order, as a tuple; `print` says the layout, the count and what was left out.

    ``source`` names where they came from, ``layout`` the layout that was recognised (`layouts`), ``left_out`` the rows
    that are no facts, by reason.
    """

    source: str
    layout: str
    left_out: LeftOut

    def __new__(
        cls, facts: Iterable[Fact] = (), source: str = "", layout: str = "", left_out: LeftOut | None = None
    ) -> "Facts":
        made = super().__new__(cls, facts)
        made.source, made.layout, made.left_out = source, layout, left_out or LeftOut()
        return made

    def __str__(self) -> str:
        """One line of counts, and a table of reasons where rows were left out."""
        relations = len({fact.relation for fact in self})
        rows = len(self) + len(self.left_out)
        several = "" if relations == 1 else "s"
        told = f"{len(self):,} of {rows:,} rows are facts, of {relations:,} relation{several}: {self.source}"
        told += f" ({self.layout})"
        return f"{told}\n{self.left_out}" if self.left_out else told

    __repr__ = __str__
