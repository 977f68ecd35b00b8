"""The map of one prompt: tokens (or words, or roles) × layers, the subject marked.

Rows are labelled with the token, and in bold with the word that begins there; neighbours in which nothing can change
are one thin row. Hovering tells the exact layers of the window, the token with its word, role and time, the effect,
and how the cell came by its value. Full colour is the prompt's total effect (`spiritlens.report.figures.scale`).
"""

import html
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from spiritlens.arguments import check_choice, told_keywords, whole
from spiritlens.effects.given import given_traces
from spiritlens.effects.quantities import Quantity, indirect, of_quantity, total
from spiritlens.effects.schema import Status, site_axis
from spiritlens.report.figures.chosen import chosen
from spiritlens.report.figures.heatmap import add_cells, mark_rows, name_marks, window_hover
from spiritlens.report.figures.look import apply_look, layer_ticks
from spiritlens.report.figures.rows import Rows, folded_rows
from spiritlens.report.figures.scale import OF_HEADS, Scale, effect_scale, share_scale
from spiritlens.report.numerals import fixed, number_words, several
from spiritlens.report.words import (
    STATUS_WORDS,
    colour_words,
    component_words,
    patching_words,
    quantity_words,
    window_words,
)

MANY_ROWS = 60
"""Above this many rows only those that begin a word are labelled."""


@dataclass(frozen=True)
class Row:
    """What is written beside a row, in its hover text, and whether it belongs to the subject."""

    label: str
    hover: str
    subject: bool


@told_keywords
def trace_map(
    effects: xr.Dataset,
    prompt: int | str = 0,
    component: str | None = None,
    metric: str | None = None,
    *,
    quantity: Quantity = "indirect",
    head: int | None = None,
) -> go.Figure:
    """Heat map of one prompt: its tokens (or words, or roles) × layers.

    `prompt` is a place in the dataset or a prompt id; `component` and `metric` are by default the first traced, `head`
    (where there are heads) that of the largest effect.

    Returns a plotly figure. Raises ValueError for a prompt, or a choice, that was not traced.
    """
    effects = given_traces(effects)
    component, metric = chosen(effects, "component", component), chosen(effects, "metric", metric)
    check_choice("quantity", quantity, Quantity)
    one = _of_prompt(effects, prompt)
    one = _of_head(one, _largest_head(one, component, metric) if head is None else head)
    axis = site_axis(one)
    values = (
        of_quantity(one, quantity)
        .sel(component=component, metric=metric)
        .isel(prompt=0)
        .transpose(axis, "layer")
        .values
    )
    status = one["status"].sel(component=component).isel(prompt=0).transpose(axis, "layer").values
    places = folded_rows(status)
    rows = _places(_rows(one, axis), places, axis)
    values, status = values[places.first], status[places.first]
    layers = one["layer"].values
    figure = go.Figure()
    add_cells(figure, layers, values, status, _hover(one, component, rows, values, status), place={}, rows=places)
    scale = _scale(one, values, metric, quantity)
    figure.update_layout(coloraxis=scale.axis(colour_words(one, quantity)))
    figure.update_xaxes(**layer_ticks(layers))
    kept = [place for place, row in enumerate(rows) if row.label.startswith("<b>") or places.folded[place]]
    figure.update_yaxes(**places.ticks([row.label for row in rows], kept=kept if len(rows) > MANY_ROWS else None))
    mark_rows(figure, [row.subject for row in rows], places)
    height = 160 + round(max(6, places.height) * (20 if len(rows) <= MANY_ROWS else 11))
    heading, subtitle = _title(one, component, metric, quantity)
    subtitle += f" · {scale.line}" if scale.line else ""
    return name_marks(apply_look(figure, heading, subtitle, height=height))


def _scale(one: xr.Dataset, values: Any, metric: str, quantity: Quantity) -> Scale:
    """The prompt's total effect is full colour, and a quarter of it that of a single head."""
    part = OF_HEADS if "head" in one.coords else 1.0
    if quantity == "normalised":
        return share_scale(values, part=part)
    floor = float(one["noise_floor"].sel(metric=metric).values[0])
    return effect_scale(values, total=total(one).sel(metric=metric).values, floor=floor, part=part)


def _places(rows: list[Row], places: Rows, axis: str) -> list[Row]:
    """The rows that are drawn: those that were folded together tell how many they are."""
    noun = {"pos": "token"}.get(axis, axis)
    found = []
    for members in places.members:
        first, last = rows[members[0]], rows[members[-1]]
        if len(members) > 1:
            names = f"{first.hover} … {last.hover}" if len(members) > 2 else f"{first.hover} and {last.hover}"
            first = Row(f"{several(len(members), noun)}: exactly 0", names, first.subject)
        found.append(first)
    return found


