"""What was run, in sentences and as a table of settings, read from the attributes of the datasets."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from spiritlens.effects.canaries import canary
from spiritlens.effects.metric_words import words_of
from spiritlens.effects.quantities import small_total_effects, smallest_total_effect
from spiritlens.effects.statistics import fact_names
from spiritlens.prompts.knowing import EXACT, Knowing
from spiritlens.report.acts import act_words, done_words
from spiritlens.report.numerals import number_words, several
from spiritlens.report.words import MODALITY_WORDS, method_words
from spiritlens.terms import Facts

AT_WORDS = {
    "token": "one token at a time",
    "word": "all tokens of a word together",
    "span": "the tokens of a span together",
    "role": "all tokens of a role together",
}


def methods_sentences(datasets: Mapping[str, xr.Dataset], facts: Facts = "known") -> list[str]:
    """The paragraph on what was run: prompts and facts, corruption, patching, averaging, numerical noise."""
    first = next(iter(datasets.values()))
    return [
        facts_sentence(first),
        unknown_sentence(first, facts),
        f"Corruption: {each_once(corruption_words(one) for one in datasets.values())}.",
        f"Patching: {each_once(patched_words(one) for one in datasets.values())}.",
        _averaging_sentence(first),
        floor_sentence(datasets),
    ]


def model_words(effects: xr.Dataset) -> str:
    """The model by its name."""
    name = effects.attrs["model_name"] or effects.attrs["model_hash"]
    return f"the model ‘{name}’" if name else "a speech-text language model"


def unknown_sentence(effects: xr.Dataset, facts: Facts | None = "known") -> str:
    """How many traced facts the model does not answer rightly, by modality, and whether averages leave them out (None:
    there are none)."""
    known = pd.DataFrame({"modality": effects["modality"].values, "known": effects["known"].values})
    known["fact"] = fact_names(effects)
    best = known.groupby(["modality", "fact"], sort=False)["known"].max().reset_index()
    counts = {str(kind): int((rows["known"] == 0).sum()) for kind, rows in best.groupby("modality", sort=False)}
    knowing = knowing_of(effects)
    rule = "" if knowing == EXACT else f" (a fact is known when {knowing.words})"
    if not any(counts.values()):
        if rule:
            return f"Every traced fact is known in each modality{rule}."
        return "Every traced fact is known: the answer is the likeliest text token of the clean run in each modality."
    words = ", ".join(f"{count} {MODALITY_WORDS[kind]} ({kind})" for kind, count in counts.items() if count)
    averages = {"known": "left out of averages", "all": "averaged with the others"}.get(facts or "", "")
    why = f"{rule}," if rule else ", because another text token is likelier in the clean run,"
    return f"Not known{why} and {averages}: {words}." if averages else f"Not known{why.removesuffix(',')}: {words}."


def knowing_of(effects: xr.Dataset) -> Knowing:
    """The rule by which the dataset says `known`."""
    return Knowing.read(str(effects.attrs.get("knowing") or EXACT))


def settings_table(datasets: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Attributes of each dataset and the settings of its call (`config_json`), one row each; window layers are left
    to the files."""
    columns = [_settings(dataset) for dataset in datasets.values()]
    names = dict.fromkeys(name for column in columns for name in column)
    if not columns:
        return pd.DataFrame(columns=["setting"])
    frame = pd.DataFrame([[name, *(column.get(name, "") for column in columns)] for name in names])
    frame.columns = pd.Index(["setting", *datasets])
    return frame


def _settings(effects: xr.Dataset) -> dict[str, str]:
    left_out = ("config_json", "window_layers")
    attributes = {name: value for name, value in effects.attrs.items() if name not in left_out}
    call = {f"call: {name}": value for name, value in json.loads(effects.attrs.get("config_json", "{}")).items()}
    return {name.replace("_", " "): _plain(value) for name, value in (attributes | call).items()}


def facts_sentence(effects: xr.Dataset) -> str:
    kinds = effects["modality"].values
    counts = []
    for kind in dict.fromkeys(kinds.tolist()):
        facts = fact_names(effects)[kinds == kind]
        n_facts, n_prompts = several(len(set(facts)), f"{MODALITY_WORDS[kind]} fact"), several(len(facts), "prompt")
        counts.append(f"{n_facts} ({kind}, {n_prompts})")
    numbers = (
        f"{effects.attrs['dtype']} on {effects.attrs['device']}" if effects.attrs["dtype"] else "its own precision"
    )
    words = model_words(effects)
    return f"{words[0].upper()}{words[1:]} was traced in {numbers} on {' and '.join(counts)}."


