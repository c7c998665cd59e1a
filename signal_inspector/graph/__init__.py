"""The graph of a project's signals, as a picture, a page, or text for other programs."""

from __future__ import annotations

from signal_inspector.graph.formats import as_dot, as_json, as_mermaid, as_svg
from signal_inspector.graph.layout import LayoutMissingError
from signal_inspector.graph.page import as_html

__all__ = ["LayoutMissingError", "as_dot", "as_html", "as_json", "as_mermaid", "as_svg"]
