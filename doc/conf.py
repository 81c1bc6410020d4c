"""Sphinx configuration; ``sphinx-build -W doc doc/_build/html`` builds the site."""

import sys
from pathlib import Path

import s5lib

sys.path.insert(0, str(Path(__file__).parent / "extensions"))
project = "s5lib"
author = "The s5lib authors"
version = release = s5lib.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "commands",
]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_show_copyright = False
html_theme = "furo"
html_title = "s5lib"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_default_options = {"members": True, "show-inheritance": True}
suppress_warnings = ["myst.header"]
