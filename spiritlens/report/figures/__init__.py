"""All figures by name: ``sl.figures.trace_map(effects, prompt=1).show()``.

Each takes an effects dataset (or a prompt) and returns a plotly figure; nothing is shown or written by itself. Titles
tell the direction of patching and n. Colours and marks are explained in `spiritlens.report.words`.

=================  ====================================================================================================
`trace_map`        one prompt: tokens, words or roles × layers
`role_maps`        average maps by role × layer, T2T beside S2T on one colour scale
`layer_curves`     the same averages by layer, with confidence bands
`total_effects`    what the corruption costs, every fact a point
`peak_layers`      how many facts peak at each layer
`head_map`         layers × heads at one role, T2T beside S2T
`path_map`         senders × receivers of path patching
`lens_map`         what each position would say after each layer (logit lens)
`dose_curves`      what the noise takes away, by its scale
`accuracy_table`   which facts the model knows
`speech`           waveform, words and units of a spoken prompt over time
=================  ====================================================================================================
"""

from spiritlens.report.figures.accuracy_table import accuracy_table
from spiritlens.report.figures.dose_curves import dose_curves
from spiritlens.report.figures.head_map import head_map
from spiritlens.report.figures.layer_curves import layer_curves
from spiritlens.report.figures.lens_map import lens_map
from spiritlens.report.figures.path_map import path_map
from spiritlens.report.figures.peak_layers import peak_layers
from spiritlens.report.figures.role_maps import role_maps
from spiritlens.report.figures.speech import speech
from spiritlens.report.figures.total_effects import total_effects
from spiritlens.report.figures.trace_map import trace_map

__all__ = [
    "accuracy_table",
    "dose_curves",
    "head_map",
    "layer_curves",
    "lens_map",
    "path_map",
    "peak_layers",
    "role_maps",
    "speech",
    "total_effects",
    "trace_map",
]
