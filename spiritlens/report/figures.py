"""All figures by name: ``sl.figures.trace_map(effects, prompt=1).show()``.

Each takes an effects dataset (or a prompt) and returns a plotly figure; nothing is shown or written by itself. Titles
tell the direction of patching and n. Colours and marks are explained in `spiritlens.report.labels`.

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

from spiritlens.report.average_map import role_maps
from spiritlens.report.curves import layer_curves, peak_layers, total_effects
from spiritlens.report.dose import dose_curves
from spiritlens.report.head_map import head_map
from spiritlens.report.lens_map import lens_map
from spiritlens.report.path_map import path_map
from spiritlens.report.prompt_map import trace_map
from spiritlens.report.speech_figure import speech
from spiritlens.report.tables import accuracy_table

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
