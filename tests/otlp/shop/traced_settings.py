"""The same project with Signal Inspector installed, and its sink for traces named."""

from __future__ import annotations

from tests.otlp.shop.settings import *  # noqa: F403

INSTALLED_APPS = ["signal_inspector", "tests.otlp.shop"]
MIDDLEWARE = ["tests.otlp.shop.recording.tell_records"]
SIGNAL_INSPECTOR = {"SINKS": ["signal_inspector.tracing.TracingSink"]}
