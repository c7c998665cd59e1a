"""What runs inside a package's own tests: notes how each ended, and lets the rooms listen."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

_asked: dict[str, Any] = json.loads(os.environ["SUITE"])
_ended: dict[str, str] = {}

if _asked["inspected"]:
    from django.db import DEFAULT_DB_ALIAS
    from django.test import SimpleTestCase
    from opentelemetry import metrics, trace
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from signal_inspector import Details, Dispatch, Sink
    from signal_inspector.core import internal_errors

    _spans = InMemorySpanExporter()
    _provider = TracerProvider()
    _provider.add_span_processor(SimpleSpanProcessor(_spans))
    trace.set_tracer_provider(_provider)
    metrics.set_meter_provider(MeterProvider([InMemoryMetricReader()]))

    class Everything(Sink):
        """Asks for all that the panel asks for, and reads it as the panel does."""

        details = Details.ALL
        heard = 0

        def dispatch_finished(self, dispatch: Dispatch) -> None:
            json.dumps(dispatch.as_dict())
            Everything.heard += 1

    def _audited(request: pytest.FixtureRequest) -> AbstractContextManager[object]:
        """With the audit where a test may use the database: what it writes is in its place."""
        from signal_inspector.audit import audited

        if request.cls is not None and issubclass(request.cls, SimpleTestCase):
            databases = request.cls.databases
            uses_database = databases == "__all__" or DEFAULT_DB_ALIAS in databases
        else:
            marked = request.node.get_closest_marker("django_db") is not None
            uses_database = marked or "db" in request.fixturenames
        return audited() if uses_database else nullcontext()

    @pytest.fixture(autouse=True, scope="class")
    def _class_audited(request: pytest.FixtureRequest) -> Iterator[None]:
        """Before setUpTestData."""
        of_django = request.cls is not None and issubclass(request.cls, SimpleTestCase)
        with _audited(request) if of_django else nullcontext():
            yield

    @pytest.fixture(autouse=True)
    def _test_audited(request: pytest.FixtureRequest) -> Iterator[None]:
        with _audited(request):
            yield


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    worst = {"passed": 0, "skipped": 1, "failed": 2}
    before = _ended.get(report.nodeid, "passed")
    _ended[report.nodeid] = max(before, report.outcome, key=worst.__getitem__)


def pytest_sessionfinish() -> None:
    found: dict[str, Any] = {"tests": _ended}
    if _asked["inspected"]:
        found["dispatches"] = Everything.heard
        found["spans"] = len(_spans.get_finished_spans())
        found["failures of ours"] = internal_errors.counts()
    Path(_asked["into"]).write_text(json.dumps(found))
