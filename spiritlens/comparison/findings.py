"""A comparison in sentences, as strong as its numbers and no stronger.

1. *Total effects*, of what was done as it was done; where the comparison is closed, nothing else is told, and why.
2. *Fact identity*: whether what is peculiar to a fact in one modality is peculiar to it in the other.
3. *Agreement* of the maps, by the lower end of its interval and beside its floors: the word *agree* only where it lies
   beyond all of them and at least one is another run with maps of its own, or twins (which are then named).
4. *Cells*: how many differ, and by how much the largest; or that none differs by δ; or that the data do not tell.
5. *Layers*: where the effect passes from the subject, and to which role; the centre of the effect at the subject.
6. *Heads*, where an interchange was given: whether those of one modality serve in the other.
7. *Another metric*, what was heard, what limits the claim, and under which conditions it was measured.

Each difference is told as different, as equivalent within its margin, or as undecided, then with the smallest
difference that these data could have shown. Effects tell what takes part in recall under this intervention, never where
a fact is kept.
"""

from collections.abc import Iterator

import numpy as np

from spiritlens.comparison.agreement_words import agreement_sentence
from spiritlens.comparison.beside_words import heard, limits, second_metric
from spiritlens.comparison.compared import Compared
from spiritlens.comparison.conditions import KIND_WORDS
from spiritlens.comparison.difference_words import UNDECIDED, difference
from spiritlens.comparison.estimates import bounds, two_digits
from spiritlens.comparison.fact_identity import FactIdentity
from spiritlens.comparison.said import Said, Spot, Stretch, about, joined
from spiritlens.comparison.same_parts import served_sentences
from spiritlens.comparison.statistics import STATISTICS, ComponentComparison, TakenOver
from spiritlens.terms import READOUT

TOTALS, FACTS = Spot("total effects"), Spot("facts")


def sentences(comparison: Compared) -> tuple[str, ...]:
    """All sentences, in their order."""
    return tuple(one.text for one in told(comparison))


def told(comparison: Compared) -> tuple[Said, ...]:
    """All sentences with what they speak of, in their order."""
    conditions = [about(sentence, FACTS) for sentence in comparison.conditions]
    if comparison.closed:
        return (_of_total(comparison), about(f"Nothing more is told: {comparison.closed}.", TOTALS), *conditions)
    parts = (
        _of_total(comparison),
        about(_identity(comparison), FACTS),
        _of_maps(comparison),
        _of_cells(comparison),
        _places(comparison),
        *served_sentences(comparison.served, comparison.rules.margins.share),
        *second_metric(comparison),
        about(_together(comparison), Spot("map", metric=comparison.metric)),
        *(about(sentence, TOTALS) for sentence in (*heard(comparison), *limits(comparison))),
        *conditions,
    )
    return tuple(part for part in parts if part.text)


# ---- what they speak of ----------------------------------------------------------------------------------------------


def _of_total(comparison: Compared) -> Said:
    """The facts; then both total effects; then their difference."""
    text, metric = _total(comparison), comparison.metric
    first, second = map(repr, comparison.total)
    after = text.index(second, text.index(first) + len(first)) + len(second)
    numbers = tuple(
        (repr(one), Spot("total effects", kind=kind, metric=metric))
        for one, kind in zip(comparison.total, comparison.kinds, strict=True)
    )
    apart = Spot("total effects", kind="difference", metric=metric)
    return Said(text, (Stretch(0, Spot("total effects", metric=metric), numbers), Stretch(after, apart)))


def _of_maps(comparison: Compared) -> Said:
    text = agreement_sentence(comparison)
    stretches: list[Stretch] = []
    for one in comparison.components:
        begins = text.find(one.component, stretches[-1].begins + 1 if stretches else 0)
        stretches.append(Stretch(begins, Spot("map", component=one.component, metric=comparison.metric)))
    return Said(text, tuple(stretches))


def _of_cells(comparison: Compared) -> Said:
    """All cells that differ (else that were compared), then the one that differs most."""
    text, metric = _cells(comparison), comparison.metric
    if not comparison.n_different:
        return about(text, Spot("map", metric=metric))
    largest = _largest(comparison)
    cells = comparison.cells["difference"]
    found = np.where(comparison.cells["verdict"].values == "different", np.abs(cells.values), -1.0)
    place = dict(zip(cells.dims, np.unravel_index(int(np.argmax(found)), found.shape), strict=True))
    at = {str(name): str(cells[name].values[index]) for name, index in place.items()}
    cell = Spot("cell", component=at["component"], role=at["role"], layer=at["layer"], metric=metric)
    cells_there = Spot("cells", component=at["component"], metric=metric)
    return Said(text, (Stretch(0, cells_there), Stretch(text.index(largest), cell)))


