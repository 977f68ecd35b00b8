"""What is known of a figure beside the function that draws it: what it draws, and where it stands on the page."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import plotly.graph_objects as go

Drawn = Literal[
    "effects",
    "averages",
    "total averages",
    "groups",
    "heads",
    "attention",
    "attribution",
    "paths",
    "lens",
    "doses",
    "interchange",
    "rows",
    "prompt",
]
"""What a figure is given. effects: of single prompts; averages, total averages: over facts (or effects, which it then
averages); groups: averages by group; heads: effects of heads, attributions or attention; attention: masses or
detectors; attribution: direct logit attributions."""

OnPage = Literal["", "maps", "curves"]
"""The section of the page that shows the figure of the averages; "" is none."""


@dataclass(frozen=True)
class Figure:
    """A figure: `key` names it on the page, and one in `forms` "both" is drawn stacked too, for narrow screens."""

    draw: Callable[..., go.Figure]
    of: Drawn
    section: OnPage = ""
    key: str = ""
    forms: Literal["one", "both"] = "one"

    @property
    def name(self) -> str:
        """The function's name, which is its file's."""
        return self.draw.__name__

    @property
    def words(self) -> str:
        """What it shows, in a sentence."""
        return str(self.draw.__doc__).partition("\n")[0]
