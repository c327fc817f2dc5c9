"""How Sphinx builds these pages."""

from __future__ import annotations

from curl_interceptor.version import __version__

project = "curl_interceptor"
author = "The curl_interceptor authors"
copyright = f"2026, {author}"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"curl_interceptor {release}"
