"""Sphinx: the docs site, built offline by `make docs` (build_site.py)."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

import lesion_dash

project = "lesion_dash"
author = "The lesion_dash developers"
copyright = f"2026, {author}"  # noqa: A001 - Sphinx's name
version = release = lesion_dash.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
    "sphinx_gallery.gen_gallery",
]
root_doc = "docs/index"
exclude_patterns = [
    "build",
    "docs/_templates",
    "docs/examples",
    "docs/gallery/*.ipynb",
    "docs/gallery/*.py",
]
templates_path = ["docs/_templates"]  # of autosummary, which seeks it from the root
default_role = "py:obj"

# The lessons are stored without outputs; `run_lessons` brings copies of them as they ran.
nb_execution_mode = "off"
myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 4

sphinx_gallery_conf = {
    "examples_dirs": "docs/examples",
    "gallery_dirs": "docs/gallery",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "write_computation_times": False,
    "show_signature": False,
    "remove_config_comments": True,
}

autosummary_generate = True
autodoc_typehints = "none"  # the sections of parameters say them
numpydoc_show_class_members = False

# Formulas are MathML, which browsers draw themselves: MathJax would be fetched from elsewhere.
html_math_renderer = "mathml"

html_theme = "pydata_sphinx_theme"
html_title = f"lesion_dash {version}"
html_show_sourcelink = False
html_theme_options = {
    "navbar_align": "left",
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}


def _write_formula(writer: Any, node: nodes.math) -> None:
    writer.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def _write_equation(writer: Any, node: nodes.math_block) -> None:
    writer.body.append(f'<div class="math">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> None:
    """Register how formulas are written."""
    app.add_html_math_renderer("mathml", (_write_formula, None), (_write_equation, None))
