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
from spiritlens.effects.statistics import fact_names, subject_names
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
    check_choice("facts", facts, Facts)
    names = effects["metric"].values.tolist()
    metric = names[0] if metric is None else metric
    if metric not in names:
        raise ValueError(f"metric={shown(metric)} was not traced; choose from {', '.join(names)}")
    columns, place = effects.variables, names.index(metric)
    kept = (columns["modality"].values == modality) & ((columns["known"].values == 1) | (facts == "all"))
    chosen = np.flatnonzero(kept)
    if not len(chosen):
        raise ValueError(f"modality={modality!r}: no {facts} prompt of it was traced, so nothing varies")
    clean = columns["clean"].transpose("prompt", "metric").values[chosen, place]
    corrupted = columns["corrupted"].transpose("prompt", "sample", "metric").values[chosen, :, place]
    change = (clean[:, None] - corrupted) * columns["metric_sign"].values[place]  # [prompt sample]
    relations = columns["relation"].values[chosen].tolist()
    phrasings = zip(relations, columns["phrasing"].values[chosen].tolist(), strict=True)
    sources = {
        "relation": relations,
        "subject": subject_names(effects)[chosen],
        "fact": fact_names(effects)[chosen],
        "voice": columns["voice"].values[chosen],
        "phrasing": [f"{relation}/{phrasing}" for relation, phrasing in phrasings],
        "prompt": range(len(chosen)),
    }
    rows = {name: np.repeat(np.asarray(labels), change.shape[1]) for name, labels in sources.items()}
    return variance_components(change.reshape(-1), rows)
