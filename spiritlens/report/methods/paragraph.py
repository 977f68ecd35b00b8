"""The methods paragraph of a result: what was run, in sentences that are made of what the result holds.

Prompts, facts, corruption, samples, seeds, windows, metrics, statistics, versions and the checks of the engine are read
from the coordinates and attributes of the datasets. What these do not hold is not said: effects hold raw values and
name no statistics, averages and comparisons name theirs. The page's own paragraph
(`spiritlens.report.methods.sentences`) is made of the same sentences.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.arguments import shown, told_keywords
from spiritlens.comparison.result import Comparison
from spiritlens.effects.interchange import INTERCHANGE_SCHEMA, SETS_SCHEMA
from spiritlens.effects.measures import (
    ATTRIBUTION_SCHEMA,
    AVERAGES_SCHEMA,
    DOSES_SCHEMA,
    FAITHFULNESS_SCHEMA,
    LENS_SCHEMA,
    MASS_SCHEMA,
)
from spiritlens.effects.metric_words import words_of
from spiritlens.effects.paths import PATHS_SCHEMA
from spiritlens.effects.schema import RECALL, SCHEMA
from spiritlens.effects.statistics import fact_names
from spiritlens.effects.store import CHECKS, schema_of
from spiritlens.report.methods.compared import comparison_sentences, told_of_comparison
from spiritlens.report.methods.sentences import (
    canary_sentence,
    corruption_words,
    each_once,
    facts_sentence,
    floor_sentence,
    model_words,
    patched_words,
    unknown_sentence,
)
from spiritlens.report.methods.sources import sources_of, told_of
from spiritlens.report.numerals import number_words, several
from spiritlens.report.words import MODALITY_WORDS


@dataclass(frozen=True)
class Methods:
    """A paragraph, and the BibTeX of what it rests on; prints both."""

    paragraph: str
    bibtex: str

    def __str__(self) -> str:
        return f"{self.paragraph}\n\n{self.bibtex}\n"


@told_keywords
def methods(result: xr.Dataset | Comparison | Mapping[str, xr.Dataset | Comparison]) -> Methods:
    """The methods of a result, or of several by name, as a paragraph to paste, with BibTeX.

    Any dataset that a method returned will do: effects, edges, attributions, attention, lenses, doses, averages; so
    will a `Comparison`, which tells its statistics, draws, seed and margins.

    Returns the paragraph and the entries of the sources. Raises ValueError for what is no such result.
    """
    results = _given(result)
    datasets = [one for one in results.values() if isinstance(one, xr.Dataset)]
    sentences: list[str] = []
    for one in results.values():
        if isinstance(one, Comparison):
            sentences += comparison_sentences(one)
        else:
            sentences += SENTENCES[str(one.attrs["schema"])](one)
    sentences += _shared(datasets)
    sources = sources_of(
        [told_of_comparison(one) if isinstance(one, Comparison) else told_of(one) for one in results.values()]
    )
    keys = ", ".join(source.key for source in sources)
    sentences += [f"Sources: {keys}."] if keys else []
    return Methods(" ".join(dict.fromkeys(sentences)), "\n\n".join(source.bibtex for source in sources))


def _given(result: Any) -> dict[str, xr.Dataset | Comparison]:
    """The results by name; of datasets, each of a schema that is known, and holding it."""
    given = result if isinstance(result, Mapping) and not isinstance(result, xr.Dataset) else {"result": result}
    if not given:
        raise ValueError("result is empty: give a dataset, or several by name")
    for name, one in given.items():
        if not isinstance(one, (xr.Dataset, Comparison)):
            raise ValueError(
                f"{name}={shown(one, 40)} ({type(one).__name__}): expected the dataset that a method returned, a "
                "Comparison, or several by name"
            )
    return {
        str(name): one if isinstance(one, Comparison) else CHECKS[schema_of(one, str(name))](one)
        for name, one in given.items()
    }


def _effects(effects: xr.Dataset) -> list[str]:
    return [
        facts_sentence(effects),
        unknown_sentence(effects, None),
        f"Corruption: {corruption_words(effects)}.",
        f"Patching: {patched_words(effects)}.",
        f"Metrics: {_metrics(effects)}.",
        _missed(effects) or floor_sentence({"": effects}),
    ]


def _missed(result: xr.Dataset) -> str:
    """What an estimate, which patches nothing, says of itself; "" for what was run."""
    if "completeness_residual" not in result.variables:
        return ""
    missed = float(np.abs(result["completeness_residual"].values).max())
    return (
        "These are estimates from gradients, without a patch: the embeddings' attributions miss the total effect by at "
        f"most {number_words(missed)}."
    )


def _paths(edges: xr.Dataset) -> list[str]:
    attributes, config = edges.attrs, json.loads(edges.attrs["config_json"])
    n_senders, n_receivers = len(config.get("senders", [])), len(config.get("receivers", []))
    held = {"heads": "heads", "heads+mlps": "heads and MLPs", "nothing": "nothing"}[attributes["frozen"]]
    name = attributes.get("method") or "path patching"
    return [
        _counted(edges, f"Edges were measured by {name}"),
        f"{several(n_senders, 'sender')} and {several(n_receivers, 'receiver')}, at "
        f"{' and '.join(edges['pos_name'].values.tolist())}, in the {attributes['base_run']} run, with {held} between "
        f"them held, norm scales {attributes['norms']}; the other run is that of "
        f"{attributes['corruption'] or 'a contrast that is not stated'}, "
        f"{several(int(config.get('samples', 1)), 'sample')} per prompt, seed {attributes['seed']}.",
        f"Metrics: {_metrics(edges)}.",
        _missed(edges) or canary_sentence([edges]),
    ]


def _attribution(parts: xr.Dataset) -> list[str]:
    config = json.loads(parts.attrs.get("config_json", "{}"))
    against = {"foil": "over that of its foil", "mean": "over the mean of all tokens"}.get(
        config.get("against", ""), ""
    )
    remainder = float(np.abs(parts["remainder"].values).max())
    return [
        _counted(parts, f"The logit of the answer {against}".strip() + " was cut into what each head and MLP writes"),
        f"Method: {parts.attrs.get('method', 'direct logit attribution')}; the parts miss the whole by at most "
        f"{number_words(remainder)}.",
    ]


def _attention(found: xr.Dataset) -> list[str]:
    what = "Heads were scored by detectors" if "score" in found.variables else "Attention mass was measured"
    axis = "detector" if "score" in found.variables else "query"
    return [_counted(found, what), f"By {axis}: {', '.join(map(str, found[axis].values.tolist()))}."]


def _lens(found: xr.Dataset) -> list[str]:
    return [
        _counted(found, "Every residual state was read by the final norm and the unembedding (logit lens)"),
        f"{found.sizes['state']} states, of each the {found.sizes['top']} likeliest text tokens.",
    ]


def _doses(found: xr.Dataset) -> list[str]:
    multiples = ", ".join(f"{value:g}" for value in np.atleast_1d(found["multiple"].values))
    return [
        _counted(found, "What noise takes away of the answer's probability was measured", "subject_modality"),
        f"Noise: {found.attrs.get('noise_law', '')} at {multiples} times the default scale of each modality, "
        f"{several(int(found.attrs.get('samples', 1)), 'sample')} per prompt, seed {found.attrs.get('seed', 0)}.",
    ]


def _kept_parts(found: xr.Dataset) -> list[str]:
    """Sets of heads, sites or edges kept or removed, and curves made of them."""
    attributes = found.attrs
    removed = {"zero": "put to zero", "mean": "put to the mean of their role over the prompts of their modality"}
    named, done = str(attributes["removed"]), "removed" if attributes["method"] == "parts removed" else "kept"
    sentences = [
        f"Sets of {attributes['parts']} were {done}; what is removed is {removed.get(named, named)}. The metric is "
        f"{attributes['metric_words']} ({attributes['metric']})."
    ]
    if "prompt" in found.sizes:
        sentences.insert(0, _counted(found, f"Functional interchange of {attributes['parts']} was measured"))
    if "ranking" in found.dims:
        sentences.append(
            "Parts were ranked on one half of the facts and kept on the other, both halves in turn, by the larger "
            f"share of what restoring and removing each one does under {attributes['corruption']}, seed "
            f"{attributes['seed']}; {several(found.sizes['size'], 'size')}."
        )
    return sentences


def _averages(means: xr.Dataset) -> list[str]:
    attributes = means.attrs
    if "confidence" not in attributes:
        return ["Averages over facts, of a version that did not store how they were made."]
    quantity = {
        "indirect": "indirect effects",
        "normalised": "indirect effects ÷ total effects",
        "total": "total effects",
    }
    by = [str(name) for name, values in means.coords.items() if values.dims == ("group",)]
    counts = means["n_facts"].max([axis for axis in means["n_facts"].dims if axis != "group"]).values
    groups = [
        f"{' '.join(str(means[name].values[place]) for name in by) or 'all'} {several(int(count), 'fact')}"
        for place, count in enumerate(counts)
    ]
    sentences = [
        f"Averages are means over facts of {quantity.get(str(attributes.get('quantity')), 'effects')} "
        f"({'known facts only' if attributes.get('facts') == 'known' else 'all facts'}; {', '.join(groups)}), each "
        "fact the mean of its phrasings and voices, all facts weighing the same.",
        _interval_sentence(means),
        f"Metrics: {_metrics(means)}.",
    ]
    if attributes.get("corruption"):
        seed = attributes.get("seed", 0)
        sentences.append(f"Corruption: {attributes['corruption']}, seed {seed} of the runs.")
    return sentences


def _interval_sentence(means: xr.Dataset) -> str:
    """How the intervals were made: in closed form, or, by versions that did not say why one is missing, by draws."""
    attributes = means.attrs
    share, clusters = f"{100 * float(attributes['confidence']):g} %", f"{attributes.get('clusters', 'subject')}s"
    if "no_interval" in means.variables:
        return f"Intervals hold {share} over {clusters}: Student's, corrected for skewness."
    draws, seed = attributes["resamples"], attributes["resampling_seed"]
    return f"Intervals hold {share}, by a bootstrap over {clusters} with {draws} resamples, seed {seed}."


SENTENCES: Mapping[str, Callable[[xr.Dataset], list[str]]] = {
    SCHEMA: _effects,
    PATHS_SCHEMA: _paths,
    ATTRIBUTION_SCHEMA: _attribution,
    MASS_SCHEMA: _attention,
    LENS_SCHEMA: _lens,
    DOSES_SCHEMA: _doses,
    AVERAGES_SCHEMA: _averages,
    INTERCHANGE_SCHEMA: _kept_parts,
    SETS_SCHEMA: _kept_parts,
    FAITHFULNESS_SCHEMA: _kept_parts,
}
"""The sentences of each kind of result."""


def _shared(found: Sequence[xr.Dataset]) -> list[str]:
    """Voices, tags and versions of datasets, each once."""
    voices = [one["voice"].values.tolist() for one in found if "voice" in one.coords]
    spoken = sorted({voice for some in voices for voice in some if voice})
    sentences = [f"Speech: {several(len(spoken), 'voice')} ({', '.join(spoken)})."] if spoken else []
    for one in found:
        if RECALL in one.coords and "prompt" in one[RECALL].dims:
            tags = one[RECALL].values.tolist()
            counts = ", ".join(f"{tags.count(tag)} {tag or 'without'}" for tag in dict.fromkeys(tags))
            sentences.append(f"Kinds of recall, by prompt: {counts}.")
    return [*sentences, each_once(map(_versions, found))] if found else []


def _versions(result: xr.Dataset) -> str:
    """The model and the programs that ran it."""
    attributes = result.attrs
    model = model_words(result) if "model_name" in attributes else "the model"
    identity = f" (hash {attributes['model_hash'][:16]})" if attributes.get("model_hash") else ""
    precision = f" in {attributes['dtype']} on {attributes['device']}" if attributes.get("dtype") else ""
    version = attributes.get("spiritlens_version")
    programs = f" by spiritlens {version}" if version else ""
    libraries = f" with {attributes['libraries']}" if attributes.get("libraries") else ""
    hooks = f", carrying hooks of the user's: {attributes['hooks']}" if attributes.get("hooks") else ""
    return f"{model[0].upper()}{model[1:]}{identity} was run{precision}{programs}{libraries}{hooks}."


def _metrics(result: xr.Dataset) -> str:
    return "; ".join(f"{words_of(result, name)} ({name})" for name in map(str, result["metric"].values.tolist()))


def _counted(result: xr.Dataset, what: str, coordinate: str = "modality") -> str:
    """``what`` on so many prompts and facts, by modality."""
    n_prompts = result.sizes["prompt"]
    told = [several(n_prompts, "prompt")]
    if all(name in result.coords for name in ("fact_id", "relation", "subject", "answer")):
        told.append(f"of {several(len(set(fact_names(result).tolist())), 'fact')}")
    if coordinate in result.coords:
        kinds = result[coordinate].values.tolist()
        told.append(
            f"({', '.join(f'{kinds.count(kind)} {MODALITY_WORDS.get(kind, kind)}' for kind in dict.fromkeys(kinds))})"
        )
    return f"{what} on {' '.join(told)}."
