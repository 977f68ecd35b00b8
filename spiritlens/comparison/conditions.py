"""What was done, and what a claim does not reach beyond: read from a dataset of effects, in words.

A total effect is that of an intervention: of corrupting the subject, of corrupting a control span, of a knock-out, of
putting in another prompt. `intervention` names it as what it is. `conditions` tells what the facts have in common and
a reader would otherwise take for general: one voice, one phrasing, doses that were not matched.
"""

import json
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.comparison.equivalence import Judged
from spiritlens.comparison.pairing import Pairs
from spiritlens.effects.limits import limits
from spiritlens.effects.variance import VarianceComponents
from spiritlens.terms import Kind

KIND_WORDS = {"T2T": "in writing", "S2T": "in speech", "mixed": "in mixed prompts"}


def intervention(effects: xr.Dataset) -> str:
    """What was done, as the subject of a sentence."""
    told, config = str(effects.attrs.get("corruption", "")), _config(effects)
    control = str(config.get("control") or "none")
    if "knock-out" in told:
        words = f"the {told}"
    elif told.startswith("attention of"):
        words = f"the knock-out ({told})"
    elif told == "counterfactual prompts":
        words = "putting the counterfactual prompt in the prompt's place"
    else:
        words = _corrupting(str(config.get("corrupted") or _last_words(told)), told, str(effects.attrs["noise_law"]))
    return words if control == "none" else f"{words} (patched with a control: {control})"


def _corrupting(place: str, told: str, law: str) -> str:
    how = f" ({told})" if told and not law else ""
    if place == "control":
        return f"corrupting a control span beside the subject{how}"
    return f"corrupting the {place}{how}" if place else "the corruption"


def _last_words(told: str) -> str:
    return told.rpartition(" of the ")[2] if " of the " in told else ""


def _config(effects: xr.Dataset) -> dict[str, Any]:
    return dict(json.loads(str(effects.attrs.get("config_json", "{}"))))


def conditions(effects: xr.Dataset, pairs: Pairs, kinds: tuple[str, str], apart: Judged) -> tuple[str, ...]:
    """What the claims do not reach beyond, in sentences."""
    kept = effects["known"].values == 1
    found = []
    for kind in kinds:
        own = kept & (effects["modality"].values == kind)
        voices = set(effects["voice"].values[own].tolist()) - {""}
        if len(voices) == 1:
            found.append(f"one voice {KIND_WORDS[kind]} ({next(iter(voices))})")
        relations, phrasings = effects["relation"].values[own].tolist(), effects["phrasing"].values[own].tolist()
        per_relation: dict[str, set[str]] = {}
        for relation, phrasing in zip(relations, phrasings, strict=True):
            per_relation.setdefault(relation, set()).add(phrasing)
        if all(len(one) == 1 for one in per_relation.values()):
            found.append(f"one phrasing {KIND_WORDS[kind]}")
    sentences = []
    if found:
        sentences.append(
            f"All of this holds for {and_listed(found)}: intervals over facts say nothing about other ones."
        )
    if not pairs.by_phrasing:
        sentences.append("The modalities share no phrasing label, so that facts were paired over different phrasings.")
    if pairs.n_unpaired:
        sentences.append(
            f"{pairs.n_unpaired} facts are known in both modalities, but by no phrasing that is known in both, and "
            "were left out."
        )
    return (*sentences, *_token_counts(effects, pairs), *_doses(effects, apart))


def _token_counts(effects: xr.Dataset, pairs: Pairs) -> tuple[str, ...]:
    if not pairs.unequal:
        return ()
    one = "token" if effects.attrs["at"] == "token" else "word"
    return (
        f"Single {one}s were restored, and facts whose numbers of {one}s differ between the modalities are not "
        f"compared there ({', '.join(pairs.unequal)}): trace with at='role' to compare them.",
    )


def _doses(effects: xr.Dataset, apart: Judged) -> tuple[str, ...]:
    if not str(effects.attrs["noise_law"]) or apart.verdict == "equivalent" or effects.attrs.get("dose") == "matched":
        return ()  # a study that matches them says so in the attribute
    return (
        "The doses of noise are not matched (equal total effects are not shown), so that differences may be those of "
        "dose: sl.tracing.match_dose finds scales of equal effect.",
    )


def limited_by(effects: xr.Dataset, kinds: tuple[str, str], metric: str) -> tuple[VarianceComponents | None, ...]:
    """What limits the mean total effect of either modality; None where it cannot be estimated."""
    found: list[VarianceComponents | None] = []
    for kind in kinds:
        modality: Kind = kind  # type: ignore[assignment]
        try:
            found.append(limits(effects, modality, metric=metric))
        except ValueError:  # fewer than two values
            found.append(None)
    return tuple(found)


def and_listed(items: list[str]) -> str:
    """Several things in one phrase."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def heard(effects: xr.Dataset, kind: str) -> bool:
    """Whether a recogniser measured the errors of the modality's prompts."""
    if "word_error" not in effects.coords:
        return False
    own = effects["word_error"].values[(effects["modality"].values == kind) & (effects["known"].values == 1)]
    return bool(np.isfinite(np.asarray(own, dtype=np.float64)).any())
