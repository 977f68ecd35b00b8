"""What one node tells another: paths that were patched, or edges that were attributed."""

import xarray as xr

from spiritlens.report.figures.path_dots import path_dots
from spiritlens.report.figures.path_map import path_map
from spiritlens.report.page.document import Section
from spiritlens.report.page.sections.given import Among, key_of, named_plot

BASES = {
    "clean": "The sender's value was put to that of the corrupted run on its way to the receiver alone, in the clean "
    "run: a path that carries the fact is blue, for without it the answer is lost.",
    "corrupted": "The sender's value was put to that of the clean run on its way to the receiver alone, in the "
    "corrupted run: a path that carries the fact is red, for it brings the answer back.",
}
HELD = {
    "heads": "Heads between them were held.",
    "heads+mlps": "Heads and MLPs between them were held.",
    "nothing": "Nothing between them was held.",
}
ESTIMATED = "These are estimates from gradients: no path was patched."


def paths_section(name: str, paths: xr.Dataset, among: Among) -> Section:
    """A map and dots at each position at which senders were patched."""
    key = key_of("paths", name)
    estimated = "attribution" in str(paths.attrs.get("method", ""))
    words = [BASES[paths.attrs["base_run"]], HELD[paths.attrs["frozen"]], *([ESTIMATED] if estimated else [])]
    plots = []
    for pos in range(paths.sizes["pos"]):
        place = str(paths["pos_name"].values[pos])
        plots += [
            named_plot(f"{key}-map-{pos}", f"{name} · {place}", path_map(paths, pos=pos, facts=among.facts)),
            named_plot(f"{key}-dots-{pos}", f"{name} · {place}", path_dots(paths, pos=pos, facts=among.facts)),
        ]
    return Section(key, f"{'Edges' if estimated else 'Paths'}: {name}", " ".join(words), plots)
