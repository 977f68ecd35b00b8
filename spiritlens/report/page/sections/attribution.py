"""What heads and MLPs write towards the answer: direct logit attribution."""

import xarray as xr

from spiritlens.report.figures.head_map import head_map
from spiritlens.report.figures.head_ranking import head_ranking
from spiritlens.report.figures.logit_attribution import logit_attribution
from spiritlens.report.page.document import Section
from spiritlens.report.page.sections.given import Among, key_of, named_plot

TEXT = (
    "The logit of the answer is a sum of what the embedding, every head and every MLP write at the last position: here "
    "are the summands, read from the clean run with its final norm held. It is no causal effect: what later layers "
    "read of them is not counted."
)


def attribution_section(name: str, attribution: xr.Dataset, among: Among) -> Section:
    """By layer, then by head."""
    key = key_of("attribution", name)
    plots = [
        named_plot(f"{key}-layers", name, logit_attribution(attribution)),
        named_plot(f"{key}-heads", name, head_map(attribution)),
        named_plot(f"{key}-ranking", name, head_ranking(attribution)),
    ]
    return Section(key, f"What is written towards the answer: {name}", TEXT, plots)
