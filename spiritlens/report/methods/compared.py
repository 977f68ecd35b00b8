"""The methods of a comparison of two modalities, in sentences: its facts, its statistics with their draws, its margins.

All of it is read from the `Comparison` itself, so that a comparison under other rules is told in other words. What it
found is not told here: those are its `findings`.
"""

from spiritlens.comparison.conditions import KIND_WORDS
from spiritlens.comparison.result import Comparison
from spiritlens.effects.intervals import FEWEST_CLUSTERS
from spiritlens.report.numerals import several

CLUSTER_WORDS = {
    "subject": "subjects",
    "relation": "relations",
    "both": "subjects and over relations, whichever vouches for less",
}
CITED = "comparison of modalities; skewness; jackknife; max-t; equivalence within; fact identity"
"""Words by which the sources of every comparison are found (`spiritlens.report.methods.sources`)."""
CITED_RATES = "false discovery rate"


def comparison_sentences(found: Comparison) -> list[str]:
    """What was compared, how it was tested, and what counted as an effect."""
    rules = found.rules
    sentences = [_facts(found), _intervals(found), _tests(found), _margins(found)]
    beside = dict.fromkeys(
        row.name for one in found.components for row in one.beside.rows if row.part in ("ceiling", "floor", "twins")
    )
    if beside:
        sentences.append(f"Agreement was set beside that of {', '.join(beside)}.")
    if found.second is not None:
        sentences.append(f"The headline was repeated by the {found.second.metric.replace('_', ' ')}.")
    if found.closed:
        sentences.append(f"No sentence is made of the numbers: {found.closed}.")
    return [*sentences, f"Level of all tests: {rules.alpha:g}."]


def told_of_comparison(found: Comparison) -> str:
    """The words by which the sources of a comparison are found."""
    return f"{CITED}; {CITED_RATES}" if found.rules.cells == "false discovery" else CITED


def _facts(found: Comparison) -> str:
    first, second = (KIND_WORDS[kind] for kind in found.kinds)
    left_out = f"; {several(found.n_left_out, 'fact')} not known in both left out" if found.n_left_out else ""
    return (
        f"Recall {second} was compared with recall {first}, fact by fact, over {several(found.n_facts, 'fact')} of "
        f"{several(found.n_subjects, 'subject')} known in both{left_out}, by {found.metric_words} ({found.metric}) "
        f"under {found.done} ({found.direction})."
    )


def _intervals(found: Comparison) -> str:
    return (
        f"Intervals hold {100 * found.confidence:g} % over {CLUSTER_WORDS[found.rules.clusters]}: of means Student's, "
        "corrected for skewness; of agreement, by products of different subjects, a jackknife's; of peaks and "
        f"hand-overs a bootstrap's of {found.resamples:,} draws. None is given of fewer than {FEWEST_CLUSTERS} "
        "clusters."
    )


def _tests(found: Comparison) -> str:
    whole = "all traced metrics" if found.rules.family == "all metrics" else "all cells of the maps"
    errors = (
        f"max-T over {whole}"
        if found.rules.cells == "family-wise"
        else f"adjusted for the false discovery rate over {whole} (Benjamini and Yekutieli)"
    )
    tests = {round(float(one.least_p), 12) for one in found.identity if one.least_p == one.least_p}
    identity = "; fact identity by permutations of facts between the modalities" if tests else ""
    return (
        "Cells were tested by flips of the signs of whole clusters, on shares of each fact's own total effect, "
        f"{errors}{identity} (at most {found.permutations:,} drawn, seed {found.seed})."
    )


def _margins(found: Comparison) -> str:
    margins = found.rules.margins
    return (
        f"Smallest effects of interest, declared before: {margins.share:g} of the total effect, {margins.layers:g} "
        f"layers, {margins.correlation:g} of a correlation, and never less than {margins.noise_floors:g} noise floors; "
        "a difference is told where it reaches them, and two modalities are equivalent within them by two one-sided "
        "tests."
    )
