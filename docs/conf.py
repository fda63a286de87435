"""How the documentation is built: every notebook and every cell of it runs, nothing is fetched.

python -m sphinx -n -W docs docs/_build/html
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

DOCS = Path(__file__).parent
REPOSITORY = DOCS.parent
sys.path[:0] = [str(DOCS / "_ext"), str(REPOSITORY)]

# The notebooks' schemas would have 38 grammars of addresses made, in seconds, and need none.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # as if it were not installed

import vibekit_jupyter  # noqa: E402  # the path comes first

project = "vibekit-jupyter"
author = "the vibekit-jupyter contributors"
project_copyright = author
release = version = vibekit_jupyter.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_design",
    "as_a_newcomer",
    "even_shares",
    "from_the_code",
    "check_links",
]
exclude_patterns = ["_build", "_ext"]
nitpicky = True
# What is not told of on these pages: nothing is fetched to know where else it is.
_ELSEWHERE = "|".join(map(re.escape, sorted(sys.stdlib_module_names)))
nitpick_ignore_regex = [("py:.*", rf"({_ELSEWHERE})\..*"), ("py:.*", "date|datetime|timedelta")]

# --- Cells -------------------------------------------------------------------------------------
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 180
nb_execution_show_tb = True
nb_merge_streams = True
# The widgets' scripts would come from somebody else's servers; the table beside a widget stays.
nb_ipywidgets_js = {}
nb_mime_priority_overrides = [
    ("*", "application/vnd.jupyter.widget-view+json", None),
]

# --- Text --------------------------------------------------------------------------------------
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}

# --- Python ------------------------------------------------------------------------------------
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_attr_annotations = False

# --- Pages -------------------------------------------------------------------------------------
html_theme = "pydata_sphinx_theme"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "icon_links": [
        {
            "name": "GitHub",
            "url": "https://github.com/vibekit-jupyter/vibekit-jupyter",
            "icon": "fa-brands fa-github",
        }
    ],
    "header_links_before_dropdown": 6,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}


# The example notebooks, and the tables that they read, where Sphinx looks for pages.
for pattern in ("*.ipynb", "*.csv"):
    for file in REPOSITORY.glob(f"notebooks/{pattern}"):
        shutil.copy2(file, DOCS / "gallery")
