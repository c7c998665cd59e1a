"""The room for operators: dispatches and receivers as OpenTelemetry spans, metrics and logs.

Only this package imports ``opentelemetry``, and it imports only the API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from signal_inspector.core import lazy_names

if TYPE_CHECKING:
    from signal_inspector.tracing.instrumentor import SignalInstrumentor
    from signal_inspector.tracing.sink import TracingSink

__all__ = ["SignalInstrumentor", "TracingSink"]

# Imported on demand: `opentelemetry-instrument` imports the instrumentor before settings exist,
# and a project that uses the sink does not need the instrumentor.
_HOMES: Final = {
    "SignalInstrumentor": "instrumentor",
    "TracingSink": "sink",
}

if not TYPE_CHECKING:  # a type checker would conclude that every name exists
    __getattr__ = lazy_names(__name__, _HOMES)
