"""How much the noise takes away, by its scale."""

import xarray as xr

from spiritlens.report.figures.dose_curves import dose_curves
from spiritlens.report.page.document import Section
from spiritlens.report.page.sections.given import Among, key_of, named_plot

TEXT = (
    "Noise of equal scale is no equal dose: maps of two modalities are best compared at scales that take the same "
    "share away."
)


def doses_section(name: str, doses: xr.Dataset, among: Among) -> Section:
    """The curve of each modality."""
    key = key_of("doses", name)
    plots = [named_plot(f"{key}-curves", name, dose_curves(doses))]
    return Section(key, f"Dose of the corruption: {name}", TEXT, plots)
