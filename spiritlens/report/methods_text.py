"""What was run, in sentences and as a table of settings, read from the attributes of the datasets."""

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from spiritlens.effects.statistics import SMALL_TOTAL_EFFECT, fact_names, small_total_effects
from spiritlens.report.labels import DIRECTION_WORDS, MODALITY_WORDS, metric_words

AT_WORDS = {
    "token": "one token at a time",
    "word": "all tokens of a word together",
    "span": "the tokens of a span together",
    "role": "all tokens of a role together",
}


def methods_sentences(datasets: Mapping[str, xr.Dataset]) -> list[str]:
    """The paragraph on what was run: prompts and facts, corruption, patching, averaging, numerical noise."""
    first = next(iter(datasets.values()))
    return [
        _facts_sentence(first),
        unknown_sentence(first),
        _corruption_sentence(first),
        _patching_sentence(datasets),
        _averaging_sentence(first),
        _floor_sentence(datasets),
    ]


def model_words(effects: xr.Dataset) -> str:
    """The model by its name."""
    name = effects.attrs["model_name"] or effects.attrs["model_id"]
    return f"the model ‘{name}’" if name else "a speech-text language model"


def unknown_sentence(effects: xr.Dataset) -> str:
    """How many traced facts the model does not answer rightly, by modality; those are left out of averages."""
    known = pd.DataFrame({"modality": effects["modality"].values, "known": effects["known"].values})
    known["fact"] = fact_names(effects)
    best = known.groupby(["modality", "fact"], sort=False)["known"].max().reset_index()
    counts = {str(kind): int((rows["known"] == 0).sum()) for kind, rows in best.groupby("modality", sort=False)}
    if not any(counts.values()):
        return "Every traced fact is known: the answer is the likeliest text token of the clean run in each modality."
    words = ", ".join(f"{count} {MODALITY_WORDS[kind]} ({kind})" for kind, count in counts.items() if count)
    return f"Not known, because another text token is likelier in the clean run, and left out of averages: {words}."


def settings_table(datasets: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Attributes of each dataset, one row per setting; configuration and window layers are left to the files."""
    names = [name for name in next(iter(datasets.values())).attrs if name not in ("config_json", "window_layers")]
    rows = {
        name.replace("_", " "): [_plain(dataset.attrs.get(name, "")) for dataset in datasets.values()] for name in names
    }
    frame = pd.DataFrame([[name, *values] for name, values in rows.items()])
    frame.columns = pd.Index(["setting", *datasets])
    return frame


def _facts_sentence(effects: xr.Dataset) -> str:
    kinds = effects["modality"].values
    counts = []
    for kind in dict.fromkeys(kinds.tolist()):
        facts = fact_names(effects)[kinds == kind]
        counts.append(f"{len(set(facts))} facts {MODALITY_WORDS[kind]} ({kind}, {len(facts)} prompts)")
    numbers = (
        f"{effects.attrs['dtype']} on {effects.attrs['device']}" if effects.attrs["dtype"] else "its own precision"
    )
    words = model_words(effects)
    return f"{words[0].upper()}{words[1:]} was traced in {numbers} on {' and '.join(counts)}."


def _corruption_sentence(effects: xr.Dataset) -> str:
    attributes = effects.attrs
    scales = [
        f"{attributes[name]:.4g} on {what}"
        for name, what in (("noise_scale_text", "text"), ("noise_scale_speech", "speech units"))
        if not np.isnan(attributes[name])
    ]
    law = (
        f"{attributes['noise_law']} noise"
        if attributes["noise_law"]
        else attributes["corruption"] or "the stated corruption"
    )
    scale = f" of scale {' and '.join(scales)}" if scales else ""
    return (
        f"The subject's embeddings were corrupted by {law}{scale}, {effects.sizes['sample']} samples per prompt, "
        f"drawn from seed {attributes['seed']}, the prompt's id and the sample's number."
    )


def _patching_sentence(datasets: Mapping[str, xr.Dataset]) -> str:
    parts = []
    for effects in datasets.values():
        windows = json.loads(effects.attrs["window_layers"])
        widths = {name: max(last - first + 1 for first, last in layers.values()) for name, layers in windows.items()}
        names = [
            f"{name} (windows of up to {widths[name]} layers)" if widths.get(name, 1) > 1 else name
            for name in effects["component"].values.tolist()
        ]
        words = f"{', '.join(names)} {AT_WORDS[effects.attrs['at']]}"
        if words not in parts:
            parts.append(words)
    return f"Patching ({DIRECTION_WORDS[next(iter(datasets.values())).attrs['direction']]}): {'; '.join(parts)}."


def _averaging_sentence(effects: xr.Dataset) -> str:
    small = small_total_effects(effects)
    name = str(effects["metric"].values[0])
    count = int(small.sel(metric=name))
    return (
        "Metrics are averaged over noise samples, then over the phrasings and voices of a fact, then over facts, which "
        "weigh equally; intervals are bootstrapped over subjects. Effects ÷ total effect leave out prompts with a "
        f"total effect below {SMALL_TOTAL_EFFECT} ({count} of {effects.sizes['prompt']} for the {metric_words(name)})."
    )


def _floor_sentence(datasets: Mapping[str, xr.Dataset]) -> str:
    floor = max(float(effects["noise_floor"].isel(metric=0).max()) for effects in datasets.values())
    return f"Patching nothing moved the first metric by at most {floor:.2g}: smaller effects are rounding."


def _plain(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, (float, np.floating)) else str(value)