# ---- total effects ---------------------------------------------------------------------------------------------------


def _total(comparison: Compared) -> str:
    first, second = _where(comparison)
    verb = "lowers" if comparison.metric_sign > 0 else "raises"
    of_answer = "answer" in comparison.metric_words
    metric = f"answer's {comparison.metric.replace('_', ' ')}" if of_answer else comparison.metric_words
    words = "" if comparison.closed else f": {difference(comparison.total_judged, f'more {second}', f'less {second}')}"
    return (
        f"Over {comparison.n_facts} facts ({comparison.n_subjects} subjects) known both {first} and {second}, "
        f"{comparison.done} {verb} the {metric} by {comparison.total[0]} {first} and by {comparison.total[1]} {second} "
        f"(brackets: {100 * comparison.confidence:.0f} % intervals{_over(comparison)}){words}."
    )


def _over(comparison: Compared) -> str:
    ways = {"subject": "", "relation": " over relations", "both": " over subjects and over relations"}
    return ways[comparison.rules.clusters]


def _where(comparison: Compared) -> tuple[str, str]:
    first, second = (KIND_WORDS[kind] for kind in comparison.kinds)
    return first, second


# ---- fact identity ---------------------------------------------------------------------------------------------------


def _identity(comparison: Compared) -> str:
    overall, within = comparison.identity
    first, second = _where(comparison)
    if overall.why:
        return f"Whether a fact's map {first} fits the same fact's {second} was not tested: {overall.why}."
    if overall.p > comparison.alpha:
        return (
            f"It is not shown that a fact's own map {first} fits the same fact's {second} better than another's "
            f"({_identity_numbers(overall)}; a difference of {overall.detectable:.2f} would have been found)."
        )
    start = (
        f"What is peculiar to a fact {first} is peculiar to the same fact {second}: its own map, mean removed, fits "
        f"better than other facts' ({_identity_numbers(overall)})"
    )
    if within.why:
        return f"{start}; within relations it was not tested ({within.why}), so that relations may be what is told."
    if within.p > comparison.alpha:
        return f"{start}; within relations it is not shown ({_identity_numbers(within)}), so that relations may do it."
    return f"{start}, also among facts of its own relation ({_identity_numbers(within)})."


def _identity_numbers(identity: FactIdentity) -> str:
    return (
        f"similarity {two_digits(identity.same)} to itself, {two_digits(identity.others)} to others, "
        f"p = {identity.p:.2g}, "
        f"{identity.n_units} subjects"
    )


# ---- cells -----------------------------------------------------------------------------------------------------------


def _cells(comparison: Compared) -> str:
    n, tested, margin = comparison.n_different, comparison.n_tested, f"{comparison.cell_margin:.2g} of the total effect"
    if not tested:
        return "No cell could be compared."
    facts = comparison.cells["n_facts"].values[comparison.cells["p_value"].notnull().values]
    over = f"{facts.min()} facts" if facts.min() == facts.max() else f"{facts.min()} to {facts.max()} facts"
    test = {"family-wise": "max-T over all cells", "false discovery": "false discovery rate"}[comparison.rules.cells]
    level = f"{comparison.cell_level:.2g}"
    if comparison.rules.family == "all metrics":
        test += " and metrics"
    if n:
        return (
            f"{n} of {tested} cells differ by {margin} or more ({test}, p ≤ {level}, {over}), most of all "
            f"{_largest(comparison)}."
        )
    if comparison.everywhere == "equivalent":
        return f"In all {tested} cells the two are equivalent within {margin} ({over})."
    least = float(comparison.cells["smallest_p"].max())
    if least > comparison.cell_level:
        return f"No cell could be found to differ: {over} allow no p below {least:.2g} ({test}; {level} is needed)."
    least_shown = comparison.cells["detectable"].values
    found = np.isfinite(least_shown).any()
    shown = (
        f"a difference of {np.nanmax(least_shown):.2f} would have been found" if found else "no cell has an interval"
    )
    return f"In {tested} cells {UNDECIDED} ({test}, p > {level}, {over}; {shown})."


