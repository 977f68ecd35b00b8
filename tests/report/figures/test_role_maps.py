"""Average maps: one panel per modality and component, all on one scale, absent roles grey."""

import numpy as np
import plotly.graph_objects as go
import pytest
import xarray as xr

import spiritlens as sl
from spiritlens.report.figures.role_maps import role_maps
from spiritlens.terms import ROLES


def maps(figure: go.Figure) -> list[go.Heatmap]:
    return [trace for trace in figure.data if trace.type == "heatmap"]


def test_panels_hold_the_averages_side_by_side(roles: xr.Dataset) -> None:
    figure = role_maps(roles)
    average = sl.effects.average(roles).sel(metric="probability")
    panels = [(name, group) for name in ("resid_pre", "mlp_out") for group in (0, 1)]
    assert len(maps(figure)) == 4
    for trace, (name, group) in zip(maps(figure), panels, strict=True):
        expected = average["mean"].sel(component=name).isel(group=group).transpose("role", "layer")
        np.testing.assert_array_equal(trace.z, expected.values)
    titles = [annotation.text for annotation in figure.layout.annotations]
    assert titles[:2] == ["<b>T2T</b> · resid_pre · n = 12 facts", "<b>S2T</b> · resid_pre · n = 12 facts"]


def test_all_maps_share_one_scale_that_the_total_effect_limits(roles: xr.Dataset) -> None:
    figure = role_maps(roles)
    assert {trace.coloraxis for trace in maps(figure)} == {"coloraxis"}
    axis = figure.layout.coloraxis
    totals = sl.effects.average_total(roles).sel(metric="probability")["mean"].values
    largest = max(np.nanmax(np.abs(trace.z)) for trace in maps(figure))
    assert axis.cmin == -axis.cmax
    assert axis.cmax == pytest.approx(max(*totals, largest))
    assert axis.colorbar.title.text == "indirect effect"
    halved = roles.assign(restored=(roles["restored"] + roles["corrupted"]) / 2)
    halved["restored"] = halved["restored"].transpose(*roles["restored"].dims)
    weak = role_maps(halved)
    assert weak.layout.coloraxis.cmax == pytest.approx(totals.max())
    assert max(np.nanmax(np.abs(trace.z)) for trace in maps(weak)) < 0.6 * totals.max()


def test_total_effects_within_the_noise_floor_are_pale(roles: xr.Dataset) -> None:
    loud = role_maps(roles.assign(noise_floor=roles["noise_floor"] + 2.0))
    assert "within the noise floor, 2" in loud.layout.title.text
    assert max(np.nanmax(np.abs(trace.z)) for trace in maps(loud)) <= loud.layout.coloraxis.cmax / 4
    earlier = sl.effects.average(roles).drop_vars(["total_effect", "noise_floor"])
    largest = max(np.nanmax(np.abs(trace.z)) for trace in maps(role_maps(earlier)))
    assert role_maps(earlier).layout.coloraxis.cmax == pytest.approx(largest)


def test_absent_roles_are_grey_and_exact_ones_ringed(roles: xr.Dataset) -> None:
    figure = role_maps(roles, component="resid_pre")
    told = maps(figure)[0].text
    ringed = next(trace for trace in figure.data if trace.name and trace.name.startswith("exact"))
    names = dict(zip(figure.layout.yaxis.tickvals, figure.layout.yaxis.ticktext, strict=True))
    assert {names[row] for row in ringed.y} == {"bos", "before subject"}
    assert told[1][0].startswith("modality marker, layer 0<br>mean absent: no such place")
    assert told[0][0].startswith("bos, layer 0<br>mean 0 (exact: the patch changes nothing, not run)")
    legend = [trace.name for trace in figure.data if trace.showlegend]
    assert legend == ["exact, the patch changes nothing, not run", "absent, no such place"]


