"""What a section is made of beside its result: the traced effects of the page, and which facts are averaged."""

import re
from dataclasses import dataclass

import plotly.graph_objects as go

from spiritlens.comparison.paired_effects import PairedEffects
from spiritlens.report.page.document import Plot
from spiritlens.terms import Facts


@dataclass(frozen=True, eq=False)
class Among:
    """What a result stands among on its page: `effects` by role and layer, where there are any."""

    facts: Facts = "known"
    effects: PairedEffects | None = None


def key_of(kind: str, name: str) -> str:
    """The id of a section: its kind and the name of the result, as letters, digits and hyphens."""
    return f"{kind}-{re.sub(r'[^a-zA-Z0-9]+', '-', name).strip('-') or 'result'}"


def named_plot(key: str, name: str, figure: go.Figure, narrow: go.Figure | None = None) -> Plot:
    """A figure whose caption begins with the name of its result."""
    return Plot(key, figure, narrow, caption=f"{name} · {Plot('', figure).subtitle}")
