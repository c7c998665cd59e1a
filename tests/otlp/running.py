"""The shop as a process that exports to a collector, and a visit to each of its pages."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.otlp.arrived import Arrived, Span
from tests.otlp.collector import ROOT, Collector

SERVICE = "shop"
_SHOP = "tests.otlp.shop"
_PATIENCE = 60  # seconds for the shop to start, to answer and to end
_ADDRESS = re.compile(r"(?:development server at|Uvicorn running on) (http://127\.0\.0\.1:\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How the shop is set up to export."""

    protocol: str  # "grpc" or "http/protobuf"
    settings: str = "traced_settings"
    by_hand: bool = True  # by code of the project's own; else by `opentelemetry-instrument`
    asgi: bool = False  # under uvicorn; else under runserver
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A page that was asked for, in a trace that the test began."""

    trace_id: str
    parent_id: str  # the span of the client, which no server knows
    status: int
    dispatches: list[dict[str, Any]]  # as the shop's records tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A shop from its start to its end, and what arrived of it."""

    visits: dict[str, Visit]
    arrived: Arrived
    output: str = field(repr=False)  # of the shop and of the collector

    def outline(self, page: str) -> list[str]:
        """The trace of a page: names, indented by parenthood. The shop's prefix is left out."""
        lines = self.arrived.outline(self.visits[page].trace_id)
        return [line.replace(f"{_SHOP}.", "") for line in lines]

    def span(self, page: str, name: str) -> Span:
        """The only span of that name (without the shop's prefix) in the trace of a page."""
        (found,) = (
            span
            for span in self.arrived.trace(self.visits[page].trace_id)
            if span.name.replace(f"{_SHOP}.", "") == name
        )
        return found


def run(way: Way, database: Path, collector: Collector, log: Path) -> Run:
    """Start the shop, visit each page once and one in an unsampled trace, and stop both."""
    process = _start(way, database, collector, log)
    try:
        address = _address(process, log)
        pages = ("place", "refuse", "cancel", "pay", "forget")
        visits = {page: _visit(address, page) for page in pages}
        visits["unsampled place"] = _visit(address, "place", sampled=False)
        process.send_signal(signal.SIGINT)
        ended = process.wait(timeout=_PATIENCE)
        assert ended == 0, f"the shop ended with {ended}\n{_read(log)}"
    finally:
        process.kill()
        process.wait(timeout=_PATIENCE)
    collector.stop()
    output = f"{_read(log)}\n--- rotel ---\n{collector.output()}"
    return Run(visits=visits, arrived=Arrived(collector.passed), output=output)


def migrate(database: Path) -> None:
    """Make the shop's tables."""
    command = [sys.executable, "-m", f"{_SHOP}.manage", "migrate", "--run-syncdb"]
    subprocess.run(
        [*command, "--verbosity", "0"],
        cwd=ROOT,
        env=_environment("settings", database),
        check=True,
        timeout=_PATIENCE,
    )


def _start(way: Way, database: Path, collector: Collector, log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"{_SHOP}.manage", "runserver", "--noreload", "127.0.0.1:0"]
    if way.asgi:
        command = [sys.executable, "-m", "uvicorn", "--port", "0", f"{_SHOP}.asgi:application"]
    if not way.by_hand:
        command = [str(Path(sys.executable).parent / "opentelemetry-instrument"), *command]
    environment = {
        **_environment(way.settings, database),
        "OTLP_SHOP_EXPORTS": "by hand" if way.by_hand else "",
        "OTEL_SERVICE_NAME": SERVICE,
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_PROTOCOL": way.protocol,
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint(way.protocol),
        "OTEL_METRIC_EXPORT_INTERVAL": "500",  # milliseconds: a cycle or two besides the last one
        **way.environment,
    }
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def _environment(settings: str, database: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    path = os.pathsep.join(filter(None, (str(ROOT), kept.get("PYTHONPATH"))))
    return kept | {
        "DJANGO_SETTINGS_MODULE": f"{_SHOP}.{settings}",
        "OTLP_SHOP_DATABASE": str(database),
        "PYTHONPATH": path,
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": "127.0.0.1",
    }


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where the server listens: it chose the port itself, and says so."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        found = _ADDRESS.search(_read(log))
        if found:
            return found[1]
        time.sleep(0.05)
    raise RuntimeError(f"the shop does not start\n{_read(log)}")


def _visit(address: str, page: str, *, sampled: bool = True) -> Visit:
    trace_id, parent_id = secrets.token_hex(16), secrets.token_hex(8)
    request = urllib.request.Request(
        f"{address}/{page}/",
        headers={"traceparent": f"00-{trace_id}-{parent_id}-0{int(sampled)}"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        answer = opener.open(request, timeout=_PATIENCE)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return Visit(
            trace_id=trace_id,
            parent_id=parent_id,
            status=answer.status,
            dispatches=json.loads(answer.headers.get("Dispatches", "[]")),
        )


def _read(log: Path) -> str:
    return log.read_text(errors="replace")
