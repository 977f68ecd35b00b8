"""Sphinx settings; `make docs` builds with warnings as errors."""

import spiritlens

project = "spiritlens"
author = "the spiritlens authors"
copyright = "2026, the spiritlens authors"
release = spiritlens.__version__
extensions = ["myst_parser"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "spiritlens"
exclude_patterns = ["_build"]
