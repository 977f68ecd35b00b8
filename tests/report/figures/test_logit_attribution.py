"""Attributions by layer: the layers, the embedding and the remainder sum to the whole."""

import numpy as np
import pytest
import xarray as xr

import spiritlens as sl
from spiritlens.report.figures.logit_attribution import logit_attribution


@pytest.fixture(scope="module")
def attribution() -> xr.Dataset:
    machine = sl.planted()
    prompts = [*machine.prompts[:3], *machine.prompts[12:15]]
    return sl.heads.direct_logit_attribution(machine.lens, prompts, progress="none")


def test_layers_hold_the_heads_together_and_the_mlps(attribution: xr.Dataset) -> None:
    figure = logit_attribution(attribution)
    written = attribution.isel(prompt=[0, 1, 2])
    heads, _, mlps, _ = (trace for trace in figure.data if trace.name)
    np.testing.assert_allclose(heads.y, written["heads"].sum("head").mean("prompt").values)
    np.testing.assert_allclose(mlps.y, written["mlps"].mean("prompt").values)
    whole = np.sum(heads.y) + np.sum(mlps.y) + float(written["embedding"].mean() + written["remainder"].mean())
    assert whole == pytest.approx(float(written["total"].mean()))


def test_the_subtitle_tells_the_sums(attribution: xr.Dataset) -> None:
    title = logit_attribution(attribution).layout.title.text
    assert "logit of the answer − logit of the foil" in title
    assert "T2T (n = 3 facts): attention " in title
    bare = attribution.assign_attrs(config_json='{"against": "nothing"}')
    title = logit_attribution(bare).layout.title.text
    assert "<sup>logit of the answer" in title
    assert "logit of the foil" not in title


def test_refusals(roles: xr.Dataset) -> None:
    with pytest.raises(ValueError, match="pass what direct_logit_attribution returns"):
        logit_attribution(roles)
