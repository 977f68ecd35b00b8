"""The outcome of `sensitivity`: it prints itself, and makes its own sections of a page."""

from dataclasses import dataclass

from spiritlens.report.page.document import Section
from spiritlens.studies.sensitivity.sections import variant_sections
from spiritlens.studies.sensitivity.tables import paper_rows
from spiritlens.studies.sensitivity.varied import Varied
from spiritlens.text_tables import text_table


@dataclass(frozen=True, eq=False, repr=False)
class Sensitivity(Varied):
    """The table "what changes if": the baseline, and each variant beside it; prints itself for its first component."""

    def sections(self) -> list[Section]:
        """A section for each component, and one on what was left out, for `sl.dashboard`.

        Returns them in the order of the components.
        """
        return variant_sections(self)

    def __repr__(self) -> str:
        rows = paper_rows((self.baseline, *self.measured), self.components[0])
        missing = [f"Not measured: {each}" for each in self.missing]
        table = text_table(rows, right=(1,))
        return "\n".join(
            [f"What changes if ({self.components[0]})", table, *self.findings, *missing, f"Page: {self.page}"]
        )
