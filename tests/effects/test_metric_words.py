"""A metric's sign, unit and words come from the dataset; older files' metrics are known by name."""

import numpy as np
import xarray as xr
from effects_synthetic import role_effects

import spiritlens as sl
from spiritlens.effects.metric_words import BUILT_IN, has_shares, sign_of, unit_of, words_of
from spiritlens.runs.metrics import METRICS


def told(effects: xr.Dataset) -> xr.Dataset:
    words = {"metric_unit": ("metric", ["points", ""]), "metric_words": ("metric", ["score <of> the answer", ""])}
    signs = ("metric", np.array([-1, 1], dtype=np.int8))
    return effects.assign_coords(metric=["my_score", "their_score"], metric_sign=signs, **words)


def test_what_a_dataset_tells_comes_first() -> None:
    effects = told(role_effects(n_facts=2))
    assert (sign_of(effects, "my_score"), unit_of(effects, "my_score")) == (-1, "points")
    assert words_of(effects, "my_score") == "score <of> the answer"
    assert words_of(effects.sel(metric="my_score"), "my_score") == "score <of> the answer"
    assert (unit_of(effects, "their_score"), words_of(effects, "their_score")) == ("", "their score")


def test_words_travel_into_averages_and_captions_escaped() -> None:
    effects = told(role_effects(n_facts=2))
    assert words_of(sl.effects.average(effects), "my_score") == "score <of> the answer"
    for figure in (sl.figures.role_maps, sl.figures.total_effects, sl.figures.layer_curves, sl.figures.trace_map):
        assert "score &lt;of&gt; the answer" in figure(effects).layout.title.text


def test_metrics_of_older_files_are_known_by_name() -> None:
    assert {metric.name: (metric.unit, metric.words) for metric in METRICS} == BUILT_IN
    effects = role_effects(n_facts=2)
    assert (unit_of(effects, "probability"), unit_of(effects, "logit")) == ("probability", "logits")
    assert [has_shares(effects, name) for name in ("probability", "logit")] == [True, False]
    leaked = effects.assign_coords(metric=["leaked_mass", "logit"], metric_sign=("metric", [-1, 1]))
    assert not has_shares(leaked, "leaked_mass")
