"""What each position would say after each layer: the logit lens of one prompt.

Rows: tokens in the order of the prompt; columns: states (0 is the embedding, l what leaves block l − 1).
Text in a cell: the likeliest text token there. Colour: the rank of the position's own word (or of the answer) among
text tokens, on a logarithmic scale: dark is rank 1. Grey: the position has no word.
"""

import html
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from spiritlens.arguments import check_choice, told_keywords, whole
from spiritlens.effects.given import given_dataset
from spiritlens.effects.measures import LENS_SCHEMA, check_lens
from spiritlens.report.figures.look import NOT_RUN, apply_look, equally_wide, layer_ticks
from spiritlens.report.numerals import number_words, several

RankOf = Literal["word", "answer"]
"""word: the text token of the word at the position (implicit transcription); answer: the prompt's answer."""

WORST_RANK = 1000
LETTERS = 60
"""How many letters a row of cells holds in a figure of 700 pixels."""
RANK_TICKS = ["1", "10", "100", "1000+"]


@told_keywords
def lens_map(lens: xr.Dataset, prompt: int = 0, *, rank_of: RankOf = "word") -> go.Figure:
    """Grid of the likeliest text tokens of one prompt, from the dataset that `logit_lens` returns.

    Raises ValueError for what is no result of `logit_lens`, and for a prompt that it lacks.
    """
    lens = check_lens(given_dataset(lens, LENS_SCHEMA, "lens"))
    check_choice("rank_of", rank_of, RankOf)
    n, prompt = lens.sizes["prompt"], whole("prompt", prompt)
    if not -n <= prompt < n:
        raise ValueError(f"prompt={prompt}: this dataset holds {several(n, 'prompt')}, 0 to {n - 1}")
    one = lens.isel(prompt=prompt)
    labels = [str(label) for label in one["labels"].values]
    length = max((place + 1 for place, label in enumerate(labels) if label), default=0)
    one = one.isel(pos=slice(0, length))
    ranks = one["rank" if rank_of == "word" else "answer_rank"].transpose("pos", "state").values
    top = one["top_token"].transpose("pos", "state", "top").values
    share = one["top_probability"].transpose("pos", "state", "top").values
    figure = go.Figure(
        go.Heatmap(
            x=one["state"].values,
            y=np.arange(length),
            z=np.log10(np.clip(ranks, 1, WORST_RANK)),
            zmin=0,
            zmax=np.log10(WORST_RANK),
            colorscale="Blues",
            reversescale=True,
            xgap=1,
            ygap=1,
            text=[[html.escape(_short(str(cell[0]), top.shape[1])) for cell in row] for row in top],
            texttemplate="%{text}",
            textfont={"size": 11},
            customdata=_hover(labels, top, share, ranks, rank_of),
            hovertemplate="%{customdata}<extra></extra>",
            colorbar={
                **{"title": {"text": f"rank of the {rank_of}", "side": "right"}, "thickness": 12},
                **{"tickvals": [0, 1, 2, 3], "ticktext": equally_wide(RANK_TICKS)},
            },
        )
    )
    figure.update_layout(plot_bgcolor=NOT_RUN)
    figure.update_xaxes(showgrid=False, **(layer_ticks(one["state"].values) | {"title_text": "state (0: embedding)"}))
    ticks = [html.escape(label) for label in labels[:length]]
    rows = {"tickvals": list(range(length)), "ticktext": ticks, "range": [length - 0.5, -0.5]}
    figure.update_yaxes(showgrid=False, zeroline=False, **rows)
    ranked = "word at the position" if rank_of == "word" else "answer"
    subtitle = f"likeliest text token · colour: rank of the {ranked} among text tokens"
    height = 150 + 22 * max(6, length)
    return apply_look(figure, "What each position would say after each layer", subtitle, height=height)


def _short(token: str, n_states: int) -> str:
    """A token as long as its cell holds in a figure of 700 pixels; hovering tells all of it."""
    most = max(2, LETTERS // n_states)
    return token if len(token) <= most else f"{token[: most - 1]}…"


def _hover(labels: list[str], top: Any, share: Any, ranks: Any, rank_of: str) -> list[list[str]]:
    texts = []
    for place, label in enumerate(labels[: len(top)]):
        row = []
        for state in range(top.shape[1]):
            best = ", ".join(
                f"{html.escape(str(token))} {number_words(probability)}"
                for token, probability in zip(top[place, state], share[place, state], strict=True)
                if not np.isnan(probability)
            )
            rank = "" if np.isnan(ranks[place, state]) else f"<br>rank of the {rank_of}: {int(ranks[place, state])}"
            row.append(f"{html.escape(label)}, state {state}<br>{best}{rank}")
        texts.append(row)
    return texts
