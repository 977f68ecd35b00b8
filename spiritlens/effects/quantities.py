"""Effects of single prompts: TE, IE and their normalised forms, means over noise samples.

Signs: TE = metric(clean) − metric(corrupted); denoising IE = metric(restored) − metric(corrupted); noising
IE = metric(clean) − metric(noised); all times ``metric_sign``, so that larger means more recall. nIE = IE / TE is NaN
where |TE| < threshold. Negative effects are kept: they are suppressors, not errors.

Axes: ``prompt [component layer site (head)] metric``. Units: those of the metric.

Source: Meng et al. 2022, Locating and Editing Factual Associations in GPT, §2 (TE, IE); Vig et al. 2020.
"""

from typing import Literal

import xarray as xr

from spiritlens.arguments import check_choice, number, told_keywords
from spiritlens.effects.given import given_effects
from spiritlens.effects.metric_words import has_shares, unit_of

SMALL_TOTAL_EFFECTS = {"probability": 0.05, "nats": 0.1, "logits": 0.2, "places": 1.0}
"""By the metric's unit: below this |TE| a normalised effect is not a number. 0.05 of probability at 1/2 is 0.1 nats of
log-probability and 0.2 of a logit; less than one place is no change of rank."""
SMALL_SHARE = 0.05
"""For other units: this share of the median |TE| over prompts."""

Quantity = Literal["indirect", "normalised"]
"""indirect: IE in the metric's unit; normalised: IE / TE."""


@told_keywords
def total(effects: xr.Dataset) -> xr.DataArray:
    """TE of each prompt [prompt metric], mean over samples.

    Returns metric(clean) − metric(corrupted), signed. Raises ValueError for effects of another kind.
    """
    effects = given_effects(effects)
    held = effects.variables  # without coordinates, which xarray would compare at every step
    difference = ((held["clean"] - held["corrupted"]) * held["metric_sign"]).mean("sample")
    like = effects["clean"]
    found = like.copy(data=difference.transpose(*like.dims).values)
    return _named(found, "total_effect", "metric(clean) − metric(corrupted)")


@told_keywords
def indirect(effects: xr.Dataset) -> xr.DataArray:
    """IE of each cell [prompt component layer site (head) metric], mean over samples; NaN where nothing was run.

    With direction="noising": metric(clean) − metric(noised), the loss by corrupting the cell alone. Returns them
    signed: positive means more recall. Raises ValueError for what is no effects dataset.
    """
    effects = given_effects(effects)
    held = effects.variables  # without coordinates, which xarray would compare at every step
    if effects.attrs["direction"] == "denoising":
        difference, formula = held["restored"] - held["corrupted"], "metric(restored) − metric(corrupted)"
    else:
        difference, formula = held["clean"] - held["restored"], "metric(clean) − metric(noised)"
    effect = (difference * held["metric_sign"]).mean("sample", skipna=False)
    like, order = effects["restored"].isel(sample=0, drop=True), (*held["status"].dims, "metric")
    like = like if like.dims == order else like.transpose(*order)
    return _named(like.copy(data=effect.transpose(*order).values), "indirect_effect", formula)


def of_quantity(effects: xr.Dataset, quantity: Quantity) -> xr.DataArray:
    """IE of each cell, as it is or normalised."""
    check_choice("quantity", quantity, Quantity)
    return indirect(effects) if quantity == "indirect" else normalised_indirect(effects)


def smallest_total_effect(effects: xr.Dataset, metric: str) -> float:
    """Below this |TE| a share of it is not a number, in the metric's own unit; above 0."""
    known = SMALL_TOTAL_EFFECTS.get(unit_of(effects, metric))
    if known is not None:
        return known
    median = float(abs(total(effects).sel(metric=metric)).median())
    return SMALL_SHARE * median if median > 0 else SMALL_SHARE


@told_keywords
def normalised_indirect(effects: xr.Dataset, threshold: float | None = None) -> xr.DataArray:
    """nIE = IE / TE of each prompt; NaN where |TE| < threshold, and the attribute `n_small` counts those prompts.

    `threshold` None: each metric's own, by its unit (0.05 of probability, 0.1 nats, 0.2 of a logit, one place; else
    5 % of the median), as the coordinate `threshold` [metric]. Returns the axes of the cells and metrics, without
    samples. Raises ValueError for effects of another kind, or a threshold that is no positive number.
    """
    cost, limits = total(effects), _thresholds(effects, threshold)
    small = abs(cost) < limits
    result = _named(indirect(effects) / cost.where(~small), "normalised_indirect_effect", "IE / TE")
    result = result.assign_coords(threshold=limits)
    result.attrs.update(n_small=int(small.any("metric").sum()))
    if threshold is not None:
        result.attrs["threshold"] = float(limits[0])
    return result


def small_total_effects(effects: xr.Dataset, threshold: float | None = None) -> xr.DataArray:
    """How many prompts have |TE| < threshold [metric]: so many normalised maps are left out."""
    return (abs(total(effects)) < _thresholds(effects, threshold)).sum("prompt").rename("n_small")


def _thresholds(effects: xr.Dataset, threshold: float | None) -> xr.DataArray:
    """The threshold of each metric [metric]; at 0, ratios to a total effect near 0 would run away."""
    effects = given_effects(effects)
    if threshold is not None:
        threshold = number("threshold", threshold, above=0)
    names = effects["metric"].values.tolist()
    limits = [smallest_total_effect(effects, name) if threshold is None else threshold for name in names]
    return xr.DataArray(limits, dims="metric", coords={"metric": names})


@told_keywords
def normalised_total(effects: xr.Dataset) -> xr.DataArray:
    """nTE = TE / metric(clean) of each prompt, for metrics that are probabilities [prompt metric].

    Returns these metrics only. Raises ValueError where there is none, and for effects of another kind.
    """
    effects = given_effects(effects)
    names = [name for name in effects["metric"].values.tolist() if has_shares(effects, name)]
    if not names:
        raise ValueError(
            f"metrics are {', '.join(effects['metric'].values.tolist())}; the total effect is a share of the clean "
            "value for probabilities only: trace with metrics=('probability', ...)"
        )
    chosen = effects.sel(metric=names)
    return _named(total(chosen) / chosen["clean"], "normalised_total_effect", "TE / metric(clean)")


def _named(array: xr.DataArray, name: str, formula: str) -> xr.DataArray:
    array = array.rename(name)
    array.attrs = {"long_name": name.replace("_", " "), "formula": formula}
    return array
