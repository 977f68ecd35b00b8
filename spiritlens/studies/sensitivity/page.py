"""The page of a table of sensitivity, and its tables as files: ``table.csv``, ``table.md``, ``table.tex``."""

from pathlib import Path

from spiritlens.files.atomic import write_whole
from spiritlens.report.methods.sentences import methods_sentences, model_words, settings_table
from spiritlens.report.page.document import Table, write_page
from spiritlens.studies.sensitivity.result import Sensitivity

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
        sections=result.sections(),
        methods=[*methods_sentences(own, "all"), METHODS],
        settings=Table("Settings", settings_table(own)),
    )
