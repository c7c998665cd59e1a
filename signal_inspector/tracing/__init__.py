"""The operator's room: dispatches and receivers as spans, metrics and logs of OpenTelemetry.

The one place that imports ``opentelemetry``, and of that the API alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from signal_inspector.lazy import names_of

if TYPE_CHECKING:
    from signal_inspector.tracing.instrumentor import SignalInstrumentor
    from signal_inspector.tracing.sink import TracingSink

__all__ = ["SignalInstrumentor", "TracingSink"]

# Imported when asked for: `opentelemetry-instrument` imports the instrumentor before settings
# exist, and who names the sink needs no instrumentor.
_HOMES: Final = {
    "SignalInstrumentor": "instrumentor",
    "TracingSink": "sink",
}

if not TYPE_CHECKING:  # a checker would take it for a yes to every name
    __getattr__ = names_of(__name__, _HOMES)
