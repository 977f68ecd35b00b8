"""What a metric is, read from the dataset that holds it: its sign, its unit, its words, and whether it has shares.

A dataset says so by coordinates along ``metric``: ``metric_sign`` (+1 where larger means more recall, −1 where smaller
does), ``metric_unit`` (``probability``, ``nats``, ``logits``, ``places``) and ``metric_words`` (for axes and captions).
Files of versions that wrote signs alone name metrics that were built in, whose units and words stand in `BUILT_IN`.
"""

from typing import NamedTuple

import xarray as xr

Measured = xr.Dataset | xr.DataArray


class MetricWords(NamedTuple):
    """Unit and words of a metric."""

    unit: str
    words: str


BUILT_IN = {
    "probability": MetricWords("probability", "probability of the answer"),
    "log_probability": MetricWords("nats", "log-probability of the answer"),
    "logit": MetricWords("logits", "logit of the answer"),
    "logit_difference": MetricWords("logits", "logit of the answer − logit of the foil"),
    "log_probability_difference": MetricWords("nats", "log-probability of the answer − that of the foil"),
    "rank": MetricWords("places", "rank of the answer"),
    "kl": MetricWords("nats", "KL divergence from the clean run"),
    "leaked_mass": MetricWords("probability", "probability of tokens that are not text"),
    "text_probability": MetricWords("probability", "probability of the answer among text tokens"),
    "text_log_probability": MetricWords("nats", "log-probability of the answer among text tokens"),
    "text_rank": MetricWords("places", "rank of the answer among text tokens"),
    "text_kl": MetricWords("nats", "KL divergence from the clean run over text tokens"),
}
"""Units and words of the metrics of version 0.2, whose files do not tell them."""


def sign_of(dataset: Measured, metric: str) -> int:
    """+1 where larger means more recall, −1 where smaller does."""
    return int(_told(dataset, "metric_sign", metric))


def unit_of(dataset: Measured, metric: str) -> str:
    """Unit of the metric; "" where nothing tells it."""
    return _told(dataset, "metric_unit", metric) or BUILT_IN.get(metric, MetricWords("", "")).unit


def words_of(dataset: Measured, metric: str) -> str:
    """The metric in words; where nothing tells them its name, with spaces for underscores."""
    known = BUILT_IN.get(metric, MetricWords("", metric.replace("_", " ")))
    return _told(dataset, "metric_words", metric) or known.words


def has_shares(dataset: Measured, metric: str) -> bool:
    """Whether what the corruption takes away is a share of the clean value: of probabilities that it lowers."""
    return unit_of(dataset, metric) == "probability" and sign_of(dataset, metric) > 0


def _told(dataset: Measured, name: str, metric: str) -> str:
    """The coordinate's value at the metric as a text; "" where the dataset has no such coordinate."""
    if name not in dataset.coords:
        return ""
    held = dataset.coords.variables  # without coordinates of their own, which are slow to make
    told = held[name]
    if "metric" not in told.dims:
        return str(told.values.item())
    return str(told.values[held["metric"].values.tolist().index(metric)])
