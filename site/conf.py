"""Sphinx's settings. build.py calls Sphinx; pages.py writes what it reads."""

import sys
import tomllib
from pathlib import Path

SITE = Path(__file__).resolve().parent
sys.path.insert(0, str(SITE))

from arabic_search import SearchArabic  # noqa: E402
from words import Words, switch  # noqa: E402

project = "asr-helpers"
author = "the authors of asr-helpers"
copyright = Words("en").get("label/authors")
version = release = tomllib.loads((SITE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
language = "en"

# build.py sets language, title, authors and index of the other editions.
templates_path = ["templates"]
locale_dirs = [str(SITE / "locale")]  # words of the theme that Sphinx's own catalogues lack
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "mathml", "docstrings"]

# Pages

html_theme = "furo"
html_title = Words("en").get("label/title")
html_static_path = ["static"]
html_css_files = ["site.css"]
html_favicon = "static/icon.svg"
html_domain_indices = False
html_show_sourcelink = False
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "navigation_with_keys": True,
    "light_css_variables": {
        "color-brand-primary": "#0a5a83",
        "color-brand-content": "#0a5a83",
        "color-brand-visited": "#5b4a8a",
    },
    "dark_css_variables": {
        "color-brand-primary": "#8cc8ec",
        "color-brand-content": "#8cc8ec",
        "color-brand-visited": "#c3b4ee",
    },
}
# Styles whose every colour has a contrast of 4.5 and more.
pygments_style = "github-light"
pygments_dark_style = "github-dark"

# Notebooks: as they are committed, outputs included

nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js = {}  # no scripts from another host
myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # a card may begin below its first level

# Reference

default_role = "py:obj"  # docstrings write names as `name`: where there is such a name, a link
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True}
add_module_names = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 72
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
toc_object_entries_show_parents = "hide"


# Languages


def languages(app, page, template, context, doctree):
    """Tells a page's template where the page is in the other languages."""
    language = app.config.language
    context |= {"switch": switch(page, language), "switch_label": Words(language).get("label/languages")}


def setup(app):
    app.connect("html-page-context", languages)
    app.add_search_language(SearchArabic)
