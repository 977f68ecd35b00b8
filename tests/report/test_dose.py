"""The dose curve: a mean over prompts at each multiple, per modality of the subject."""

import numpy as np
import pytest
import xarray as xr

from spiritlens.report.dose import dose_curves


def test_curves_are_means_with_intervals() -> None:
    values = np.array([[0.1, 0.3, 0.5, 0.7], [0.2, 0.4, 0.8, 1.0]])
    doses = xr.Dataset(
        {
            "normalised_total_effect": (("multiple", "prompt"), values),
            "scale": (("modality", "multiple"), [[0.1, 0.2], [0.3, 0.6]]),
        },
        coords={
            "multiple": [1.0, 2.0],
            "modality": ["text", "speech"],
            "prompt_id": ("prompt", list("abcd")),
            "subject_modality": ("prompt", ["text", "text", "speech", "speech"]),
        },
    )
    figure = dose_curves(doses, target=0.5)
    text, speech = figure.data
    np.testing.assert_allclose(text.y, [0.2, 0.3])
    np.testing.assert_allclose(speech.y, [0.6, 0.9])
    assert list(speech.customdata) == [0.3, 0.6]
    assert text.error_y.array[0] == pytest.approx(0.1)
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.shapes[0].y0 == 0.5
    assert dose_curves(doses.assign_coords(multiple=[0.0, 1.0])).layout.xaxis.type == "linear"
