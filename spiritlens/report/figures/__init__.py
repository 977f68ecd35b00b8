"""All figures by name: ``sl.figures.trace_map(effects, prompt=1).show()``.

Each takes what a method returned (or a prompt) and returns a plotly figure; nothing is shown or written by itself.
Figures of averages take effects or, so that several figures need them once, ``sl.effects.average(effects)``. Titles
tell the direction of patching and n. Words: `spiritlens.report.words`; colours and marks:
`spiritlens.report.figures.look`.

`paper` writes one as PDF, SVG or PNG at the width of a paper's column or page. Opening this module registers the plotly
template ``spiritlens`` (`spiritlens.report.figures.template`).

A figure is a file with a function of its name, imported here, and a row of `FIGURES`, which is also the order of the
page.
"""

from spiritlens.report.figures.accuracy_table import accuracy_table as accuracy_table
from spiritlens.report.figures.attention_mass import attention_mass as attention_mass
from spiritlens.report.figures.crossing import crossing as crossing
from spiritlens.report.figures.difference_map import difference_map as difference_map
from spiritlens.report.figures.dose_curves import dose_curves as dose_curves
from spiritlens.report.figures.faithfulness_curves import faithfulness_curves as faithfulness_curves
from spiritlens.report.figures.figure import Figure
from spiritlens.report.figures.head_map import head_map as head_map
from spiritlens.report.figures.head_ranking import head_ranking as head_ranking
from spiritlens.report.figures.layer_curves import layer_curves as layer_curves
from spiritlens.report.figures.lens_map import lens_map as lens_map
from spiritlens.report.figures.logit_attribution import logit_attribution as logit_attribution
from spiritlens.report.figures.maps_beside import maps_beside as maps_beside
from spiritlens.report.figures.paper import paper as paper
from spiritlens.report.figures.path_dots import path_dots as path_dots
from spiritlens.report.figures.path_map import path_map as path_map
from spiritlens.report.figures.peak_layers import peak_layers as peak_layers
from spiritlens.report.figures.role_maps import role_maps as role_maps
from spiritlens.report.figures.speech import speech as speech
from spiritlens.report.figures.template import register_template
from spiritlens.report.figures.total_effects import total_effects as total_effects
from spiritlens.report.figures.trace_map import trace_map as trace_map

FIGURES = (
    Figure(trace_map, of="effects"),
    Figure(crossing, of="averages"),
    Figure(difference_map, of="effects"),
    Figure(role_maps, of="averages", section="maps", key="role-maps", forms="both"),
    Figure(maps_beside, of="groups", forms="both"),
    Figure(layer_curves, of="averages", section="curves", key="curves", forms="both"),
    Figure(total_effects, of="total averages", section="curves", key="total"),
    Figure(peak_layers, of="averages", section="curves", key="peaks"),
    Figure(head_map, of="heads"),
    Figure(head_ranking, of="heads"),
    Figure(attention_mass, of="attention"),
    Figure(logit_attribution, of="attribution"),
    Figure(path_map, of="paths"),
    Figure(path_dots, of="paths"),
    Figure(lens_map, of="lens"),
    Figure(dose_curves, of="doses"),
    Figure(faithfulness_curves, of="interchange"),
    Figure(accuracy_table, of="rows"),
    Figure(speech, of="prompt"),
)
"""Every figure; those of a section of the page are shown there in this order."""

register_template()

__all__ = [*(figure.name for figure in FIGURES), "paper"]
__doc__ = "\n".join([str(__doc__), *(f"`{figure.name}`\n    {figure.words}" for figure in FIGURES)])
