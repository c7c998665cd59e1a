"""The instrumentations of Sentry and of OpenTelemetry contrib for Django, beside ours.

Each in a process of its own, as both patch Django for good.
"""

from __future__ import annotations

import pytest

from tests.listening import run_python

pytestmark = pytest.mark.programs

_SHOP = """
import os, sys, types
os.environ["OTEL_SDK_DISABLED"] = "false"
import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path
from django.dispatch import Signal
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
order_placed = Signal()
def invoices(**kwargs): return "sent"
async def notifies(**kwargs): return "told"
def fails(**kwargs): raise LookupError
def buy(request):
    for receiver in (invoices, notifies, fails):
        order_placed.connect(receiver)
    responses = order_placed.send_robust(None)
    # By name, as Sentry has its own wrappers of sync receivers in the responses.
    assert [each.__name__ for each, _ in responses] == ["invoices", "fails", "notifies"], responses
    assert [str(each) for _, each in responses] == ["sent", "", "told"], responses
    return HttpResponse("bought")
urlpatterns = [path("buy/", buy)]
def set_up():
    settings.configure(
        ROOT_URLCONF="__main__", SECRET_KEY="x", ALLOWED_HOSTS=["*"],
        LOGGING_CONFIG=None,
        INSTALLED_APPS=["signal_inspector"],
        SIGNAL_INSPECTOR={"SINKS": ["signal_inspector.tracing.TracingSink"]},
    )
    django.setup()
def request():
    from django.test import Client
    assert Client().get("/buy/").content == b"bought"
def show():
    spans = exporter.get_finished_spans()
    names = {span.context.span_id: span.name for span in spans}
    for span in sorted(spans, key=lambda span: span.start_time):
        print(span.name, "<", names.get(span.parent.span_id) if span.parent else None)
    from signal_inspector.core import internal_errors
    assert internal_errors.counts() == {}, internal_errors.counts()
"""

_DISPATCH = """\
send_robust __main__.order_placed < {}
receive __main__.invoices < send_robust __main__.order_placed
receive __main__.fails < send_robust __main__.order_placed
receive __main__.notifies < send_robust __main__.order_placed
"""

_SENTRY = """
import sentry_sdk
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.transport import Transport
class Nowhere(Transport):
    def capture_envelope(self, envelope): pass
def sentry():
    sentry_sdk.init(dsn="https://key@sentry.invalid/1", transport=Nowhere, traces_sample_rate=1.0,
        default_integrations=False, auto_enabling_integrations=False,
        integrations=[DjangoIntegration(signals_spans=True)])
"""

_CONTRIB = """
from opentelemetry.instrumentation.django import DjangoInstrumentor
"""

#: Deprecations of contrib's and Sentry's own are no matter of ours.
_ENVIRONMENT = {"PYTHONWARNINGS": "ignore"}


def seen(script: str) -> str:
    return run_python(_SHOP + script, **_ENVIRONMENT)


def test_contribs_django_instrumentation() -> None:
    """The dispatch hangs under the request's span, and nothing is there twice."""
    printed = seen(_CONTRIB + "set_up(); DjangoInstrumentor().instrument(); request(); show()")
    assert printed == "GET buy/ < None\n" + _DISPATCH.format("GET buy/")


@pytest.mark.parametrize("order", ["sentry(); set_up()", "set_up(); sentry()"])
def test_sentrys_django_integration(order: str) -> None:
    """With Sentry's spans of signals our spans and the responses are what they are without."""
    printed = seen(_SENTRY + f"{order}; request(); show()")
    assert printed == _DISPATCH.format("None")


def test_all_at_once() -> None:
    """Both beside ours change nothing in our part of the tree."""
    printed = seen(
        _SENTRY + _CONTRIB + "sentry(); set_up(); DjangoInstrumentor().instrument()\n"
        "request(); show()"
    )
    assert printed == "GET buy/ < None\n" + _DISPATCH.format("GET buy/")
