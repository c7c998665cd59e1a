"""Packages that the shop does without where they are not installed."""

from __future__ import annotations

from importlib.util import find_spec

#: What telemetry.py needs, and a module of each.
TELEMETRY = {
    "opentelemetry-sdk": "opentelemetry.sdk.trace",
    "opentelemetry-exporter-otlp-json-file": "opentelemetry.exporter.otlp.json.file",
    "opentelemetry-instrumentation-django": "opentelemetry.instrumentation.django",
    "opentelemetry-instrumentation-sqlite3": "opentelemetry.instrumentation.sqlite3",
}
#: And where the shop runs on PostgreSQL.
TELEMETRY_OF_POSTGRES = "opentelemetry.instrumentation.psycopg"


def missing(packages: dict[str, str]) -> list[str]:
    """The packages that are not there. Looks for their modules and imports none of them."""
    return [package for package, module in packages.items() if not is_there(module)]


def is_there(module: str) -> bool:
    """Whether a module could be imported."""
    try:
        return find_spec(module) is not None
    except ImportError:  # a package above it is not there
        return False
