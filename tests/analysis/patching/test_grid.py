"""The cells of a patching grid: which layers a cell patches, and which cells there are."""

import numpy as np
from patching_by_hooks import QUIET, TOLERANCE, naive, other_prompt

from spiritlens.analysis.grid.grid import Grid
from spiritlens.analysis.patching.activation_patching import activation_patch
from tests.analysis.tracing_lens import text_prompt


def test_windows_equal_several_hooks_and_one_layer_is_a_window_of_one(lens):
    prompt, other = text_prompt(), other_prompt()
    found = activation_patch(lens, [prompt], [other], Grid(("mlp_out",), window=2), **QUIET)
    slow = naive(lens, prompt, other, prompt, "mlp_out", [0, 1], [5])
    assert np.allclose(found["restored"].sel(component="mlp_out", layer=1).values[0, 5, 0], slow, atol=TOLERANCE)
    assert '"1": [0, 1]' in found.attrs["window_layers"]
