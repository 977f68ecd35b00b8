"""The heads of the largest means as dots with intervals, the modalities on each row: a map of heads says where to look,
this how sure it is.

Heads are ranked by the larger size in either modality. They were chosen for being large, so that intervals hold for all
heads at once. Agreement of two rankings: `sl.heads.overlap`.
"""

import html

import plotly.graph_objects as go
import xarray as xr

from spiritlens.arguments import told_keywords, whole
from spiritlens.effects.averages import fact_groups
from spiritlens.effects.quantities import Quantity
from spiritlens.report.figures.dots import ROW_PIXELS, bars_words, dots, ranked_means, strongest
from spiritlens.report.figures.head_means import HeadMeans, default_role, given_heads, role_of
from spiritlens.report.figures.look import apply_look
from spiritlens.report.numerals import several
from spiritlens.terms import Facts


@told_keywords
def head_ranking(
    effects: xr.Dataset,
    role: str | None = None,
    top: int = 15,
    component: str | None = None,
    metric: str | None = None,
    *,
    quantity: Quantity | None = None,
    facts: Facts | None = None,
) -> go.Figure:
    """The `top` heads at a role over facts, as dots with intervals, T2T and S2T on each row.

    `effects`, `role` and the rest are as in `head_map`: effects or averages with heads, direct logit attributions,
    attention mass or detectors.

    Returns a plotly figure. Raises ValueError for a dataset without heads, or a choice that was not traced.
    """
    top = whole("top", top, at_least=1)
    heads = given_heads(effects, component, metric, quantity, facts)
    role = default_role(heads.means) if role is None else role
    return ranked_heads(heads, role, top)


def ranked_heads(heads: HeadMeans, role: str, top: int) -> go.Figure:
    """The figure of means that were read already."""
    means = heads.means
    kinds = fact_groups(means)
    ranked = []
    for group, kind in enumerate(means["modality"].values.tolist()):
        own = means["fact_mean"].sel(role=role_of(means.isel(group=group), role)).isel(fact=kinds == kind)
        values = own.transpose("fact", "layer", "head").values
        ranked.append(ranked_means(kind, values.reshape(len(values), -1), own["fact_subject"].values.tolist()))
    names = [f"L{layer}H{head}" for layer in means["layer"].values for head in means["head"].values]
    rows = strongest(ranked, top)
    if not rows:
        raise ValueError(f"no head has a number at the role {role!r}: choose another role")
    figure = dots(ranked, rows, [names[row] for row in rows], heads.colour)
    counts = ", ".join(f"{one.kind} n = {several(int(one.n_facts.max(initial=0)), 'fact')}" for one in ranked)
    subtitle = (
        f"{len(rows)} of {several(len(names), 'head')}, by the larger size in either modality · {heads.subtitle} · "
        f"mean over facts · {bars_words(ranked)} · {counts}"
    )
    title = heads.title.format(role=html.escape(role))
    return apply_look(figure, f"{title}, ranked", subtitle, height=160 + ROW_PIXELS * max(4, len(rows)))
