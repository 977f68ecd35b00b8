"""A figure at the width of a column or a page, as PDF, SVG or PNG: for a paper.

*column* is 3.35 in (85 mm), *page* 6.9 in (175 mm), two columns with the gap between them; both are never wider. Titles
are left out (they belong into the caption); fonts are 7 pt, those of titles of panels and axes 8 pt, at the size at
which the figure is placed. Long labels are cut, and labels that would stand on each other are left out: all numbers and
names are in `sl.tables.figure_numbers`.

Files are written by kaleido (``pip install 'spiritlens[paper]'``), which draws in a Chrome or Chromium of this machine:
``apt-get install chromium``, ``plotly_get_chrome``, or ``BROWSER_PATH=/path/to/chrome`` where it is elsewhere. Nothing
is fetched while it draws.
"""

import importlib.util
from pathlib import Path
from typing import Literal

import plotly.graph_objects as go

from spiritlens.arguments import check_choice, shown, told_keywords
from spiritlens.files.atomic import given_path, write_whole
from spiritlens.report.figures.printing.layout import laid_out

Width = Literal["column", "page"]
"""column: 3.35 in; page: 6.9 in."""

INCHES: dict[Width, float] = {"column": 3.35, "page": 6.9}
PER_INCH = 96
"""Pixels of an inch, as browsers count them."""
PIXELS: dict[Width, int] = {width: int(inches * PER_INCH) - 1 for width, inches in INCHES.items()}
"""A pixel less, as the page of a PDF is rounded up: a figure that is wider than its column moves what is beside it."""
DOTS = 300
"""Dots of an inch in a PNG."""
FORMATS = ("pdf", "svg", "png")


@told_keywords
def paper(figure: go.Figure, path: str | Path, width: Width = "column") -> Path:
    """Write a figure for a paper: its width in inches is 3.35 (column) or 6.9 (page), its fonts are 7 and 8 pt.

    `figure` is one of `sl.figures`, or a plotly figure of your own; `path` ends with .pdf, .svg or .png (300 dpi).
    Returns the path. Raises ValueError for another figure, width or ending, ImportError without kaleido,
    FileNotFoundError where it finds no browser, OSError where the file cannot be written.
    """
    figure, path = given_figure(figure), given_path("path", path)
    check_choice("width", width, Width)
    ending = path.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise ValueError(f"path={shown(str(path))}: expected a name that ends with .{', .'.join(FORMATS)}")
    form = laid_out(figure, PIXELS[width])
    return write_whole(path, _drawn(form, ending))


def given_figure(figure: object) -> go.Figure:
    """A plotly figure; other values are refused."""
    if not isinstance(figure, go.Figure):
        raise ValueError(
            f"figure={shown(figure, 40)} ({type(figure).__name__}): expected a plotly figure, such as "
            "sl.figures.role_maps(effects)"
        )
    return figure


NO_KALEIDO = "figures are written as files by kaleido, which is not installed: pip install 'spiritlens[paper]'"
NO_BROWSER = (
    "kaleido draws in a Chrome or Chromium, and finds none: install one (apt-get install chromium, or "
    "plotly_get_chrome), or set BROWSER_PATH to where it is"
)


def _drawn(figure: go.Figure, ending: str) -> bytes:
    """The bytes of the file; no library of formulas is loaded, which would come from the network."""
    if importlib.util.find_spec("kaleido") is None:
        raise ImportError(NO_KALEIDO)
    import kaleido
    from kaleido.errors import ChromeNotFoundError, KaleidoError

    scale = DOTS / PER_INCH if ending == "png" else 1
    size = {"width": figure.layout.width, "height": figure.layout.height}
    try:
        data = kaleido.calc_fig_sync(figure, opts={"format": ending, "scale": scale, **size}, kopts={"mathjax": False})
    except ChromeNotFoundError as error:
        raise FileNotFoundError(NO_BROWSER) from error
    except (KaleidoError, RuntimeError, TimeoutError) as error:
        raise OSError(f"the browser could not draw the figure ({' '.join(str(error).split())})") from error
    return bytes(data)
