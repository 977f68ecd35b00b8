"""Where heads look: attention mass between roles or modalities, and detectors of familiar kinds of heads."""

import xarray as xr

from spiritlens.report.figures.attention_mass import attention_mass
from spiritlens.report.figures.head_map import head_map
from spiritlens.report.figures.head_ranking import head_ranking
from spiritlens.report.page.document import Section
from spiritlens.report.page.sections.given import Among, key_of, named_plot

MASS = (
    "How much of the attention goes from one group of tokens to another, read from the clean run: where a head looks, "
    "not what it moves, nor what the model would lose without it."
)
DETECTED = (
    "How much of the attention of a head goes to the place that each detector names (the token before, the same token "
    "earlier, what followed it …), read from the clean run."
)


def attention_section(name: str, attention: xr.Dataset, among: Among) -> Section:
    """By layer, then by head."""
    key = key_of("attention", name)
    detects = "score" in attention.variables
    heading = f"{'Detectors of heads' if detects else 'Where heads look'}: {name}"
    plots = [
        named_plot(f"{key}-layers", name, attention_mass(attention)),
        named_plot(f"{key}-heads", name, head_map(attention)),
        named_plot(f"{key}-ranking", name, head_ranking(attention)),
    ]
    return Section(key, heading, DETECTED if detects else MASS, plots)