def _largest(comparison: Compared) -> str:
    """The cell that differs most, with the interval that holds for all cells at once."""
    cells = comparison.cells
    found = np.where(cells["verdict"].values == "different", np.abs(cells["difference"].values), -1.0)
    component, layer, role = np.unravel_index(int(np.argmax(found)), found.shape)
    at = {"component": component, "layer": layer, "role": role}
    value, low, high = (float(cells[name].isel(at)) for name in ("difference", "low", "high"))
    ends = sorted((abs(low), abs(high))) if low * high > 0 else sorted((low, high))
    held = "" if np.isnan(low) else bounds(ends[0], ends[1])
    row = str(cells["role"].values[role])
    return (
        f"{cells['component'].values[component]} {role_words(row)} in layer {cells['layer'].values[layer]} "
        f"({abs(value):.2f}{held} of the total effect {'more' if value > 0 else 'less'} "
        f"{KIND_WORDS[comparison.kinds[1]]})"
    )


def role_words(role: str) -> str:
    """Where a role is, as part of a sentence."""
    words = {
        READOUT: "at the read-out",
        "subject": "at the subject",
        "before subject": "before the subject",
        "after subject": "at the words after the subject",
    }
    return words.get(role, f"at the {role}")


# ---- layers ----------------------------------------------------------------------------------------------------------


def _places(comparison: Compared) -> Said:
    residual = [one for one in comparison.components if one.component.startswith("resid")][:1]
    parts = [(part, _crossings(comparison, one)) for one in residual for part in _handover(comparison, one)]
    centred = [one for one in comparison.components if not np.isnan(one.centre_shift.value)]
    chosen = next((one for one in centred if one.component == "mlp_out"), centred[0] if centred else None)
    if chosen is not None:
        words = _judged_statistic("centre_shift", comparison, chosen)
        own = {"component": chosen.component, "metric": comparison.metric}
        centre = f"the centre of the effect of {chosen.component} at the subject over layers: {words}"
        parts.append((centre, Stretch(0, Spot("centre", **own))))
        if not np.isnan(chosen.peak_shift.value):
            peak = f"its peak: {_judged_statistic('peak_shift', comparison, chosen)}"
            parts.append((peak, Stretch(0, Spot("peak", **own))))
    if not parts:
        none = "At the subject no component carries an effect in both modalities whose layers could be compared."
        return about(none, Spot("centre"))
    return joined("", parts)


def _crossings(comparison: Compared, one: ComponentComparison) -> Stretch:
    """Each modality's layer of its own, what else is told of both; roles before the read-out are cells of the map."""
    own = {"component": one.component, "metric": comparison.metric}
    numbers = tuple(
        (repr(taken.layer), Spot("crossing" if taken.role == READOUT else "map", kind=kind, **own))
        for taken, kind in zip(one.taken_over, comparison.kinds, strict=True)
        if taken.role
    )
    return Stretch(0, Spot("crossing", **own), numbers)


def _handover(comparison: Compared, one: ComponentComparison) -> Iterator[str]:
    first, second = _where(comparison)
    taken = one.taken_over
    if not any(each.role for each in taken):
        return
    start = f"in {one.component} the effect passes from the subject"
    if taken[0].role == taken[1].role == READOUT:
        words = _judged_statistic("handover_shift", comparison, one)
        yield (
            f"{start} to the read-out position at layer {taken[0].layer} {first} and {taken[1].layer} {second}: {words}"
        )
        return
    told = [(_passes(one), where) for one, where in zip(taken, (first, second), strict=True) if one.role]
    words = f"{start} {' and '.join(f'{passes} {where}' for passes, where in told)}"
    if len(told) == len(taken):
        yield f"{words}; whether that differs was not tested"
        return
    yield f"{words}; {second if taken[0].role else first} no role is shown to take over, which was not compared"


def _passes(taken: TakenOver) -> str:
    names = {READOUT: "the read-out position", "after subject": "the words after the subject"}
    return f"to {names.get(taken.role, f'the {taken.role}')} at layer {taken.layer}"


def _judged_statistic(name: str, comparison: Compared, one: ComponentComparison) -> str:
    """The difference that a statistic found, in its own words."""
    statistic = next(each for each in STATISTICS if each.name == name)
    more, less = (f"{statistic.unit} {word}".strip() for word in (statistic.more, statistic.less))
    second = KIND_WORDS[comparison.kinds[1]]
    return difference(one.judged[name], f"{more} {second}", f"{less} {second}", statistic.unit)


def _together(comparison: Compared) -> str:
    kinds = "total effects, cells, layers" + (", in two metrics" if _repeated(comparison) else "")
    return (
        f"Several differences are tested here ({kinds}): at most {100 * comparison.alpha:g} % of such studies tell any "
        "that is not there."
    )


def _repeated(comparison: Compared) -> bool:
    return comparison.second is not None and not comparison.second.closed
