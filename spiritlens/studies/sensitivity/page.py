"""The page of a table of sensitivity, and its tables as files: ``table.csv``, ``table.md``, ``table.tex``."""

from pathlib import Path

import pandas as pd

from spiritlens.files.atomic import write_whole
from spiritlens.report.page.document import Plot, Section, Table, write_page
from spiritlens.report.page.methods_text import methods_sentences, model_words, settings_table
from spiritlens.studies.sensitivity.figure import sensitivity_dots
from spiritlens.studies.sensitivity.result import Sensitivity
from spiritlens.studies.sensitivity.tables import paper_rows

READING = (
    "Each row makes one thing of the baseline in another way. A correlation of 1 with the baseline's map says that "
    "only noise differs; the row “other draws” says how far numbers move without a cause. “=”: nothing of that "
    "modality was changed."
)
METHODS = (
    "Correlations are those of population maps, by products of different subjects, with a jackknife interval; total "
    "effects have the cluster interval corrected for skewness; peaks and crossings a bootstrap over subjects. Facts "
    "count whether they are known in the variant or not."
)


def write_results(result: Sensitivity, out: Path) -> Path:
    """Write the tables and the page; return the path of ``index.html``."""
    write_whole(out / "table.csv", result.frame().to_csv(index=False).encode())
    for name, table in (("md", result.markdown), ("tex", result.latex)):
        heading = "\n**{}**\n\n" if name == "md" else "\n% {}\n"
        text = "".join(heading.format(component) + table(component) for component in result.components)
        write_whole(out / f"table.{name}", text.lstrip().encode())
    own = {"baseline": result.effects}
    return write_page(
        out / "index.html",
        title="What changes if",
        lead=f"Maps of {model_words(result.effects)}, made in other ways, {result.effects.attrs['created'][:10]}.",
        findings=result.findings,
        sections=[*(_section(result, component) for component in result.components), _left_out(result)],
        methods=[*methods_sentences(own, "all"), METHODS],
        settings=Table("Settings", settings_table(own)),
    )


def _section(result: Sensitivity, component: str) -> Section:
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


def _left_out(result: Sensitivity) -> Section:
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
