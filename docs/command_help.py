"""``.. command-help:: trace`` writes what ``spiritlens trace --help`` prints when the pages are built."""

import os
import subprocess
import sys
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

PLAIN = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}


def help_of(*verb: str) -> str:
    """The help of a verb, or of the command line as a whole, 100 columns wide and without colours."""
    command = [sys.executable, "-m", "spiritlens", *verb, "--help"]
    return subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **PLAIN}).stdout


class CommandHelp(SphinxDirective):
    """The help as a literal block."""

    optional_arguments = 1

    def run(self) -> list[Any]:
        text = help_of(*self.arguments)
        return [nodes.literal_block(text, text, language="none")]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
