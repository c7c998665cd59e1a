"""Every room in which something of a dispatch is kept or shown, and all text that it holds."""

from __future__ import annotations

import html
import io
import json
import logging
import os
import re
import zlib
from base64 import b64decode
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final
from unittest import mock
from urllib.parse import unquote

from debug_toolbar.store import get_store
from debug_toolbar.toolbar import DebugToolbar
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import include, path
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from signal_inspector import Details, capture
from signal_inspector.audit.models import OperationKind
from signal_inspector.audit.operations.base import RunningOperation
from signal_inspector.audit.operations.export import Csv, Format, JsonLines, chunks
from signal_inspector.audit.search.entries import Wanted
from signal_inspector.audit.search.selection import Selection
from signal_inspector.audit.testing import audited
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.toolbar.requests import PANEL_ID, SUMMARY_ID
from signal_inspector.watch import wire
from signal_inspector.watch.listening import Families, Filters, read_seen
from signal_inspector.watch.terminal import Lines, Shown, Signs
from tests.tracing.spans import Traces

LOG: Final = "/admin/signal_audit/"
_PAGE: Final = "<!doctype html><html><head><title>x</title></head><body>ok</body></html>"
_ROWS: Final = re.compile(r'"(/__debug__/signal_inspector/[^"]+)"')
_DETAIL: Final = re.compile(rf'"({LOG}auditeddispatch/[^"?]+/)[^"]*"')

_EVERYTHING: Final = {"is_staff": True, "is_superuser": True}

_waiting: list[Callable[[], None]] = []


def view(request: HttpRequest, **kwargs: str) -> HttpResponse:
    """Sends what the test gave to ``send_everywhere``."""
    _waiting.pop()()
    return HttpResponse(_PAGE)


urlpatterns = [path("send/<str:word>/", view), path("", include("tests.audit.admin.urls"))]
urlpatterns += [path("", include("tests.urls"))]


@dataclass
class Sent:
    """What has been sent, and where to look for it."""

    dispatches: list[Dispatch] = field(default_factory=list)
    request_id: str = ""
    client: Client = field(default_factory=Client)
    traces: Traces = field(default_factory=Traces)
    metrics: InMemoryMetricReader = field(default_factory=InMemoryMetricReader)
    logs: InMemoryLogRecordExporter = field(default_factory=InMemoryLogRecordExporter)
    own_log: io.StringIO = field(default_factory=io.StringIO)

    def get(self, url: str) -> str:
        """The page at a URL, without escapes that could hide a word."""
        response = self.client.get(url)
        assert response.status_code == 200, (url, response.status_code)
        text: str = response.content.decode()
        if response["Content-Type"] == "application/json":
            text += str(json.loads(text))
        return text


def send_everywhere(
    send: Callable[[], None],
    *,
    url: str = "/send/x/",
    user: User | None = None,
    opt_in: str = "logs/dup",
    **setting: Any,
) -> Sent:
    """Run ``send`` in a request of the toolbar with everything on that keeps what is sent.

    ``opt_in`` says how exceptions become log records; "" leaves that to ``LOG_FAILURES``.
    """
    sent = Sent()
    handler = logging.StreamHandler(sent.own_log)
    logger = logging.getLogger("signal_inspector")
    tracing = {"LOG_FAILURES": True, **setting.pop("TRACING", {})}
    audit = {"INCLUDE": ["*"], "PATHS": "path", "ACTOR_LABELS": True, **setting.pop("AUDIT", {})}
    loggers = LoggerProvider(shutdown_on_exit=False)
    loggers.add_log_record_processor(SimpleLogRecordProcessor(sent.logs))
    with ExitStack() as stack:
        enter = stack.enter_context
        enter(
            override_settings(
                DEBUG=True,
                ROOT_URLCONF=__name__,
                SIGNAL_INSPECTOR={"TRACING": tracing, "AUDIT": audit, **setting},
            )
        )
        enter(mock.patch.dict(os.environ, {"OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN": opt_in}))
        get_store().clear()
        DebugToolbar.store = None
        if user is not None:
            sent.client.force_login(user)
        logger.addHandler(handler)
        stack.callback(logger.removeHandler, handler)
        meters = MeterProvider([sent.metrics], shutdown_on_exit=False)
        enter(sent.traces.listening(meter_provider=meters, logger_provider=loggers))
        enter(audited())
        found = enter(capture(details=Details.ALL))
        _waiting.append(send)
        response = sent.client.get(url)
        assert response.status_code == 200
        sent.request_id = response.headers["djdt-request-id"]
        sent.dispatches = list(found)
    assert sent.dispatches
    return sent


def look(room: str, sent: Sent) -> str:
    """All text that a room holds after a send; it holds something."""
    with override_settings(DEBUG=True, ROOT_URLCONF=__name__):
        text = ROOMS[room](sent)
    assert text
    return "\n".join([text, html.unescape(text), unquote(text)])


