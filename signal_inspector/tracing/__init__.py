"""The operator's room: dispatches and receivers as spans, metrics and logs of OpenTelemetry.

The one place that imports ``opentelemetry``, and of that the API alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from signal_inspector.tracing.instrumentor import SignalInstrumentor
    from signal_inspector.tracing.sink import TracingSink

__all__ = ["SignalInstrumentor", "TracingSink"]

# Imported when asked for: `opentelemetry-instrument` imports the instrumentor before settings
# exist, and who names the sink needs no instrumentor.
_HOMES: Final = {
    "SignalInstrumentor": "signal_inspector.tracing.instrumentor",
    "TracingSink": "signal_inspector.tracing.sink",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)
