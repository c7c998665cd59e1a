"""The graph of a project's signals as a picture, a page, or text for other programs."""

from __future__ import annotations

from signal_inspector.graphs.dot import as_dot
from signal_inspector.graphs.graph_json import as_json
from signal_inspector.graphs.layout import LayoutMissingError
from signal_inspector.graphs.mermaid import as_mermaid
from signal_inspector.graphs.page import as_html
from signal_inspector.graphs.svg import as_svg

__all__ = ["LayoutMissingError", "as_dot", "as_html", "as_json", "as_mermaid", "as_svg"]
