"""How the documents become a site: ``make docs``, offline, the same octets from the same sources.

The pages are flat Markdown that reads well in the repository too. What the program says of itself
is not written twice: the commands come from the command line's own declarations, the library from
its docstrings.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS.parent), str(DOCS / "_site")]

import certmail  # noqa: E402 - from this checkout, whatever is installed

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "certmail"
author = "The certmail authors"
version = release = certmail.__version__
language = "en"
root_doc = "index"
exclude_patterns = ["_site", "examples", "hooks", "units", "schemas", "images"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "commands"]

# Markdown
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]
suppress_warnings = ["myst.strikethrough"]

# The library
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "separated"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
nitpick_ignore_regex = [("py:.*", r".*")]

# The look
html_theme = "furo"
html_title = "certmail"
html_static_path = ["_site/static"]
html_css_files = ["certmail.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_show_sphinx = False
html_use_index = False
html_domain_indices = False
html_last_updated_fmt = None
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
html_theme_options = {
    "navigation_with_keys": True,
    "footer_icons": [],
}

_FOLDERS = re.compile(r"\]\((hooks|units|schemas|examples)/\)")
_OUTSIDE = re.compile(r"\]\(\.\./(README|CONTRIBUTING|SECURITY|CHANGELOG)\.md(#[\w-]*)?\)")
_INSIDE = {"README": "index", "CHANGELOG": "changelog", "SECURITY": "security"}


def to_the_site(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Turn links that lead about the repository into links about the site."""
    text = _FOLDERS.sub(r"](files.md#\1)", source[0])
    source[0] = _OUTSIDE.sub(lambda link: f"]({_INSIDE.get(link[1], 'index')}.md)", text)


def setup(app: Sphinx) -> None:
    """Tell Sphinx of it."""
    app.connect("source-read", to_the_site)
