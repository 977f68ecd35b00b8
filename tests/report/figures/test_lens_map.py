"""The lens grid shows the likeliest token and the rank, and leaves positions without a word grey."""

import numpy as np
import pytest
import xarray as xr

from spiritlens.report.figures.lens_map import lens_map


@pytest.fixture
def lens() -> xr.Dataset:
    top = np.full((1, 2, 3, 2), "", dtype="<U8")
    top[0, :, :2, 0], top[0, :, :2, 1] = "<s>", "rome"
    share = np.full((1, 2, 3, 2), np.nan)
    share[0, :, :2] = [0.6, 0.3]
    ranks = np.array([[[np.nan, 100.0, np.nan], [np.nan, 1.0, np.nan]]])
    return xr.Dataset(
        {
            "top_token": (("prompt", "state", "pos", "top"), top),
            "top_probability": (("prompt", "state", "pos", "top"), share),
            "rank": (("prompt", "state", "pos"), ranks),
            "answer_rank": (("prompt", "state", "pos"), ranks * 0 + 10),
        },
        coords={
            "state": [0, 1],
            "labels": (("prompt", "pos"), np.array([["<s>", "[Hu1]", ""]])),
            "roles": (("prompt", "pos"), np.array([["bos", "subject", ""]])),
            "modalities": (("prompt", "pos"), np.array([["none", "speech", ""]])),
        },
        attrs={"schema": "spiritlens.lens/1"},
    )


def test_cells_hold_token_and_log_rank(lens: xr.Dataset) -> None:
    grid = lens_map(lens).data[0]
    np.testing.assert_allclose(np.asarray(grid.z, dtype=float), [[np.nan, np.nan], [2.0, 0.0]])
    assert grid.text[1][0] == "&lt;s&gt;"
    assert grid.customdata[1][1] == "[Hu1], state 1<br>&lt;s&gt; 0.6, rome 0.3<br>rank of the word: 1"
    np.testing.assert_allclose(np.asarray(lens_map(lens, rank_of="answer").data[0].z, dtype=float)[1], [1.0, 1.0])


def test_refusals(lens: xr.Dataset) -> None:
    with pytest.raises(ValueError, match="holds 1 prompt,"):
        lens_map(lens, prompt=1)
    with pytest.raises(ValueError, match="rank_of='foil': expected one of word, answer"):
        lens_map(lens, rank_of="foil")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"expected 'spiritlens\.lens/1': pass what logit_lens returns"):
        lens_map(lens.assign_attrs(schema="spiritlens.attention/1"))
    with pytest.raises(ValueError, match=r"prompt=0\.5: expected a whole number"):
        lens_map(lens, prompt=0.5)  # type: ignore[arg-type]
