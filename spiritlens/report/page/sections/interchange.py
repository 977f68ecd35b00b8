"""What is left of the recall when only the first parts of a ranking are kept, in either modality."""

import xarray as xr

from spiritlens.effects.faithfulness import faithfulness_areas
from spiritlens.effects.interchange import INTERCHANGE_SCHEMA
from spiritlens.report.figures.faithfulness_curves import faithfulness_curves
from spiritlens.report.page.document import Section, Table
from spiritlens.report.page.sections.given import Among, key_of, named_plot
from spiritlens.report.page.sections.tables import written_frame

TEXT = (
    "Parts were ranked on one half of the facts and kept, all others removed, on the other. A ranking of the other "
    "modality that does as well as the modality's own says that the parts serve both."
)


def interchange_section(name: str, found: xr.Dataset, among: Among) -> Section:
    """The curves, and the areas under them where the runs are there."""
    key = key_of("interchange", name)
    tables = []
    if found.attrs["schema"] == INTERCHANGE_SCHEMA:
        areas = written_frame(faithfulness_areas(found))
        tables = [Table(f"Areas under the curves: {name}", areas, "k*: the first size that suffices.", folded=True)]
    plots = [named_plot(f"{key}-curves", name, faithfulness_curves(found))]
    return Section(key, f"Which parts suffice: {name}", TEXT, plots, tables)
