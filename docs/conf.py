"""Sphinx settings; `make docs` builds with warnings as errors."""

import sys
from pathlib import Path

import spiritlens

sys.path.insert(0, str(Path(__file__).parent))

project = "spiritlens"
author = "the spiritlens authors"
copyright = "2026, the spiritlens authors"
release = spiritlens.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "public_names", "command_help"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
html_theme = "furo"
html_title = "spiritlens"
exclude_patterns = ["_build"]
