"""Summaries of arguments, responses and exceptions: safe to make, to keep and to show.

Making a summary runs no query and none of the values' code, never raises, and keeps no value
alive. A summary does not contain what its key or its form shows to be a secret.

The modules are imported when the first value is summarized, because compiling the patterns of
secrets alone takes longer than starting the rest of the core.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from signal_inspector.core import lazy_names

if TYPE_CHECKING:
    from signal_inspector.payload.failures import summarize_exception
    from signal_inspector.payload.redaction import Redactor
    from signal_inspector.payload.summaries import Hooks
    from signal_inspector.payload.text import clean_text
    from signal_inspector.payload.values import (
        summarize,
        summarize_arguments,
    )

__all__ = [
    "Hooks",
    "Redactor",
    "clean_text",
    "summarize",
    "summarize_arguments",
    "summarize_exception",
]

_HOMES: Final = {
    "Hooks": "summaries",
    "Redactor": "redaction",
    "clean_text": "text",
    "summarize": "values",
    "summarize_arguments": "values",
    "summarize_exception": "failures",
}

if not TYPE_CHECKING:  # a type checker would accept every name
    __getattr__ = lazy_names(__name__, _HOMES)
