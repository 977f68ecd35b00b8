"""What every page carries: its script, plotly.js, and the content security policy that lets only these run.

The script is plain JavaScript, one file a concept under ``templates/script``, joined in the order of `SCRIPTS` into one
scope: a file may use what an earlier one defines. plotly.js is its *cartesian* bundle (MIT, ``templates/vendor``), of
the version that the pinned plotly of Python writes for; it is run when the first of its figures comes into sight. It is
kept deflated, as the page's numbers are, which makes it a third.
"""

import base64
import functools
import hashlib
from collections.abc import Iterable
from importlib.resources import files

from spiritlens.report.page.packing import deflated
from spiritlens.report.page.sounds import Sounds

SCRIPTS = (
    *("unpack", "address", "words", "model", "colours"),
    *("map_view", "curve_view", "picture", "take_away", "speech", "sound", "player"),
    *("copying", "layer_rows", "edges_view", "layers_view"),
    *("sentence_axis", "column_map", "sentence_view", "twins", "spoken_fact"),
    *(
        "first_view",
        "fact_list",
        "fact_view",
        "dots",
        "head_difference",
        "difference_view",
        "findings",
        "figures",
        "start",
    ),
)
"""The files of the page's script, in order."""


@functools.cache
def page_script() -> str:
    """The page's own script in one scope."""
    folder = files("spiritlens.report") / "templates" / "script"
    parts = [(folder / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    return '"use strict";\n(() => {\n' + "\n".join(parts) + "})();\n"


@functools.cache
def plotly_script() -> str:
    """plotly.js, its cartesian bundle."""
    path = files("spiritlens.report") / "templates" / "vendor" / "plotly-cartesian.min.js"
    return path.read_text(encoding="utf-8")


@functools.cache
def plotly_block() -> str:
    """plotly.js as a block of the page."""
    return deflated(plotly_script().encode())


def policy(scripts: Iterable[str], sounds: Sounds = "in the page") -> str:
    """The content security policy: nothing is fetched, sent or framed; of scripts only these run.

    Pictures that are saved pass through ``data:`` and ``blob:``, which no network answers; style sheets beside the
    page are read only where its `sounds` lie there.
    """
    styles = "'unsafe-inline' 'self'" if sounds == "beside it" else "'unsafe-inline'"
    hashes = " ".join(f"'sha256-{_hash(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src {styles}; img-src data: blob:; "
        f"media-src blob:; connect-src 'none'; form-action 'none'; base-uri 'none'"
    )


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
