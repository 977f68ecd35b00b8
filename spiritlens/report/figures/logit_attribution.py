"""What is written towards the answer, layer by layer: the heads of a layer together, and its MLP.

Direct logit attributions at the last position, in logits: with the embedding and the remainder (biases, rounding),
which the subtitle names, the layers sum to the answer's logit (or its lead over the foil). It says what is written, not
what the model would lose without it. One head at a time: `head_map`, `head_ranking`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from spiritlens.arguments import told_keywords
from spiritlens.effects.averages import average_facts
from spiritlens.effects.given import given_dataset
from spiritlens.effects.measures import ATTRIBUTION_SCHEMA, check_attribution
from spiritlens.effects.statistics import fact_means
from spiritlens.report.acts import settings_of
from spiritlens.report.figures.head_measures import with_facts
from spiritlens.report.figures.layer_curves import add_curve, name_each_modality_once
from spiritlens.report.figures.look import INK, QUIET, apply_look, layer_ticks, legend_above
from spiritlens.report.numerals import number_words, several
from spiritlens.report.words import AGAINST_WORDS, interval_words

WRITERS = {"heads": "attention, all heads of a layer", "mlps": "MLP"}


@told_keywords
def logit_attribution(attribution: xr.Dataset) -> go.Figure:
    """What heads and MLPs of each layer write towards the answer, with intervals over facts, T2T and S2T in each panel.

    `attribution` is what `direct_logit_attribution` returned. Returns a plotly figure. Raises ValueError for anything
    else.
    """
    attribution = check_attribution(given_dataset(attribution, ATTRIBUTION_SCHEMA, "attribution"))
    written = {"heads": attribution["heads"].sum("head"), "mlps": attribution["mlps"]}
    means = {name: _means(values) for name, values in written.items()}
    figure = make_subplots(
        1, 2, shared_yaxes=True, horizontal_spacing=0.04, subplot_titles=[WRITERS[name] for name in means]
    )
    for column, average in enumerate(means.values(), start=1):
        place = {"row": 1, "col": column}
        for group in range(average.sizes["group"]):
            add_curve(figure, average.isel(group=group), place)
        figure.update_xaxes(showgrid=False, **layer_ticks(average["layer"].values), **place)
    figure.update_yaxes(zeroline=True, zerolinecolor=QUIET, zerolinewidth=1)
    figure.update_yaxes(title_text="logits", col=1)
    name_each_modality_once(figure)
    what = AGAINST_WORDS.get(str(settings_of(attribution).get("against")), "logit of the answer")
    subtitle = " · ".join([what, *_sums(attribution, means), interval_words(means["heads"], "band"), "mean over facts"])
    apply_look(figure, "What each layer writes towards the answer", subtitle, height=420)
    figure.update_annotations(font={"size": 13, "color": INK})
    return legend_above(figure.update_layout(hovermode="x unified"), 24)


def _means(values: xr.DataArray) -> xr.Dataset:
    return average_facts(fact_means(with_facts(values), facts="all"), ("modality",))


def _sums(attribution: xr.Dataset, means: Mapping[str, xr.Dataset]) -> list[str]:
    """What the curves of each modality sum to: ``T2T (n = 1 fact): attention 1.2 + MLPs 3.4 + embedding … = 5``."""
    parts: dict[str, Any] = {name: _means(attribution[name]) for name in ("embedding", "remainder", "total")}
    told = []
    for group, kind in enumerate(means["heads"]["modality"].values.tolist()):
        heads, mlps = (float(np.nansum(one["mean"].isel(group=group).values)) for one in means.values())
        rest = {name: float(one["mean"].isel(group=group)) for name, one in parts.items()}
        n = several(int(means["heads"]["n_facts"].isel(group=group).max()), "fact")
        told.append(
            f"{kind} (n = {n}): attention {number_words(heads)}, MLPs {number_words(mlps)}, embedding "
            f"{number_words(rest['embedding'])}, remainder {number_words(rest['remainder'])}, together "
            f"{number_words(rest['total'])}"
        )
    return told