def _title(one: xr.Dataset, component: str, metric: str, quantity: Quantity) -> tuple[str, str]:
    known = "" if int(one["known"].values[0]) else " (not known)"
    cost = float(total(one).sel(metric=metric).values[0])
    subject, answer = (html.escape(str(one[name].values[0])) for name in ("subject", "answer"))
    head = f", head {int(one['head'])}" if "head" in one.coords else ""
    colour = quantity_words(one, quantity, metric)
    return (
        f"{one['modality'].values[0]}: {component_words(component)}{head}, {window_words(one, component)}",
        f"{subject} → {answer}{known} · {colour} · {patching_words(one)} · "
        f"total effect {fixed(cost)} · n = {several(one.sizes['sample'], 'noise sample')}",
    )


def _of_prompt(effects: xr.Dataset, prompt: int | str) -> xr.Dataset:
    """The prompt alone, without the padding of longer ones."""
    one = effects.isel(prompt=[_place(effects, prompt)])
    axis = site_axis(one)
    present = (one["status"] != Status.ABSENT).any([dim for dim in one["status"].dims if dim != axis]).values
    return one.isel({axis: np.nonzero(present)[0]})


def _of_head(one: xr.Dataset, head: int | None) -> xr.Dataset:
    """One head where there are heads; None: there are none."""
    if "head" not in one.dims:
        if head is not None:
            raise ValueError(
                f"head={head!r}: this dataset has no heads; leave head out, or trace a component with heads"
            )
        return one
    heads, head = one["head"].values.tolist(), whole("head", head)
    if head not in heads:
        raise ValueError(f"head={head!r} was not traced; choose from {', '.join(map(str, heads))}")
    return one.sel(head=head)


def _largest_head(one: xr.Dataset, component: str, metric: str) -> int | None:
    """The head with the effect of largest size in the map; None where there are no heads."""
    if "head" not in one.dims:
        return None
    sizes: xr.DataArray = abs(indirect(one).sel(component=component, metric=metric))
    largest = sizes.max([dim for dim in sizes.dims if dim != "head"]).fillna(-1)
    return int(one["head"].values[int(np.argmax(largest.values))])


def _place(effects: xr.Dataset, prompt: int | str) -> int:
    n = effects.sizes["prompt"]
    if isinstance(prompt, str):
        found = np.nonzero(effects["prompt_id"].values == prompt)[0]
        if not len(found):
            raise ValueError(
                f"no prompt has the id {prompt!r}; this dataset holds {several(n, 'prompt')}, see effects.prompt_id"
            )
        return int(found[0])
    prompt = whole("prompt", prompt)
    if not -n <= prompt < n:
        raise ValueError(f"prompt={prompt}: this dataset holds {several(n, 'prompt')}, 0 to {n - 1}")
    return prompt % n


def _rows(one: xr.Dataset, axis: str) -> list[Row]:
    if axis == "role":
        pairs = zip(one["role"].values, one["n_tokens"].values[0], strict=True)
        return [Row(str(role), f"{role} ({several(int(n), 'token')})", role == "subject") for role, n in pairs]
    if axis == "span":
        return [
            Row(
                f"<b>{html.escape(str(name))}</b>",
                f"{html.escape(repr(str(name)))}, {html.escape(str(role))}",
                role == "subject",
            )
            for name, role in zip(one["span_name"].values[0], one["span_role"].values[0], strict=True)
        ]
    rows, previous = [], -1
    for place in range(one.sizes[axis]):
        index = int(one["word_index"].values[0, place])
        rows.append(_token_row(one.isel(prompt=0, pos=place), begins_word=index >= 0 and index != previous))
        previous = index
    return rows


def _token_row(token: xr.Dataset, *, begins_word: bool) -> Row:
    label, word = (html.escape(str(token[name].values)) for name in ("token", "word"))
    role, part = (html.escape(str(token[name].values)) for name in ("role", "part"))
    start, end = float(token["start"]), float(token["end"])
    of_word = f" of ‘{word}’" if word else ""
    time = f", {start:.2f}–{end:.2f} s" if not np.isnan(start) else ""
    hover = f"token {label}{of_word}, {role}{f' ({part})' if part != 'none' else ''}{time}"
    same = word.casefold() == label.strip(" ▁").casefold()
    if begins_word:
        label = f"<b>{label}</b>" if same else f"<b>{word}</b>  {label}"
    return Row(label, hover, role == "subject")


def _hover(one: xr.Dataset, component: str, rows: list[Row], values: Any, status: Any) -> list[list[str]]:
    layers = [int(layer) for layer in one["layer"].values]
    windows = [window_hover(one, component, layer) for layer in layers]
    return [
        [
            f"layer {layer}{window}<br>{row.hover}<br>"
            f"effect {number_words(values[place, column])}<br>"
            f"{STATUS_WORDS[Status(int(status[place, column]))]}"
            for column, (layer, window) in enumerate(zip(layers, windows, strict=True))
        ]
        for place, row in enumerate(rows)
    ]
