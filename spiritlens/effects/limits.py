"""What limits a claim about total effects: their components of variance, read from a dataset of effects.

Rows are prompts and noise samples: the total effect of each, with its relation, subject, fact, voice, phrasing and
prompt (`spiritlens.effects.variance`). A phrasing is a template of its relation; a voice speaks in all of them. The
remainder is that between noise samples, which each prompt draws anew; with one sample it is that between prompts.

Axes: ``prompt sample``, flattened to rows. Units: squares of the metric's.

Source: see `spiritlens.effects.variance`.
"""

import numpy as np
import xarray as xr

from spiritlens.arguments import check_choice, shown, told_keywords
from spiritlens.effects.given import given_effects
from spiritlens.effects.statistics import fact_names, of_facts, subject_names
from spiritlens.effects.variance import VarianceComponents, variance_components
from spiritlens.terms import Facts, Kind


@told_keywords
def limits(
    effects: xr.Dataset, modality: Kind = "T2T", *, metric: str | None = None, facts: Facts = "known"
) -> VarianceComponents:
    """Components of variance of the total effect in one modality, what limits its mean, and how many more would help.

    `metric` None: the first. Returns `VarianceComponents`: shares of relation, subject, fact, voice, phrasing, prompt
    and remainder, `limiting`, `unknown` (one voice), and `more` levels of each that would halve the standard error.
    Raises ValueError for effects of another kind, a metric or modality that was not traced, or fewer than two values.
    """
    effects = given_effects(effects)
    check_choice("modality", modality, Kind)
    names = effects["metric"].values.tolist()
    metric = names[0] if metric is None else metric
    if metric not in names:
        raise ValueError(f"metric={shown(metric)} was not traced; choose from {', '.join(names)}")
    change = (effects["clean"] - effects["corrupted"]) * effects["metric_sign"]
    chosen = of_facts(change.sel(metric=metric).transpose("prompt", "sample"), facts)
    chosen = chosen.isel(prompt=np.flatnonzero(chosen["modality"].values == modality))
    if not chosen.size:
        raise ValueError(f"modality={modality!r}: no {facts} prompt of it was traced, so nothing varies")
    relations = chosen["relation"].values.tolist()
    phrasings = zip(relations, chosen["phrasing"].values.tolist(), strict=True)
    sources = {
        "relation": relations,
        "subject": subject_names(chosen).tolist(),
        "fact": fact_names(chosen).tolist(),
        "voice": chosen["voice"].values.tolist(),
        "phrasing": [f"{relation}/{phrasing}" for relation, phrasing in phrasings],
        "prompt": list(range(chosen.sizes["prompt"])),
    }
    rows = {name: np.repeat(np.asarray(labels), chosen.sizes["sample"]) for name, labels in sources.items()}
    return variance_components(chosen.values.reshape(-1), rows)
