"""The difference map pairs facts as the comparison does, on one scale, and outlines what the comparison found."""

from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest
import xarray as xr

from spiritlens.comparison.compare import compare
from spiritlens.comparison.result import Comparison
from spiritlens.effects.schema import Status
from spiritlens.report.figures.difference_map import difference_map


@pytest.fixture(scope="module")
def comparison(roles: xr.Dataset) -> Comparison:
    return compare(roles)


def maps(figure: go.Figure) -> list[go.Heatmap]:
    return [trace for trace in figure.data if trace.type == "heatmap"]


def outlined(figure: go.Figure) -> list[tuple[float, float, str]]:
    return [((each.x0 + each.x1) / 2, each.y0, each.xref) for each in figure.layout.shapes if each.name == "different"]


def test_the_third_map_is_the_second_less_the_first(roles: xr.Dataset, comparison: Comparison) -> None:
    figure = difference_map(roles, comparison, component="mlp_out")
    first, second, apart = (np.asarray(trace.z, dtype=float) for trace in maps(figure))
    np.testing.assert_allclose(apart, second - first, atol=1e-12)
    cells = comparison.cells["difference"].sel(component="mlp_out").transpose("role", "layer").values
    np.testing.assert_allclose(apart[~np.isnan(cells)], cells[~np.isnan(cells)], atol=1e-12)
    titles = [annotation.text for annotation in figure.layout.annotations]
    assert titles[2] == "<b>S2T − T2T</b> · mlp_out<br>n = 12 facts"
    assert {trace.coloraxis for trace in maps(figure)} == {"coloraxis"}
    assert figure.layout.coloraxis.colorbar.title.text == "share of the total effect"


def test_the_cells_of_the_test_are_outlined_in_the_difference(roles: xr.Dataset, comparison: Comparison) -> None:
    figure = difference_map(roles, comparison)
    assert len(outlined(figure)) == comparison.n_different > 0
    assert {xref for *_, xref in outlined(figure)} == {"x3", "x6"}
    verdicts = comparison.cells["verdict"].sel(component="resid_pre").transpose("role", "layer").values
    rows = comparison.cells["role"].values.tolist()
    tops = maps(figure)[2].y  # thin rows lie before those that differ
    places = {(layer, rows[tops.index(top)]) for layer, top, xref in outlined(figure) if xref == "x3"}
    assert places == {(at, rows[row]) for row, at in zip(*np.nonzero(verdicts == "different"), strict=True)}
    layer = next(at for at, role in places if role == "subject")
    told = maps(figure)[2].text[rows.index("subject")][int(layer)]
    assert "<br>n = 12 facts<br>different, adjusted p = 0.0" in told
    assert f"outlined: {comparison.n_different} of {comparison.n_tested} cells" in figure.layout.title.text


def test_nothing_is_outlined_without_a_comparison_or_in_a_closed_one(roles: xr.Dataset, comparison: Comparison) -> None:
    assert outlined(difference_map(roles)) == []
    assert "no cell was tested: pass sl.compare(effects)" in difference_map(roles).layout.title.text
    closed = difference_map(roles, replace(comparison, closed="too few subjects"))
    assert outlined(closed) == []
    assert "nothing is told of cells: too few subjects" in closed.layout.title.text


def test_effects_are_drawn_in_the_unit_of_the_metric(roles: xr.Dataset) -> None:
    figure = difference_map(roles, component="mlp_out", quantity="indirect", arrangement="stacked")
    shares = difference_map(roles, component="mlp_out", arrangement="stacked")
    rows = list(figure.layout.yaxis.ticktext)
    assert maps(figure)[0].z[rows.index("subject")][2] == pytest.approx(0.7, abs=0.1)
    assert maps(shares)[0].z[rows.index("subject")][2] == pytest.approx(0.9, abs=0.1)
    assert figure.layout.coloraxis.colorbar.title.text == "indirect effect"
    assert {figure.layout[name].domain for name in ("xaxis", "xaxis2", "xaxis3")} == {(0.0, 1.0)}


def test_screened_exact_and_absent_cells_are_told_apart(roles: xr.Dataset) -> None:
    status, restored = roles["status"].copy(deep=True), roles["restored"].copy(deep=True)
    status[:, :, 5, 3], restored[:, :, 5, 3] = Status.SCREENED, np.nan
    figure = difference_map(roles.assign(status=status, restored=restored), component="mlp_out")
    rows = list(figure.layout.yaxis.ticktext)
    told = maps(figure)[2].text
    assert "screened out: not run" in told[rows.index("subject")][5]
    assert "absent: no such place" in told[rows.index("modality marker")][5]
    assert "0 (exact: the patch changes nothing, not run)" in told[rows.index("bos")][5]


def test_refusals(roles: xr.Dataset, heads: xr.Dataset, comparison: Comparison) -> None:
    written = roles.isel(prompt=roles["modality"].values == "T2T")
    with pytest.raises(ValueError, match="no S2T prompt among the modalities T2T: pass what causal_trace"):
        difference_map(written)
    with pytest.raises(ValueError, match="has heads: draw it with head_map"):
        difference_map(heads)
    with pytest.raises(ValueError, match="the comparison is of probability; compare by that metric"):
        difference_map(roles, comparison, metric="logit")
    with pytest.raises(ValueError, match=r"comparison=5 \(int\): expected sl\.compare"):
        difference_map(roles, 5)  # type: ignore[arg-type]
