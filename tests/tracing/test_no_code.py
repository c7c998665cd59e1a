"""A project that knows nothing of us, traced by ``opentelemetry-instrument`` alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from typing import Any
from urllib.request import urlopen

import pytest

from tests.listening import ROOT

pytestmark = pytest.mark.programs

AGENT = Path(sys.executable).with_name("opentelemetry-instrument")

PROJECT = {
    "manage.py": """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
""",
    "shop/__init__.py": "",
    "shop/settings.py": """
import os
SECRET_KEY = "for this test alone"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "shop.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
INSTALLED_APPS = os.environ.get("SHOP_APPS", "").split()
SIGNAL_INSPECTOR = {
    "SINKS": os.environ.get("SHOP_SINKS", "").split(),
    "TRACING": {
        "LOG_FAILURES": "SHOP_LOGS_FAILURES" in os.environ,
        "DISPATCH_HOOK": os.environ.get("SHOP_HOOK"),
    },
}
MIDDLEWARE = []
""",
    "shop/signals.py": """
from django.db import connection
from django.dispatch import Signal, receiver
order_placed = Signal()
@receiver(order_placed)
def send_invoice(**kwargs):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 42")
@receiver(order_placed)
async def tell_warehouse(**kwargs):
    pass
""",
    "shop/urls.py": """
from django.http import HttpResponse
from django.urls import path
from shop.signals import order_placed
def order(request):
    order_placed.send("shop")
    return HttpResponse("ordered")
urlpatterns = [path("order/", order)]
""",
}

PLACE = "from shop.signals import order_placed; order_placed.send('shop')"

SEND = "send shop.signals.order_placed"
RECEIVE = "receive shop.signals.send_invoice"
RECEIVE_ASYNC = "receive shop.signals.tell_warehouse"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project, and our entry points as an installer would leave them beside it."""
    for name, source in PROJECT.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    metadata = tmp_path / "django_signal_inspector-0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.4\nName: {ours['name']}\nVersion: 0\n"
        + "".join(f"Requires-Dist: {each}\n" for each in ours["dependencies"])
    )
    (metadata / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
            for group, entries in ours["entry-points"].items()
        )
    )
    return tmp_path


