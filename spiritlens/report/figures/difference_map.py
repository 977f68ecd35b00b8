"""Writing, speech and their difference: three maps by role and layer on one scale, with the cells that differ outlined.

Facts are paired as `sl.compare` pairs them: those known in both modalities, each with itself, by the phrasings known in
both; the read-out is one row. In shares each fact's cell is divided by its own total effect, which is the form that the
comparison tests; in effects it is not. Outlined are the cells that the comparison calls *different*: by an adjusted p,
and by at least its smallest effect of interest. Without a comparison nothing is outlined, for nothing was tested.

Signs: the third map is second − first (S2T − T2T), so red is more in speech.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from spiritlens.arguments import check_choice, shown, told_keywords
from spiritlens.comparison.belonging import check_compared
from spiritlens.comparison.compared import Compared
from spiritlens.comparison.paired_effects import PairedEffects
from spiritlens.comparison.pairing import Pairs
from spiritlens.comparison.shares import fact_shares
from spiritlens.effects.clusters import Array
from spiritlens.effects.given import given_traces
from spiritlens.effects.intervals import cluster_interval
from spiritlens.effects.quantities import Quantity
from spiritlens.effects.schema import Status
from spiritlens.report.figures.chosen import chosen, chosen_components, without_heads
from spiritlens.report.figures.heatmap import add_cells, cell_words, name_marks
from spiritlens.report.figures.look import INK, Arrangement, apply_look, layer_range, layer_ticks, two_line_titles
from spiritlens.report.figures.paired_status import paired_status
from spiritlens.report.figures.rows import Rows, folded_rows
from spiritlens.report.figures.scale import effect_scale, share_scale
from spiritlens.report.numerals import fixed, several
from spiritlens.report.words import colour_words, metric_words, patching_words, quantity_words
from spiritlens.terms import Facts

ROW_PIXELS, GAP_PIXELS = 30, 78
KINDS = ("T2T", "S2T")


@dataclass(frozen=True, eq=False)
class Panel:
    """One map [role layer] of one component: means over the paired facts with their intervals, n, and statuses."""

    mean: Array
    low: Array
    high: Array
    n_facts: Any
    status: Any
    notes: Any = None
    """What hovers add [role layer] ("": nothing)."""


@told_keywords
def difference_map(
    effects: xr.Dataset,
    comparison: Compared | None = None,
    component: str | None = None,
    metric: str | None = None,
    *,
    quantity: Quantity = "normalised",
    facts: Facts = "known",
    arrangement: Arrangement = "side by side",
) -> go.Figure:
    """T2T, S2T and S2T − T2T by role and layer, paired by fact, with the cells that a comparison calls different.

    `comparison` is what `sl.compare(effects)` returned. `metric` None is that of the comparison, or the first.

    Returns a plotly figure. Raises ValueError for effects of one modality, without a fact that is known in both, or
    with heads, and for a comparison of another metric or of other effects.
    """
    check_choice("quantity", quantity, Quantity)
    check_choice("arrangement", arrangement, Arrangement)
    given = PairedEffects(without_heads(given_traces(effects)))
    metric = _metric(given.effects, comparison, metric)
    if comparison is not None:
        _check_kinds(given.effects, comparison.kinds)
        check_compared(comparison, given)
    return difference_of(given, comparison, component, metric, quantity, facts, arrangement)


def difference_of(
    given: PairedEffects,
    comparison: Compared | None,
    component: str | None,
    metric: str,
    quantity: Quantity,
    facts: Facts,
    arrangement: Arrangement,
) -> go.Figure:
    """The figure of effects that were checked, and to which the comparison belongs."""
    effects, kinds = given.effects, KINDS if comparison is None else comparison.kinds
    _check_kinds(effects, kinds)
    pairs = given.pairs(metric, kinds, facts)
    components = chosen_components(effects, component)
    status = paired_status(effects, pairs, facts)
    drawn = [_panels(pairs, pairs.components.index(name), quantity, status, comparison) for name in components]
    figure, rows = _drawn(drawn, components, pairs, kinds, arrangement)
    values = [panel.mean for panels in drawn for panel in panels]
    scale = (
        share_scale(*values)
        if quantity == "normalised"
        else effect_scale(*values, total=pairs.totals.mean(axis=1), floor=pairs.noise_floor)
    )
    figure.update_layout(coloraxis=scale.axis(colour_words(effects, quantity)))
    counts = several(len(pairs.subjects), "fact"), several(len(set(pairs.subjects.tolist())), "subject")
    subtitle = " · ".join(
        [
            quantity_words(effects, quantity, metric),
            *([metric_words(effects, metric)] if quantity == "normalised" else []),
            patching_words(effects),
            f"{counts[0]} in both, of {counts[1]}",
            _tested_words(comparison),
            *([scale.line] if scale.line else []),
        ]
    )
    n_rows = len(components) * (3 if arrangement == "stacked" else 1)
    height = 130 + round(n_rows * (ROW_PIXELS * rows.height + GAP_PIXELS))
    apply_look(figure, f"{kinds[1]} less {kinds[0]}: where writing and speech differ", subtitle, height=height)
    return name_marks(two_line_titles(figure))


def _metric(effects: xr.Dataset, comparison: Compared | None, metric: str | None) -> str:
    """The metric of the comparison, unless another one is asked for without any."""
    if comparison is None:
        return chosen(effects, "metric", metric)
    if not isinstance(comparison, Compared):
        raise ValueError(f"comparison={shown(comparison, 40)} ({type(comparison).__name__}): expected sl.compare(…)")
    if metric is not None and metric != comparison.metric:
        raise ValueError(f"metric={shown(metric)}: the comparison is of {comparison.metric}; compare by that metric")
    return chosen(effects, "metric", comparison.metric)


def _check_kinds(effects: xr.Dataset, kinds: Sequence[str]) -> None:
    found = list(dict.fromkeys(effects["modality"].values.tolist()))
    missing = [kind for kind in kinds if kind not in found]
    if missing:
        raise ValueError(
            f"no {missing[0]} prompt among the modalities {', '.join(found)}: pass what causal_trace, "
            "activation_patch … return of prompts in both"
        )


def _panels(
    pairs: Pairs, place: int, quantity: Quantity, status: Any, comparison: Compared | None
) -> tuple[Panel, Panel, Panel]:
    """Both modalities and their difference, over the facts that have the cell in both."""
    sides = [pairs.values[side][:, place].transpose(0, 2, 1) for side in (0, 1)]
    if quantity == "normalised":
        sides = [fact_shares(one, totals, pairs.smallest) for one, totals in zip(sides, pairs.totals, strict=True)]
    difference = sides[1] - sides[0]
    there = ~np.isnan(difference)
    both = status[place].T
    notes = _tests(pairs, place, comparison)
    first, second = (_panel(np.where(there, one, np.nan), pairs, both) for one in sides)
    return first, second, _panel(difference, pairs, both, notes)


def _panel(values: Array, pairs: Pairs, status: Any, notes: Any = None) -> Panel:
    drawn = np.where(status < Status.SCREENED, values, np.nan)
    found = cluster_interval(drawn, pairs.subjects)
    return Panel(found.mean, found.low, found.high, (~np.isnan(drawn)).sum(axis=0), status, notes)


def _tests(pairs: Pairs, place: int, comparison: Compared | None) -> Any:
    """What the comparison says of each cell [role layer], as (verdict, text)."""
    if comparison is None or comparison.closed or pairs.components[place] not in comparison.cells["component"].values:
        return None
    cells = comparison.cells.sel(component=pairs.components[place])
    found = np.full((len(pairs.roles), len(pairs.layers), 2), "", dtype=object)
    for row, role in enumerate(pairs.roles):
        for column, layer in enumerate(pairs.layers):
            if role in cells["role"].values and layer in cells["layer"].values:
                cell = cells.sel(role=role, layer=layer)
                verdict = str(cell["verdict"].values)
                p = fixed(float(cell["p_value"]), 3, apart=(0.0, comparison.alpha))
                found[row, column] = verdict, f"<br>{verdict}, adjusted p = {p}" if verdict else ""
    return found


def _drawn(
    drawn: list[tuple[Panel, Panel, Panel]],
    components: list[str],
    pairs: Pairs,
    kinds: tuple[str, str],
    arrangement: Arrangement,
) -> tuple[go.Figure, Rows]:
    rows = folded_rows(*(panel.status for panels in drawn for panel in panels))
    stacked = arrangement == "stacked"
    shape = (3 * len(components), 1) if stacked else (len(components), 3)
    names = (*kinds, f"{kinds[1]} − {kinds[0]}")
    figure = make_subplots(
        *shape,
        shared_yaxes=not stacked,
        horizontal_spacing=0.03,
        vertical_spacing=min(0.25, (GAP_PIXELS - 6) / ((ROW_PIXELS * rows.height + GAP_PIXELS) * shape[0])),
        subplot_titles=[
            f"<b>{name}</b> · {html.escape(component)}<br>n = {several(int(panel.n_facts.max(initial=0)), 'fact')}"
            for component, panels in zip(components, drawn, strict=True)
            for name, panel in zip(names, panels, strict=True)
        ],
    )
    labels = [
        html.escape(" … ".join(dict.fromkeys([pairs.roles[each[0]], pairs.roles[each[-1]]]))) for each in rows.members
    ]
    flat = [panel for panels in drawn for panel in panels]
    for index, panel in enumerate(flat):
        place = {"row": index + 1, "col": 1} if stacked else {"row": index // 3 + 1, "col": index % 3 + 1}
        hover = _hover(panel, labels, rows, pairs.layers)
        add_cells(figure, pairs.layers, panel.mean[rows.first], panel.status[rows.first], hover, place=place, rows=rows)
        last = index == len(flat) - 1 if stacked else index // 3 == len(components) - 1
        figure.update_xaxes(**layer_ticks(pairs.layers) | ({} if last else {"title_text": ""}), **place)
        figure.update_yaxes(**rows.ticks(labels), **place)
        if panel.notes is not None:
            _outline(figure, panel.notes, rows, pairs.layers, place)
    return figure, rows


def _outline(figure: go.Figure, notes: Any, rows: Rows, layers: Sequence[int], place: dict[str, int]) -> None:
    """A dark frame around each cell that differs."""
    frame = {"type": "rect", "line": {"color": INK, "width": 2}, "fillcolor": "rgba(0,0,0,0)", "name": "different"}
    for row, members in enumerate(rows.members):
        for column in range(len(layers)):
            if notes[members[0], column, 0] == "different":
                left, right = _edges(layers, column)
                ends = {"x0": left, "x1": right, "y0": rows.edges[row], "y1": rows.edges[row + 1]}
                figure.add_shape(**frame, **ends, **place)


def _edges(layers: Sequence[int], column: int) -> tuple[float, float]:
    """The left and right edge of a column: halfway to its neighbours."""
    first, last = layer_range(layers)
    left = (layers[column - 1] + layers[column]) / 2 if column else first
    right = (layers[column] + layers[column + 1]) / 2 if column + 1 < len(layers) else last
    return left, right


def _hover(panel: Panel, labels: list[str], rows: Rows, layers: Sequence[int]) -> list[list[str]]:
    return [
        [
            f"{label}, layer {layer}<br>"
            f"mean {cell_words(panel.mean[row, at], panel.status[row, at], panel.low[row, at], panel.high[row, at])}"
            f"<br>n = {several(int(panel.n_facts[row, at]), 'fact')}"
            f"{'' if panel.notes is None else panel.notes[row, at, 1]}"
            for at, layer in enumerate(layers)
        ]
        for label, row in zip(labels, rows.first, strict=True)
    ]


def _tested_words(comparison: Compared | None) -> str:
    """What the outlines are."""
    if comparison is None:
        return "no cell was tested: pass sl.compare(effects)"
    if comparison.closed:
        return f"nothing is told of cells: {html.escape(comparison.closed)}"
    return (
        f"outlined: {comparison.n_different} of {several(comparison.n_tested, 'cell')} that differ by "
        f"{fixed(comparison.cell_margin)} of the total effect or more, tested for all at once"
    )
