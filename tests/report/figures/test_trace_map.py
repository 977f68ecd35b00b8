"""The map of one prompt shows each cell once, on a symmetric scale, with its status and its exact window."""

import numpy as np
import plotly.graph_objects as go
import pytest
import xarray as xr

import spiritlens as sl
from spiritlens.effects.schema import Status
from spiritlens.report.figures.layer_curves import layer_curves
from spiritlens.report.figures.peak_layers import peak_layers
from spiritlens.report.figures.role_maps import role_maps
from spiritlens.report.figures.trace_map import trace_map


def heatmap(figure: go.Figure) -> go.Heatmap:
    return next(trace for trace in figure.data if trace.type == "heatmap")


def marks(figure: go.Figure, name: str) -> list[tuple[int, int]]:
    return [
        (int(x), int(y)) for trace in figure.data if trace.name == name for x, y in zip(trace.x, trace.y, strict=True)
    ]


def test_cells_are_the_effects_without_padding(tokens: xr.Dataset) -> None:
    figure = trace_map(tokens, prompt=0)
    every = sl.effects.indirect(tokens).isel(prompt=0, component=0, metric=0).transpose("pos", "layer")
    np.testing.assert_array_equal(heatmap(figure).z, every.isel(pos=[0, 4, 5, 6, 7]).values)


def test_runs_of_exact_zeros_are_one_thin_row(tokens: xr.Dataset) -> None:
    figure = trace_map(tokens, prompt=0)
    assert heatmap(figure).y == (-0.5, 0.0, 1.0, 2.0, 3.0, 4.0)
    assert figure.layout.yaxis.ticktext[0] == "4 tokens: exactly 0"
    assert figure.layout.yaxis.range == (4.0, -0.5)
    told = heatmap(figure).text[0][0]
    assert "token &lt;s&gt;, bos … token of of ‘of’, before subject" in told
    assert told.endswith("effect 0<br>exact: the patch changes nothing, not run")


def test_full_colour_is_the_total_effect(tokens: xr.Dataset) -> None:
    total = float(sl.effects.total(tokens).isel(prompt=1, metric=0))
    axis = trace_map(tokens, prompt=1).layout.coloraxis
    assert (axis.cmin, axis.cmax) == (-axis.cmax, pytest.approx(total))
    assert axis.colorbar.title.text == "indirect effect"
    assert axis.colorbar.ticktext == ("−0.8", "−0.4", "0\u2007\u2007\u2007", "0.4\u2007", "0.8\u2007")
    flat = tokens.assign(restored=(tokens["corrupted"] + 0 * tokens["restored"]).transpose(*tokens["restored"].dims))
    assert trace_map(flat, prompt=1).layout.coloraxis.cmax == pytest.approx(total)
    assert trace_map(tokens, prompt=1, quantity="normalised").layout.coloraxis.cmax == 1


def test_a_prompt_whose_total_effect_is_noise_is_pale(tokens: xr.Dataset) -> None:
    loud = trace_map(tokens.assign(noise_floor=tokens["noise_floor"] * 0 + 1.0), prompt=1)
    assert np.nanmax(np.abs(heatmap(loud).z)) <= loud.layout.coloraxis.cmax / 4
    assert "pale: the total effect, 0.847, is within the noise floor, 1" in loud.layout.title.text.replace("<br>", " ")
    assert "pale" not in trace_map(tokens, prompt=1).layout.title.text


def test_hover_names_layers_word_role_value_and_status(tokens: xr.Dataset) -> None:
    text = heatmap(trace_map(tokens, prompt=1)).text[3][2]
    assert "layer 2 (layers 1–3 patched together)" in text
    assert "token [Hu2] of ‘france’, subject (last), 0.80–1.00 s" in text
    assert text.endswith("measured")


def test_labels_escape_html_and_show_words_where_they_begin(tokens: xr.Dataset) -> None:
    labels = trace_map(tokens, prompt=1).layout.yaxis.ticktext
    assert labels[0] == "5 tokens: exactly 0"
    assert labels[1:4] == ("<b>france</b>  [Hu1]", "[Hu4]", "[Hu2]")


def test_the_subject_is_marked(tokens: xr.Dataset) -> None:
    bars = [shape for shape in trace_map(tokens, prompt=1).layout.shapes if shape.name == "subject"]
    assert [(bar.y0, bar.y1) for bar in bars] == [(0, 1), (1, 2), (2, 3)]


def test_exact_and_screened_cells_are_told_apart(tokens: xr.Dataset) -> None:
    status, restored = tokens["status"].copy(deep=True), tokens["restored"].copy(deep=True)
    status[0, 0, 3, 6], restored[0, 0, 3, 6] = Status.SCREENED, np.nan
    figure = trace_map(tokens.assign(status=status, restored=restored))
    assert marks(figure, "screened out, not run") == [(3, 2)]
    assert len(marks(figure, "exact, the patch changes nothing, not run")) == 6
    assert np.isnan(heatmap(figure).z[3][3])
    assert heatmap(figure).text[3][3].endswith("effect –<br>screened out: not run")
    assert [trace.name for trace in figure.data if trace.showlegend] == [
        "exact, the patch changes nothing, not run",
        "screened out, not run",
    ]