def test_roles_in_which_nothing_can_change_are_one_thin_row(roles: xr.Dataset) -> None:
    written = roles.isel(prompt=roles["modality"].values == "T2T", role=[0, 2, 3, 4, 5])
    figure = role_maps(written, component="resid_pre")
    assert figure.layout.yaxis.ticktext[:2] == ("bos … before subject", "subject")
    assert maps(figure)[0].y[:3] == (-0.5, 0.0, 1.0)
    both = role_maps(roles, component="resid_pre")
    assert both.layout.yaxis.ticktext[:3] == ("bos", "modality marker", "before subject")
    assert maps(both)[0].y[:5] == (-0.5, 0.0, 1.0, 1.5, 2.5)  # a single one is thin as well


def test_depths_line_up_and_name_their_last_layer(roles: xr.Dataset) -> None:
    for n_layers in (1, 32, 80):
        figure = role_maps(roles.isel(layer=[0] * n_layers).assign_coords(layer=np.arange(n_layers)))
        axes = [figure.layout[name] for name in ("xaxis", "xaxis2", "xaxis3", "xaxis4")]
        assert {axis.range for axis in axes} == {(-0.5, n_layers - 0.5)}
        assert {axis.tickvals[-1] for axis in axes} == {n_layers - 1}
        assert len(axes[0].tickvals) <= 13
    uneven = role_maps(roles.isel(layer=[0, 2, 7])).layout.xaxis
    assert (uneven.range, uneven.tickvals) == ((-1.0, 9.5), (0, 2, 7))


def test_hover_tells_window_interval_and_n(roles: xr.Dataset) -> None:
    text = maps(role_maps(roles, component="mlp_out"))[0].text[3][2]
    assert text.startswith("subject, layer 2 (layers 1–3 patched together)<br>mean 0.")
    assert text.endswith("n = 12 facts")


def test_stacked_is_one_column(roles: xr.Dataset) -> None:
    figure = role_maps(roles, arrangement="stacked")
    domains = {getattr(figure.layout, axis).domain for axis in ("xaxis", "xaxis2", "xaxis3", "xaxis4")}
    assert domains == {(0.0, 1.0)}
    assert figure.layout.height > role_maps(roles).layout.height


def test_token_maps_are_averaged_within_roles(tokens: xr.Dataset) -> None:
    figure = role_maps(tokens)
    assert figure.layout.yaxis.ticktext == tuple(role for role in ROLES if role != "after subject")


def test_noising_is_named_in_the_title(roles: xr.Dataset) -> None:
    exact_free = roles.assign_attrs(direction="noising")
    assert "corrupting loses the answer" in role_maps(exact_free).layout.title.text


def test_normalised_maps_say_so(roles: xr.Dataset) -> None:
    assert "indirect effect ÷ total effect" in role_maps(roles, quantity="normalised").layout.title.text


def test_subtitle_tells_rows_restored_together_from_averages_of_single_sites(
    roles: xr.Dataset, tokens: xr.Dataset
) -> None:
    assert "roles restored together" in role_maps(roles).layout.title.text
    assert "single tokens, averaged within a role" in role_maps(tokens).layout.title.text


def test_one_subject_has_a_mean_and_no_interval(roles: xr.Dataset) -> None:
    text = maps(role_maps(roles.isel(prompt=[0, 1])))[0].text[3][2]
    assert text.startswith("subject, layer 2<br>mean 0.")
    assert "[" not in text
    assert text.endswith("n = 1 fact")


def test_a_cell_that_was_run_is_not_told_as_not_run(roles: xr.Dataset) -> None:
    same = (roles["clean"] + 0 * roles["corrupted"]).transpose(*roles["corrupted"].dims)
    small = role_maps(roles.assign(corrupted=same), quantity="normalised", component="resid_pre")
    assert maps(small)[0].text[3][2].startswith("subject, layer 2<br>mean –<br>n = 0 facts")


def test_estimates_are_named_in_the_subtitle(roles: xr.Dataset) -> None:
    assert "causal tracing" in role_maps(roles).layout.title.text
    title = role_maps(roles.assign_attrs(method="attribution patching")).layout.title.text
    assert "attribution patching" in title
    assert "causal tracing" not in title
