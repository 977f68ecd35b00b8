"""The dose curve: a mean over facts at each multiple, per modality of the subject."""

import numpy as np
import pytest
import xarray as xr

from spiritlens.report.dose import dose_curves


def doses_of(values: list[list[float]], modalities: list[str], subjects: list[str]) -> xr.Dataset:
    about = {"fact_id": [""] * len(subjects), "relation": [""] * len(subjects), "answer": [""] * len(subjects)}
    return xr.Dataset(
        {
            "normalised_total_effect": (("multiple", "prompt"), np.array(values)),
            "scale": (("modality", "multiple"), [[0.1, 0.2], [0.3, 0.6]]),
        },
        coords={
            "multiple": [1.0, 2.0],
            "modality": ["text", "speech"],
            "subject": ("prompt", subjects),
            "subject_modality": ("prompt", modalities),
            **{name: ("prompt", column) for name, column in about.items()},
        },
    )


def test_curves_are_means_with_intervals() -> None:
    values = [[0.1, 0.3, 0.5, 0.7], [0.2, 0.4, 0.8, 1.0]]
    doses = doses_of(values, ["text", "text", "speech", "speech"], list("abcd"))
    figure = dose_curves(doses, target=0.5)
    text, speech = figure.data
    np.testing.assert_allclose(text.y, [0.2, 0.3])
    np.testing.assert_allclose(speech.y, [0.6, 0.9])
    assert list(speech.customdata) == [0.3, 0.6]
    assert text.error_y.array[0] == pytest.approx(0.1)
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.shapes[0].y0 == 0.5
    assert dose_curves(doses.assign_coords(multiple=[0.0, 1.0])).layout.xaxis.type == "linear"


def test_voices_of_one_fact_are_one_draw() -> None:
    figure = dose_curves(doses_of([[0.1, 0.2, 0.3, 0.6], [0.1, 0.2, 0.3, 0.8]], ["speech"] * 4, ["a", "a", "a", "b"]))
    np.testing.assert_allclose(figure.data[0].y, [0.4, 0.5])
    assert "speech n = 2 facts" in figure.layout.title.text


def test_one_subject_has_no_bars() -> None:
    figure = dose_curves(doses_of([[0.1, 0.2], [0.1, 0.2]], ["speech"] * 2, ["a", "a"]))
    assert figure.data[0].error_y.array is None
    assert "intervals" not in figure.layout.title.text
