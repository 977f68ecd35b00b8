"""How two sets of settings differ, in words."""

import json

from spiritlens.effects.settings import SHORT, setting_differences


def test_equal_settings_have_no_difference() -> None:
    assert setting_differences({"a": [1, float("nan")]}, {"a": [1, float("nan")]}) == []


def test_values_are_told_with_what_is_missing() -> None:
    assert setting_differences({"seed": 1, "at": "token"}, {"seed": 2}) == [
        "at: 'token' there, 'not set' here",
        "seed: 1 there, 2 here",
    ]


def test_mappings_and_their_json_are_told_by_the_names_within() -> None:
    one, other = {"window": {"mlp_out": 3, "attn_out": 2}}, {"window": {"mlp_out": 4, "attn_out": 2}}
    told = ["config_json.window.mlp_out: 3 there, 4 here"]
    assert setting_differences({"config_json": json.dumps(one)}, {"config_json": json.dumps(other)}) == told


def test_many_differences_within_one_setting_are_counted() -> None:
    layers = [str(layer) for layer in range(SHORT + 1)]
    (line,) = setting_differences({"layers": dict.fromkeys(layers, 0)}, {"layers": dict.fromkeys(layers, 1)})
    assert line == f"layers.0: 0 there, 1 here, and {SHORT} more beside it"


def test_long_lists_are_told_by_counts() -> None:
    names = list("abcdefghij")
    assert setting_differences({"prompts": names}, {"prompts": [*names[1:], "x", "y"]}) == [
        "prompts: 10 there, 11 here, 1 only there, 2 only here"
    ]
    assert setting_differences({"prompts": names}, {"prompts": names[::-1]})[0].endswith("; the same in another order")
