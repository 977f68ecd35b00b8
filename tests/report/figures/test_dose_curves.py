"""The dose curve: a mean over facts at each multiple, per modality of the subject."""

import numpy as np
import pytest
import xarray as xr

from spiritlens.effects.intervals import cluster_interval
from spiritlens.report.figures.dose_curves import dose_curves


def doses_of(values: list[list[float]], modalities: list[str], subjects: list[str]) -> xr.Dataset:
    about = {name: [""] * len(subjects) for name in ("prompt_id", "fact_id", "relation", "answer")}
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
        attrs={"schema": "spiritlens.doses/1"},
    )


def test_curves_are_means_with_intervals() -> None:
    values = [[0.1, 0.3, 0.5, 0.7], [0.2, 0.4, 0.8, 1.0]]
    doses = doses_of(values, ["text", "text", "speech", "speech"], list("abcd"))
    figure = dose_curves(doses, target=0.5)
    text, speech = figure.data
    np.testing.assert_allclose(text.y, [0.2, 0.3])
    np.testing.assert_allclose(speech.y, [0.6, 0.9])
    assert list(speech.text) == ["1 × default (scale 0.3): 0.6", "2 × default (scale 0.6): 0.9"]
    assert text.error_y.array is None  # two subjects have no interval
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.shapes[0].y0 == 0.5
    assert dose_curves(doses.assign_coords(multiple=[0.0, 1.0])).layout.xaxis.type == "linear"


def test_six_subjects_have_bars() -> None:
    values = np.array([[0.1, 0.2, 0.4, 0.5, 0.6, 0.9], [0.2, 0.3, 0.3, 0.5, 0.6, 0.8]])
    bar = dose_curves(doses_of(values.tolist(), ["speech"] * 6, list("abcdef"))).data[0].error_y
    expected = cluster_interval(values.T, np.arange(6))
    np.testing.assert_allclose(bar.array, expected.high - expected.mean)
    np.testing.assert_allclose(bar.arrayminus, expected.mean - expected.low)


def test_voices_of_one_fact_are_one_draw() -> None:
    figure = dose_curves(doses_of([[0.1, 0.2, 0.3, 0.6], [0.1, 0.2, 0.3, 0.8]], ["speech"] * 4, ["a", "a", "a", "b"]))
    np.testing.assert_allclose(figure.data[0].y, [0.4, 0.5])
    assert "speech n = 2 facts" in figure.layout.title.text


def test_one_subject_has_no_bars() -> None:
    figure = dose_curves(doses_of([[0.1, 0.2], [0.1, 0.2]], ["speech"] * 2, ["a", "a"]))
    assert figure.data[0].error_y.array is None
    assert "intervals" not in figure.layout.title.text


def test_other_datasets_and_targets_are_refused(roles: xr.Dataset) -> None:
    doses = doses_of([[0.1, 0.2], [0.1, 0.2]], ["speech"] * 2, ["a", "a"])
    for dose, target, message in (
        (
            roles,
            None,
            r"doses has the schema 'spiritlens\.effects/1', expected 'spiritlens\.doses/1': pass what dose_curve",
        ),
        ("doses.nc", None, r"doses='doses\.nc' \(str\): expected one Dataset"),
        (doses, 1.5, "target=1.5: expected a number > 0 and < 1"),
        (doses, float("nan"), "target=nan"),
    ):
        with pytest.raises(ValueError, match=message):
            dose_curves(dose, target)