def test_title_tells_direction_and_n(tokens: xr.Dataset) -> None:
    title = trace_map(tokens, prompt=1).layout.title.text
    for words in ("S2T", "france → paris", "denoising: restored", "n = 2 noise samples", "total effect 0."):
        assert words in title
    noising = trace_map(tokens.assign_attrs(direction="noising"), prompt=1).layout.title.text
    assert "noising: corrupted in the clean run" in noising
    assert "loss by noising" in noising


def test_prompts_by_id_and_from_the_end(tokens: xr.Dataset) -> None:
    by_id = trace_map(tokens, prompt=str(tokens["prompt_id"].values[-1]))
    np.testing.assert_array_equal(heatmap(by_id).z, heatmap(trace_map(tokens, prompt=-1)).z)


def test_role_and_span_maps_have_rows_too(roles: xr.Dataset, tokens: xr.Dataset) -> None:
    assert "subject" in trace_map(roles, prompt=1).layout.yaxis.ticktext
    spans = tokens.isel(pos=slice(4, 8)).rename(pos="span").rename(word="span_name", role="span_role")
    gone = ["token", "token_family", "token_modality", "part", "word_index"]
    spans = spans.drop_vars(gone).assign_coords(n_tokens=(("prompt", "span"), np.ones((6, 4), dtype=int)))
    assert trace_map(spans).layout.yaxis.ticktext[-1] == "<b>is</b>"


def test_long_prompts_label_words_only(tokens: xr.Dataset) -> None:
    long = tokens.isel(prompt=[1], pos=list(range(10)) * 15)
    figure = trace_map(long)
    labels = figure.layout.yaxis.ticktext
    assert len(labels) == 3 * 15  # of each copy: the subject, the word after it, and what stands before them
    assert all(label.startswith("<b>") or label.endswith("exactly 0") for label in labels)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prompt": 6}, "holds 6 prompts, 0 to 5"),
        ({"prompt": "nowhere"}, "no prompt has the id 'nowhere'"),
        ({"component": "mlp_out"}, "component='mlp_out' was not traced; choose from resid_pre"),
        ({"metric": "rank"}, "metric='rank' was not traced"),
    ],
)
def test_one_clear_error_each(tokens: xr.Dataset, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trace_map(tokens, **arguments)  # type: ignore[arg-type]


def test_the_head_of_the_largest_effect_is_drawn_by_default_and_heads_are_named(tokens: xr.Dataset) -> None:
    cell = ("prompt", "component", "layer", "pos", "head")
    heads = tokens.drop_vars(["restored", "status"]).assign(
        restored=tokens["restored"].expand_dims(head=2).transpose(*cell, "sample", "metric"),
        status=tokens["status"].expand_dims(head=2).transpose(*cell),
    )
    heads = heads.assign_coords(head=[0, 1])
    first = (heads["head"] == 0) & (heads["status"] == Status.MEASURED)
    weak = heads.assign(restored=heads["restored"].where(~first, (heads["restored"] + heads["corrupted"]) / 2))
    assert "(resid_pre), head 1, " in trace_map(weak).layout.title.text
    with pytest.raises(ValueError, match="head=99 was not traced; choose from 0, 1"):
        trace_map(heads, head=99)
    figure = trace_map(heads, head=1)
    np.testing.assert_array_equal(heatmap(figure).z, heatmap(trace_map(tokens)).z)
    assert "(resid_pre), head 1, " in figure.layout.title.text
    assert "head" not in trace_map(tokens).layout.title.text


def test_a_ratio_to_a_small_total_effect_is_a_dash(tokens: xr.Dataset) -> None:
    same = (tokens["clean"] + 0 * tokens["corrupted"]).transpose(*tokens["corrupted"].dims)
    text = heatmap(trace_map(tokens.assign(corrupted=same), prompt=1, quantity="normalised")).text[3][2]
    assert text.endswith("effect –<br>measured")


def test_estimates_are_named_in_the_subtitle(tokens: xr.Dataset) -> None:
    estimated = tokens.assign_attrs(method="attribution patching")
    assert "attribution patching" in trace_map(estimated).layout.title.text


def test_markup_in_names_stays_text(tokens: xr.Dataset, roles: xr.Dataset) -> None:
    """Names of parts, spans and groups of heads may come from a file or a user: none becomes a link or an image."""
    evil, safe = "<a href='x'>y</a>", "&lt;a href=&#x27;x&#x27;&gt;y&lt;/a&gt;"
    parts = tokens["part"].astype("<U20").copy(data=np.full(tokens["part"].shape, evil))
    hover = heatmap(trace_map(tokens.assign_coords(part=parts))).text
    assert all(safe in cell and evil not in cell for row in hover for cell in row)
    names = [evil if name == "subject" else name for name in roles["role"].values]
    components = [evil, *roles["component"].values[1:]]
    named = roles.assign_coords(role=names, component=components).assign_attrs(method=evil)
    for figure in (role_maps(named), layer_curves(named, [evil]), peak_layers(named, evil)):
        assert evil not in str(figure.to_dict())
        assert safe in str(figure.to_dict())


def test_a_head_is_refused_where_there_are_none(tokens: xr.Dataset) -> None:
    with pytest.raises(ValueError, match="head=3: this dataset has no heads; leave head out"):
        trace_map(tokens, head=3)
    with pytest.raises(ValueError, match="quantity='x': expected one of indirect, normalised"):
        trace_map(tokens, quantity="x")  # type: ignore[arg-type]
