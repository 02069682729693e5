"""Settings of the documentation site; ``make docs`` builds it, and every warning is an error."""

import os
import sys
import tomllib
from pathlib import Path

import matplotlib as mpl

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

os.environ["MPLBACKEND"] = "agg"
mpl.use("agg")
sys.path.insert(0, str(Path(__file__).parent))

project = PROJECT["name"]
author = PROJECT["authors"][0]["name"]
copyright = f"2026, {author}"
version = release = PROJECT["version"]

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "accessible",
    "crosslinks",
    "formulas",
]
exclude_patterns = ["_build", "examples", "figures"]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}

html_theme = "furo"
html_title = f"gapsim {release}"
html_math_renderer = "mathml"
html_show_sourcelink = False
html_static_path = ["static"]
html_css_files = ["site.css"]
# Two hyphens start an option and stay two hyphens.
smartquotes_action = "qe"

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
default_role = "py:obj"
# Fetched when the site is built; without a network the names stay without links.
intersphinx_mapping = {
    "python": ("https://docs.python.org/3", None),
    "numpy": ("https://numpy.org/doc/stable", None),
    "scipy": ("https://docs.scipy.org/doc/scipy", None),
    "pandas": ("https://pandas.pydata.org/docs", None),
    "xarray": ("https://docs.xarray.dev/en/stable", None),
    "matplotlib": ("https://matplotlib.org/stable", None),
}
intersphinx_timeout = 5
napoleon_google_docstring = False
napoleon_attr_annotations = False
# The docstrings of frozen data classes list their fields themselves.
autodoc_default_options = {"exclude-members": "__init__, __new__"}

sphinx_gallery_conf = {
    "examples_dirs": ["examples", "figures"],
    "gallery_dirs": ["auto_examples", "auto_figures"],
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "image_scrapers": ("gallery.figures_of_the_example",),
}


def setup(app: object) -> None:
    """Make the pages that are made from the code, and the live copy of the explorer once the site stands."""
    import reference
    from live import after_build

    reference.write(Path(__file__).parent)
    app.connect("build-finished", after_build)  # type: ignore[attr-defined]