def start(project: Path, *command: str, **environment: str) -> subprocess.Popen[str]:
    """Run ``manage.py`` under the agent, which exports to the console."""
    return subprocess.Popen(
        [AGENT, sys.executable, "manage.py", *command],
        cwd=project,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{project}{os.pathsep}{ROOT}",
            "DJANGO_SETTINGS_MODULE": "shop.settings",
            "OTEL_TRACES_EXPORTER": "console",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            "PYTHONUNBUFFERED": "1",
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(project: Path, *command: str, **environment: str) -> list[dict[str, Any]]:
    """What the agent exported while the command ran to its end."""
    process = start(project, *command, **environment)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert err == ""
    return exported(out)


def exported(out: str) -> list[dict[str, Any]]:
    """The JSON documents among the lines of a console."""
    found = []
    decoder = json.JSONDecoder()
    position = out.find("{")
    while position >= 0:
        document, end = decoder.raw_decode(out, position)
        found.append(document)
        position = out.find("{", end)
    return found


def named(spans: list[dict[str, Any]], name: str) -> dict[str, Any]:
    [span] = [span for span in spans if span["name"] == name]
    return span


def is_child(span: dict[str, Any], parent: dict[str, Any]) -> bool:
    same_trace: bool = span["context"]["trace_id"] == parent["context"]["trace_id"]
    return same_trace and span["parent_id"] == parent["context"]["span_id"]


@pytest.fixture
def server(project: Path) -> Iterator[subprocess.Popen[str]]:
    """On a port that it chooses itself, and tells."""
    process = start(project, "runserver", "--noreload", "127.0.0.1:0")
    yield process
    process.kill()
    process.communicate(timeout=60)


def lines_of(process: subprocess.Popen[str]) -> Iterator[str]:
    """What a running process writes; one that takes too long is ended, and an error."""
    assert process.stdout is not None
    too_late = Timer(60, process.kill)
    too_late.start()
    lines: list[str] = []
    try:
        for line in process.stdout:
            lines.append(line)
            yield line
    finally:
        too_late.cancel()
    raise AssertionError("".join(lines))


def address_of(server: subprocess.Popen[str]) -> str:
    """Where it listens, once it does."""
    pattern = re.compile(r"server at (http://127\.0\.0\.1:[0-9]+)/")
    return next(found[1] for line in lines_of(server) if (found := pattern.search(line)))


def spans_until(process: subprocess.Popen[str], name: str) -> list[dict[str, Any]]:
    """What a running process exports up to the span of this name."""
    text = ""
    for line in lines_of(process):
        text += line
        if line.rstrip() == "}":  # the end of a document
            spans = exported(text)
            if spans and spans[-1].get("name") == name:
                return spans
    raise AssertionError("lines_of() has no end")


def test_a_request_to_runserver(server: subprocess.Popen[str]) -> None:
    """Under the request's span stand the dispatch, its receivers, and what these caused."""
    with urlopen(f"{address_of(server)}/order/", timeout=60) as answer:
        assert answer.read() == b"ordered"
    spans = spans_until(server, "GET order/")
    request, send = named(spans, "GET order/"), named(spans, SEND)
    receive = named(spans, RECEIVE)
    assert is_child(send, request)
    assert is_child(receive, send)
    assert is_child(named(spans, RECEIVE_ASYNC), send)
    # runserver asks for migrations before it serves.
    queries = [span for span in spans if span["name"] == "SELECT" and span["parent_id"]]
    assert [is_child(query, receive) for query in queries] == [True]
    assert send["attributes"]["django.signal.name"] == "shop.signals.order_placed"


def test_a_command(project: Path) -> None:
    """Without a request the dispatch starts the trace, and all is exported before the exit."""
    spans = run(project, "shell", "-v", "0", "-c", PLACE)
    send = named(spans, SEND)
    assert send["parent_id"] is None
    assert is_child(named(spans, RECEIVE), send)
    assert is_child(named(spans, RECEIVE_ASYNC), send)


def test_before_there_are_settings(project: Path) -> None:
    """Where the environment names no settings as Python starts, those of manage.py hold."""
    spans = run(
        project,
        *("shell", "-v", "0", "-c", PLACE),
        DJANGO_SETTINGS_MODULE="",
        OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="django",  # it would configure empty ones
    )
    assert is_child(named(spans, RECEIVE), named(spans, SEND))


def test_with_the_sdk_turned_off(project: Path) -> None:
    """OTEL_SDK_DISABLED leaves the agent, and us, with nothing to export and nothing to say."""
    assert run(project, "shell", "-v", "0", "-c", PLACE, OTEL_SDK_DISABLED="true") == []


def test_hooks_that_need_models(project: Path) -> None:
    """A hook that settings name is imported once the models are there, not by their signals."""
    (project / "shop" / "models.py").write_text(
        "from django.db import models\n"
        "class Customer(models.Model):\n"
        "    pass\n"
        "class Order(models.Model):\n"
        "    pass\n"
    )
    (project / "shop" / "hooks.py").write_text(
        "from shop.models import Order\n"
        "def name_model(span, dispatch):\n"
        "    span.set_attribute('shop.model', Order.__name__)\n"
    )
    spans = run(
        project,
        *("shell", "-v", "0", "-c", PLACE),
        SHOP_APPS="shop",
        SHOP_HOOK="shop.hooks.name_model",
    )
    assert named(spans, SEND)["attributes"]["shop.model"] == "Order"


def test_metrics(project: Path) -> None:
    """Durations are exported by the agent's meter provider."""
    documents = run(
        project,
        *("shell", "-v", "0", "-c", PLACE),
        OTEL_TRACES_EXPORTER="none",
        OTEL_METRICS_EXPORTER="console",
    )
    [ours] = [
        scope
        for document in documents
        for resource in document["resource_metrics"]
        for scope in resource["scope_metrics"]
        if scope["scope"]["name"] == "signal_inspector"
    ]
    counts = {
        metric["name"]: [point["count"] for point in metric["data"]["data_points"]]
        for metric in ours["metrics"]
        if metric["name"].endswith(".duration")
    }
    assert counts == {
        "django.signal.send.duration": [1],
        "django.signal.receiver.duration": [1, 1],
    }


def test_disabled_by_name(project: Path) -> None:
    """The agent's own variable turns us off, and leaves the others on."""
    spans = run(
        project,
        *("shell", "-v", "0", "-c", PLACE),
        OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="signal_inspector, celery",
    )
    assert [span["name"] for span in spans] == ["SELECT"]


@pytest.mark.parametrize("sinks", ["", "signal_inspector.tracing.TracingSink"])
def test_listed_as_well(project: Path, sinks: str) -> None:
    """A project that lists the app, and perhaps the sink, gets each span once all the same."""
    spans = run(
        project,
        *("shell", "-v", "0", "-c", PLACE),
        SHOP_APPS="signal_inspector",
        SHOP_SINKS=sinks,
    )
    assert sorted(span["name"] for span in spans) == sorted(
        ["SELECT", RECEIVE, RECEIVE_ASYNC, SEND]
    )


def test_undone_while_it_runs(project: Path) -> None:
    """uninstrument() ends it for a process that the agent has started."""
    undo = (
        "from signal_inspector.tracing import SignalInstrumentor as each; each().uninstrument(); "
    )
    spans = run(project, "shell", "-v", "0", "-c", f"{PLACE}; {undo}{PLACE}")
    assert [span["name"] for span in spans].count(SEND) == 1


FAIL = """
from shop.signals import order_placed
def credit(**kwargs):
    raise LookupError("order 42 is gone")
order_placed.connect(credit)
order_placed.send_robust("shop")
"""


def test_failures_under_robust_sends_are_logged_once(project: Path) -> None:
    """As agents export Django's own log of them, in the receiver's span, we add none unasked."""
    documents = run(project, "shell", "-v", "0", "-c", FAIL, OTEL_LOGS_EXPORTER="console")
    [span] = [each for each in documents if each.get("status", {}).get("status_code") == "ERROR"]
    [record] = [each for each in documents if "severity_text" in each]
    assert record["attributes"]["exception.type"] == "LookupError"
    assert record["span_id"] == span["context"]["span_id"]


def test_and_twice_if_settings_ask_for_ours_too(project: Path) -> None:
    """TRACING holds without the app being listed; that there are two now is logged as well."""
    documents = run(
        project,
        *("shell", "-v", "0", "-c", FAIL),
        OTEL_LOGS_EXPORTER="console",
        SHOP_LOGS_FAILURES="yes",
    )
    records = [each for each in documents if "severity_text" in each]
    assert [(each["event_name"] or None, each["severity_text"]) for each in records] == [
        (None, "WARN"),
        ("django.signal.receiver.exception", "ERROR"),
        (None, "ERROR"),
    ]
    assert "LOG_FAILURES" in records[0]["body"]
    assert len({each["span_id"] for each in records}) == 1
