"""Maps of several groups of facts beside each other: cells of knowing, kinds of recall."""

from collections.abc import Sequence
from dataclasses import dataclass

from spiritlens.report.figures.maps_beside import Groups, maps_beside
from spiritlens.report.page.document import Section
from spiritlens.report.page.sections.given import key_of, named_plot


@dataclass(frozen=True, eq=False)
class BesideSection:
    """Averages by group (`spiritlens.report.figures.maps_beside`), a heading, and how to read them."""

    heading: str
    text: str
    groups: Groups

    def sections(self) -> Sequence[Section]:
        """One section with one figure."""
        key = key_of("beside", self.heading)
        wide, narrow = maps_beside(self.groups), maps_beside(self.groups, arrangement="stacked")
        return [Section(key, self.heading, self.text, [named_plot(f"{key}-maps", self.heading, wide, narrow)])]
