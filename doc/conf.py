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
    "sphinx.ext.autosummary",
    "api",
    "commands",
]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_show_copyright = False
html_theme = "furo"
html_title = "s5lib"
html_static_path = ["static"]
html_css_files = ["s5lib.css"]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_default_options = {"members": True}
maximum_signature_line_length = 80  # longer ones have one parameter a line
autosummary_generate = False
suppress_warnings = ["myst.header"]
