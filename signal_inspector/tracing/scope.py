"""Who speaks: what OpenTelemetry calls the instrumentation scope."""

from __future__ import annotations

from typing import Final

from signal_inspector import __version__

NAME: Final = "signal_inspector"
VERSION: Final = __version__

#: The version of the conventions that names and attributes follow.
SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"