def corruption_words(effects: xr.Dataset) -> str:
    """What the corrupted run was, in the dataset's own words, with the noise's scale and the samples."""
    attributes = effects.attrs
    noise = f"{attributes['noise_law']} noise" if attributes["noise_law"] else "not stated"
    scales = [
        f"{number_words(attributes[name])} on {what}"
        for name, what in (("noise_scale_text", "text"), ("noise_scale_speech", "speech units"))
        if not np.isnan(attributes[name])
    ]
    scale = f" (scale {' and '.join(scales)})" if scales else ""
    return (
        f"{attributes['corruption'] or noise}{scale}, {several(effects.sizes['sample'], 'sample')} per prompt, "
        f"{_seed_words(effects)}"
    )


def _seed_words(effects: xr.Dataset) -> str:
    """Where random numbers came from: the reference code's stream takes no seed."""
    config = json.loads(effects.attrs["config_json"])
    corruption = config.get("corruption", config.get("contrast"))
    if isinstance(corruption, dict) and corruption.get("stream") == "rome":
        return "drawn from the reference code's stream, the same for all prompts of equal shape"
    return f"seed {effects.attrs['seed']}"


def patched_words(effects: xr.Dataset) -> str:
    """The method, its direction, and what was patched at once."""
    windows = json.loads(effects.attrs["window_layers"])
    widths = {name: max(last - first + 1 for first, last in layers.values()) for name, layers in windows.items()}
    names = [
        f"{name} (windows of up to {widths[name]} layers)" if widths.get(name, 1) > 1 else name
        for name in effects["component"].values.tolist()
    ]
    happened = act_words(effects).captioned(effects.attrs["direction"])
    what = f"{', '.join(names)} {AT_WORDS[effects.attrs['at']]}"
    return f"{method_words(effects)} ({happened}): {what}; {done_words(effects)}"


def each_once(parts: Iterable[str]) -> str:
    """What the datasets say, each thing once."""
    return "; ".join(dict.fromkeys(parts))


def _averaging_sentence(effects: xr.Dataset) -> str:
    small = small_total_effects(effects)
    name = str(effects["metric"].values[0])
    count = int(small.sel(metric=name))
    smallest = f"{number_words(smallest_total_effect(effects, name))} ({count} of {effects.sizes['prompt']}"
    return (
        "Metrics are averaged over noise samples, then over the phrasings and voices of a fact, then over facts, which "
        "weigh equally; intervals are Student's over subjects, corrected for skewness. Effects ÷ total effect leave "
        f"out prompts with a total effect below {smallest} for the {words_of(effects, name)})."
    )


def floor_sentence(datasets: Mapping[str, xr.Dataset]) -> str:
    floor = max(float(effects["noise_floor"].isel(metric=0).max()) for effects in datasets.values())
    return (
        f"Patching nothing moved the first metric by at most {number_words(floor)}: smaller effects are rounding. "
        f"{canary_sentence(datasets.values())}"
    )


def canary_sentence(results: Iterable[xr.Dataset]) -> str:
    """What the results' canaries say; that there is none, or that a result failed."""
    found = [canary(one) for one in results]
    problems = [one.problem for one in found if one.problem]
    if problems:
        return f"A result is not to be used: {problems[0]}."
    rows = [row for one in found for row in one.rows]
    if not rows:
        return "No canary was run."
    told = {
        "canary_self": "putting a run's own values back moved no metric by more than",
        "canary_all": "putting all of the other run's values in missed that run's metrics by at most",
    }
    parts = [
        f"{words} {number_words(max(row.deviation for row in rows if row.name == name))}"
        for name, words in told.items()
        if any(row.name == name for row in rows)
    ]
    return f"Checks of the engine: {'; '.join(parts)}, as rounding does."


def _plain(value: Any) -> str:
    """A setting as text: floats with six digits, lists and mappings as JSON."""
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return f"{value:.6g}" if isinstance(value, (float, np.floating)) else str(value)
