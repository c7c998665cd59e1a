"""Arguments, responses and exceptions in words: safe to make, to keep and to show.

Making a summary runs no query and no code of the values it looks at; it never raises, and it
keeps none of them alive. What is secret by its key or by its form is not in it.

All of it is imported when the first value is put in words: the patterns of secrets alone take
longer to compile than the rest of the core takes to start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from signal_inspector.lazy import names_of

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

if not TYPE_CHECKING:  # a checker would take it for a yes to every name
    __getattr__ = names_of(__name__, _HOMES)
