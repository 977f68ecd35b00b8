"""What each position would say after each layer: the logit lens, prompt by prompt."""

import xarray as xr

from spiritlens.report.figures.lens_map import lens_map
from spiritlens.report.numerals import several
from spiritlens.report.page.document import Section
from spiritlens.report.page.sections.given import Among, key_of, named_plot

SHOWN = 4
"""A page shows so many prompts of a lens; a map of all would be as long as they are."""
TEXT = (
    "Every state was read by the final norm and the unembedding: what the model would say, were its layers to end "
    "there. A dark cell has the word at its position on a high rank."
)


def lens_section(name: str, lens: xr.Dataset, among: Among) -> Section:
    """The first prompts of each modality, and how many there are."""
    key, chosen = key_of("lens", name), _chosen(lens)
    plots = [
        named_plot(f"{key}-{place}", _prompt_words(name, lens.isel(prompt=place)), lens_map(lens, place))
        for place in chosen
    ]
    n = lens.sizes["prompt"]
    left = f" Shown: {len(chosen)} of {several(n, 'prompt')}." if n > len(chosen) else ""
    return Section(key, f"What states say: {name}", f"{TEXT}{left}", plots)


def _chosen(lens: xr.Dataset) -> list[int]:
    """Places of the shown prompts: the modalities in turn, in their order."""
    kinds = lens["modality"].values.tolist() if "modality" in lens.coords else [""] * lens.sizes["prompt"]
    turns = [(kinds[:place].count(kind), place) for place, kind in enumerate(kinds)]
    return sorted(place for _, place in sorted(turns)[:SHOWN])


def _prompt_words(name: str, one: xr.Dataset) -> str:
    """Which prompt a map is of."""
    told = [str(one[each].values) for each in ("modality", "subject") if each in one.coords]
    return " · ".join([name, *filter(None, told)])
