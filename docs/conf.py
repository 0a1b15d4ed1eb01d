"""How the documentation is built: ``sphinx-build -W --keep-going -b html docs docs/_build/html``, without network."""

import os
import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "Braggbook"
author = "Braggbook contributors"
copyright = "Braggbook contributors"
version = release = metadata.version("braggbook")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "command_line",  # docs/_ext: tables of the command line's options, from the commands themselves
    "tutorials",  # docs/_ext: the tutorials as pages, from their notebooks and without running them
    "mathml",  # docs/_ext: formulas as MathML, which a browser shows without a script from another host
]
exclude_patterns = ["_build", "_ext"]

myst_enable_extensions = ["amsmath", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_type_aliases = {"ArrayLike": "ArrayLike", "Floats": "Floats"}
napoleon_use_ivar = True
python_use_unqualified_type_names = True

# where tutorials open: a repository on a Binder, and a site that `braggbook lite` has built; set by whoever publishes
tutorials_binder = os.environ.get("BRAGGBOOK_DOCS_BINDER", "")
tutorials_lite = os.environ.get("BRAGGBOOK_DOCS_LITE", "")

html_math_renderer = "mathml"
html_theme = "furo"
html_title = "Braggbook"
html_theme_options = {"top_of_page_buttons": []}
html_static_path = ["_static"]
html_css_files = ["braggbook.css"]
html_copy_source = False
html_show_sourcelink = False
