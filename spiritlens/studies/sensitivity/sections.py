"""The sections of a table of sensitivity: a figure and a table for each component, and what was left out."""

import pandas as pd

from spiritlens.report.page.document import Plot, Section, Table
from spiritlens.studies.sensitivity.figure import sensitivity_dots
from spiritlens.studies.sensitivity.tables import paper_rows
from spiritlens.studies.sensitivity.varied import Varied

READING = (
    "Each row makes one thing of the baseline in another way. A correlation of 1 with the baseline's map says that "
    "only noise differs; the row “other draws” says how far numbers move without a cause. “=”: nothing of that "
    "modality was changed."
)


def variant_sections(result: Varied) -> list[Section]:
    """A section for each component, then one on what was left out."""
    return [*(_section(result, component) for component in result.components), _left_out(result)]


def _section(result: Varied, component: str) -> Section:
    rows = paper_rows((result.baseline, *result.measured), component)
    frame = pd.DataFrame(rows[1:], columns=list(rows[0]))
    wide, narrow = sensitivity_dots(result, component), sensitivity_dots(result, component, "stacked")
    return Section(
        key=f"variants-{component}",
        heading=component,
        text=READING,
        plots=[Plot(f"dots-{component}", wide, narrow)],
        tables=[Table(f"The table: {component}", frame, f"Facts in writing/in speech. {READING}", folded=True)],
    )


def _left_out(result: Varied) -> Section:
    """Variants that could not be made, and prompts that a variant had to leave out, with the reasons."""
    rows = [(one.variant.name, "not measured", one.why) for one in result.variants if one.setup is None]
    for one in result.measured:
        if one.setup is not None and one.setup.left_out:
            reasons = "; ".join(one.setup.left_out)
            rows.append((one.variant.name, f"{len(one.setup.left_out)} prompts left out", reasons))
    frame = pd.DataFrame(rows, columns=["variant", "what", "why"])
    if not rows:
        return Section("left-out", "What was left out", "Every variant was made of every fact.")
    return Section("left-out", "What was left out", "", tables=[Table("Left out", frame)])
