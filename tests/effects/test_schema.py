"""The schema refuses what it should refuse, one case at a time."""

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from effects_synthetic import prompt_columns
from made_datasets import made_effects

import spiritlens as sl
from spiritlens.effects.schema import Status, check_effects, site_axis, window_of
from spiritlens.terms import ROLES


def test_builds_what_it_checks(roles: xr.Dataset, tokens: xr.Dataset) -> None:
    assert check_effects(roles) is roles
    assert site_axis(roles) == "role"
    assert site_axis(tokens) == "pos"
    assert roles["restored"].dims == ("prompt", "component", "layer", "role", "sample", "metric")
    assert roles["role"].values.tolist() == list(ROLES)
    assert tokens["role"].dims == ("prompt", "pos")


def test_results_keep_the_roles_that_they_were_written_with(roles: xr.Dataset) -> None:
    """A table with more roles, fewer or others than a file has does not touch the file."""
    older = roles.isel(role=slice(1, None)).assign_coords(role=[f"old {role}" for role in ROLES[1:]])
    assert check_effects(older) is older
    assert sl.effects.average(older)["role"].values.tolist() == [f"old {role}" for role in ROLES[1:]]


def test_heads_follow_the_site_axis() -> None:
    shape = (2, 1, 3, len(ROLES), 4)
    corrupted = np.zeros((2, 2, 1))
    dataset = made_effects(
        clean=np.ones((2, 1)),
        corrupted=corrupted,
        restored=np.zeros((*shape, 2, 1)),
        status=np.zeros(shape),
        noise_floor=np.zeros((2, 1)),
        components=("z",),
        layers=range(3),
        metrics={"logit": 1},
        prompts=prompt_columns([(0, "T2T", 0), (0, "S2T", 0)]),
        sites={"role": ROLES, "n_tokens": np.ones((2, len(ROLES)))},
        at="role",
    )
    assert dataset["status"].dims == ("prompt", "component", "layer", "role", "head")
    assert dataset["head"].values.tolist() == [0, 1, 2, 3]


def test_window_layers_are_read_from_the_attribute(roles: xr.Dataset) -> None:
    roles.attrs["window_layers"] = '{"mlp_out": {"0": [0, 1], "1": [0, 2]}}'
    assert window_of(roles, "mlp_out", 1) == (0, 2)
    assert window_of(roles, "resid_pre", 1) == (1, 1)


def _set(name: str, value: object) -> Callable[[xr.Dataset], xr.Dataset]:
    def change(dataset: xr.Dataset) -> xr.Dataset:
        array = dataset[name].copy(deep=True)
        array.values.flat[0] = value
        return dataset.assign({name: array}) if name in dataset.data_vars else dataset.assign_coords({name: array})

    return change


def _absent_with_number(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.assign(restored=dataset["restored"].fillna(0.0))


def _measured_without_number(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.assign(restored=dataset["restored"] * np.nan)


def _exact_with_other_value(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.assign(restored=dataset["restored"] + 0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ds: ds.assign_attrs(schema="other/1"), "expected 'spiritlens.effects/1'"),
        (lambda ds: ds.drop_vars("clean"), "clean is missing"),
        (lambda ds: ds.drop_vars("relation"), "relation is missing"),
        (lambda ds: ds.assign(clean=ds["clean"].T), "transpose it"),
        (lambda ds: ds.expand_dims("pos"), "exactly one of pos, span, role"),
        (lambda ds: ds.assign_attrs(direction="sideways"), "direction is 'sideways'"),
        (lambda ds: ds.assign_attrs(at="token"), "goes with the axis 'pos'"),
        (lambda ds: ds.assign_attrs(config_json={"a": 1}), "write a string, a number or JSON"),
        (lambda ds: ds.assign_attrs(config_json=True), "write a string, a number or JSON"),
        (_set("status", 7), r"status holds \[7\]"),
        (_set("metric_sign", 0), "metric_sign holds"),
        (_set("modality", "A2A"), "modality holds"),
        (_set("known", 2), "known holds"),
        (_absent_with_number, "numbers where status is screened or absent"),
        (_measured_without_number, "NaN or infinity where status is measured or exact"),
        (_exact_with_other_value, "marked exact differ from the baseline by up to 0.5"),
    ],
)
def test_one_clear_error_each(roles: xr.Dataset, change: Callable[[xr.Dataset], xr.Dataset], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_effects(change(roles))


def test_builder_names_a_wrong_at_and_missing_columns(roles: xr.Dataset) -> None:
    arguments = {
        "clean": np.ones((1, 1)),
        "corrupted": np.zeros((1, 1, 1)),
        "restored": np.zeros((1, 1, 1, 1, 1, 1)),
        "status": np.zeros((1, 1, 1, 1)),
        "noise_floor": np.zeros((1, 1)),
        "components": ["resid_pre"],
        "layers": [0],
        "metrics": {"logit": 1},
        "prompts": {"prompt_id": ["a"], "modality": ["T2T"], "known": [1]},
        "sites": {"role": ["subject"], "n_tokens": [[1]]},
        "at": "role",
    }
    assert made_effects(**arguments).sizes["role"] == 1  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected one of token, word, span, role"):
        made_effects(**{**arguments, "at": "letter"})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="lacks 'known'"):
        made_effects(**{**arguments, "prompts": {"prompt_id": ["a"], "modality": ["T2T"]}})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown prompt coordinates"):
        made_effects(**{**arguments, "prompts": {**arguments["prompts"], "speaker": ["x"]}})  # type: ignore[arg-type, dict-item]
    with pytest.raises(ValueError, match="expected \\['n_tokens', 'role'\\]"):
        made_effects(**{**arguments, "sites": {"role": ["subject"]}})  # type: ignore[arg-type]


def test_statuses_are_distinct_flags() -> None:
    assert [int(status) for status in Status] == [0, 1, 2, 3]
