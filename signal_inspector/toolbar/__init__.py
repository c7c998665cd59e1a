"""The panel for django-debug-toolbar. Only this package imports ``debug_toolbar``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from signal_inspector.core import lazy_names
from signal_inspector.core.record.transactions import opened_connections

if TYPE_CHECKING:
    from signal_inspector.toolbar.cells import printable as printable
    from signal_inspector.toolbar.panel import SignalInspectorPanel
    from signal_inspector.toolbar.requests import SUMMARY_ID as SUMMARY_ID
    from signal_inspector.toolbar.requests import StoredRequest as StoredRequest
    from signal_inspector.toolbar.requests import pack as pack
    from signal_inspector.toolbar.requests import stored_request as stored_request
    from signal_inspector.toolbar.requests import summarize as summarize
    from signal_inspector.toolbar.view import internal_error_text as internal_error_text
    from signal_inspector.toolbar.view import panel_view as panel_view
    from signal_inspector.toolbar.views import urlpatterns as urlpatterns

__all__ = ["SignalInspectorPanel"]

# The toolbar imports the panel when the project starts. The panel imports the other names from
# here with the first request that it stores or shows.
_HOMES: Final = {
    "SignalInspectorPanel": "panel",
    "SUMMARY_ID": "requests",
    "StoredRequest": "requests",
    "internal_error_text": "view",
    "pack": "requests",
    "panel_view": "view",
    "printable": "cells",
    "stored_request": "requests",
    "summarize": "requests",
    "urlpatterns": "views",
}

if not TYPE_CHECKING:  # a type checker would conclude that every name exists
    __getattr__ = lazy_names(__name__, _HOMES)


@contextmanager
def unlogged() -> Iterator[None]:
    """A suppressor: a context in which the SQL panel logs no query of this thread.

    The toolbar has no public way to do this. It reads its private attribute for each cursor.
    """
    watched: list[tuple[Any, Any]] = [
        (connection, panel)
        for connection in opened_connections()
        if (panel := getattr(connection, "_djdt_logger", None)) is not None
    ]
    for connection, _ in watched:
        connection._djdt_logger = None
    try:
        yield
    finally:
        for connection, panel in watched:
            connection._djdt_logger = panel
