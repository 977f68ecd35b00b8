"""Rows that modalities share: means within roles and parts, named spans by their names, refusals."""

import numpy as np
import pytest
import xarray as xr

import spiritlens as sl
from spiritlens.effects.role_effects import ordered_roles
from spiritlens.effects.schema import Status, check_effects
from spiritlens.terms import ROLES


def named_spans(tokens: xr.Dataset, at: str) -> xr.Dataset:
    """The last four tokens as spans: two versions of the subject, one span with a name of its own, one absent."""
    spans = tokens.isel(pos=slice(4, 8)).rename(pos="span").rename(role="span_role")
    spans = spans.drop_vars(["token", "token_family", "token_modality", "part", "word", "word_index"])
    names = np.tile(np.array(["subject", "subject +1", "last token", ""]), (tokens.sizes["prompt"], 1))
    roles = np.tile(np.array(["subject", "subject", "last word", ""]), (tokens.sizes["prompt"], 1))
    spans["status"][:, :, :, 3], spans["restored"][:, :, :, 3] = Status.ABSENT, np.nan
    counts = np.ones((tokens.sizes["prompt"], 4), dtype=int)
    coordinates = {"span_name": names, "span_role": roles, "n_tokens": counts}
    spans = spans.assign_coords({name: (("prompt", "span"), values) for name, values in coordinates.items()})
    return check_effects(spans.assign_attrs(at=at))


def test_named_spans_keep_their_names(tokens: xr.Dataset) -> None:
    spans = named_spans(tokens, "span")
    effect, rows = sl.effects.indirect(spans), sl.effects.by_role(spans)
    assert rows["role"].values.tolist() == ["subject", "subject +1", "last token"]
    np.testing.assert_array_equal(rows.sel(role="subject +1").values, effect.isel(span=1).values)


def test_words_are_averaged_by_role(tokens: xr.Dataset) -> None:
    spans = named_spans(tokens, "word")
    effect, rows = sl.effects.indirect(spans), sl.effects.by_role(spans)
    assert rows["role"].values.tolist() == ["subject", "last word"]
    np.testing.assert_allclose(rows.sel(role="subject").values, effect.isel(span=[0, 1]).mean("span").values)


def test_order_of_rows() -> None:
    assert ordered_roles(["else", "last word", "", "subject", "else"]) == ["subject", "last word", "else"]
    assert ordered_roles(["subject last", "bos", "subject first"], "part") == ["bos", "subject first", "subject last"]


def test_token_map_becomes_role_means(tokens: xr.Dataset) -> None:
    effect, mean = sl.effects.indirect(tokens), sl.effects.by_role(tokens)
    prompt = 1
    places = np.nonzero(tokens["role"].values[prompt] == "subject")[0]
    expected = effect.isel(prompt=prompt, pos=places).mean("pos")
    xr.testing.assert_allclose(mean.isel(prompt=prompt).sel(role="subject", drop=True), expected, check_dim_order=False)
    assert np.isnan(mean.sel(role="final marker").isel(prompt=0)).all()
    assert mean.sel(role="before subject").values == pytest.approx(0.0)
    assert mean["role"].values.tolist() == [role for role in ROLES if role != "after subject"]


def test_parts_split_the_subject(tokens: xr.Dataset) -> None:
    parts = sl.effects.by_role(tokens, split="part")
    assert parts["role"].values.tolist()[3:6] == ["subject first", "subject middle", "subject last"]
    last = parts.sel(role="subject last")
    assert float(last.max()) > 0.6 > 0 > float(parts.sel(role="subject first").min())


def test_part_of_a_role_map_is_refused(roles: xr.Dataset) -> None:
    with pytest.raises(ValueError, match="trace with at='token'"):
        sl.effects.by_role(roles, split="part")


def test_role_means_of_screened_cells_are_refused(tokens: xr.Dataset) -> None:
    status, restored = tokens["status"].copy(deep=True), tokens["restored"].copy(deep=True)
    status[0, 0, 0, 5], restored[0, 0, 0, 5] = Status.SCREENED, np.nan
    with pytest.raises(ValueError, match="screened out"):
        sl.effects.by_role(tokens.assign(status=status, restored=restored))


def test_screened_spans_of_the_same_names_are_averaged(tokens: xr.Dataset) -> None:
    spans = named_spans(tokens, "span")
    status, restored = spans["status"].copy(deep=True), spans["restored"].copy(deep=True)
    status.values[:, :, 1, 0], restored.values[:, :, 1, 0] = Status.SCREENED, np.nan
    everywhere = spans.assign(status=status, restored=restored)
    rows = sl.effects.by_role(everywhere).sel(role="subject")
    assert rows.isel(layer=1).isnull().all() & rows.isel(layer=2).notnull().all()
    names = spans["span_name"].copy(deep=True)
    names.values[-1] = ["the", "is", "of", ""]
    other = everywhere.assign_coords(span_name=names)
    status, restored = status.copy(deep=True), restored.copy(deep=True)
    status.values[0, 0, 1, 0], restored.values[0, 0, 1, 0] = Status.EXACT, spans["corrupted"].values[0]
    mixed = spans.assign(status=status, restored=restored)
    for refused in (other, mixed, everywhere.assign_attrs(at="word")):
        with pytest.raises(ValueError, match="screened out"):
            sl.effects.by_role(refused)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantity": "IE"}, "quantity='IE': expected one of indirect, normalised"),
        ({"split": "parts"}, "split='parts': expected one of role, part"),
    ],
)
def test_unknown_options_are_refused(roles: xr.Dataset, options: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sl.effects.by_role(roles, **options)  # type: ignore[arg-type]