def _record(sent: Sent) -> str:
    return "\n".join([*(str(each.as_dict()) for each in sent.dispatches), repr(sent.dispatches)])


def _store(_: Sent) -> str:
    """What the toolbar's store holds of each request, its dispatches no longer compressed."""
    store = get_store()
    names = (PANEL_ID, SUMMARY_ID)
    found = [store.panel(id_, name) for id_ in store.request_ids() for name in names]
    packed = [each["packed"] for each in found if "packed" in each]
    assert packed
    texts = [zlib.decompress(b64decode(each)).decode() for each in packed]
    return "\n".join([str(found), *texts])


def _panel(sent: Sent) -> str:
    """The panel, with the rows that its script fetches."""
    page = f"/__debug__/render_panel/?request_id={sent.request_id}&panel_id={PANEL_ID}"
    texts = [json.loads(sent.client.get(page).content)["content"]]
    assert sent.dispatches[0].signal in texts[0]
    seen: set[str] = set()
    while urls := set(map(html.unescape, _ROWS.findall(texts[-1]))) - seen:
        seen |= urls
        texts.append("".join(sent.get(each) for each in sorted(urls)))
    return "\n".join(texts)


def _download(sent: Sent) -> str:
    url = f"/__debug__/signal_inspector/dispatches.json?request_id={sent.request_id}"
    return sent.get(url) + "".join(sent.get(f"{url}&dispatch={d.id}") for d in sent.dispatches)


def _wire(sent: Sent) -> str:
    return "".join((wire.dispatch_line(each, "1 x") or b"").decode() for each in sent.dispatches)


def _watch(sent: Sent) -> str:
    shown = Shown(filters=Filters(), width=10_000, receivers=True)
    made, families = Lines(shown, Signs(no_style(), "utf-8")), Families()
    found = [
        family
        for line in _wire(sent).splitlines()
        for family in families.add(read_seen(json.loads(line)), 0.0)
    ]
    return "\n".join(line for family in (*found, *families.rest()) for line in made.of(family))


def _tables(_: Sent) -> str:
    """Each column of each row of each table of the log, as the database has it."""
    rows = []
    with connection.cursor() as cursor:
        for model in apps.get_app_config("signal_audit").get_models():
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(model._meta.db_table)}")
            rows += cursor.fetchall()
    return "\n".join(str(value) for row in rows for value in row)


def _admin(sent: Sent) -> str:
    """The log in the admin, and the page of each dispatch."""
    auditor = Client()
    auditor.force_login(User.objects.get_or_create(username="auditor", **_EVERYTHING)[0])
    looking = Sent(client=auditor)
    listed = looking.get(f"{LOG}auditeddispatch/")
    pages = set(_DETAIL.findall(listed))
    assert len(pages) >= len(sent.dispatches)
    return listed + "".join(looking.get(page) for page in sorted(pages))


def _export(form: Format) -> str:
    wanted = Wanted(selection=Selection(), payloads=True)
    return b"".join(
        chunks(wanted, form, RunningOperation(OperationKind.EXPORT, "a test").begin())
    ).decode()


def _tail(*arguments: str) -> str:
    out = io.StringIO()
    call_command("signal_audit", "tail", "--no-follow", *arguments, stdout=out)
    return out.getvalue()


def _spans(sent: Sent) -> str:
    """Names, attributes, statuses and events of all spans."""
    spans = sent.traces.spans
    assert any(span.events for span in spans)
    return "\n".join(
        str([span.name, span.attributes, span.status.description, *_events(span)])
        for span in spans
    )


def _events(span: Any) -> list[Any]:
    return [(event.name, dict(event.attributes)) for event in span.events]


def _metrics(sent: Sent) -> str:
    data = sent.metrics.get_metrics_data()
    return "" if data is None else data.to_json()


def _log_records(sent: Sent) -> str:
    records = [each.log_record for each in sent.logs.get_finished_logs()]
    return "\n".join(str([each.body, each.event_name, each.attributes]) for each in records)


#: What each room holds, by its name.
ROOMS: Final[dict[str, Callable[[Sent], str]]] = {
    "record": _record,
    "toolbar's store": _store,
    "panel": _panel,
    "panel's download": _download,
    "wire of watch": _wire,
    "watch": _watch,
    "audit's tables": _tables,
    "audit's pages": _admin,
    "CSV": lambda _: _export(Csv(payloads=True)),
    "JSON Lines": lambda _: _export(JsonLines(payloads=True)),
    "tail": lambda _: _tail(),
    "tail in JSON": lambda _: _tail("--json"),
    "spans": _spans,
    "metrics": _metrics,
    "log records": _log_records,
    "our own log": lambda sent: sent.own_log.getvalue(),
}
