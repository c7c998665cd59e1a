"""Tracing turned on and off by code, as instrumentors of OpenTelemetry are."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from django.dispatch import Signal
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Span

from signal_inspector import Dispatch
from signal_inspector.core import internal_errors
from signal_inspector.core.listening import sinks
from signal_inspector.core.wrapper import instrument
from signal_inspector.tracing import SignalInstrumentor, TracingSink, instrumentor
from tests.listening import listening, run_python

order_placed = Signal()


@pytest.fixture(autouse=True)
def _turned_off() -> Iterator[None]:
    """Each test begins and ends without instrumentation, and with no failure of ours."""
    before = sinks.process_sinks()
    yield
    if SignalInstrumentor().is_instrumented_by_opentelemetry:
        SignalInstrumentor().uninstrument()
    failures = internal_errors.counts()
    internal_errors.reset()
    assert failures == {}
    assert sinks.process_sinks() == before
    assert instrument.is_installed()  # by the AppConfig


class Traced:
    """A tracer provider and the names of the spans it made, in the order of their ends."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def names(self) -> list[str]:
        names = [span.name for span in self.exporter.get_finished_spans()]
        self.exporter.clear()
        return names


@pytest.fixture
def traced() -> Iterator[Traced]:
    traced = Traced()
    yield traced
    traced.provider.shutdown()


@pytest.fixture(autouse=True)
def _connected() -> Iterator[None]:
    order_placed.connect(send_invoice)
    yield
    order_placed.disconnect(send_invoice)


def send_invoice(**kwargs: Any) -> None:
    pass


ONCE = [f"receive {__name__}.send_invoice", f"send {__name__}.order_placed"]


class TestInstrument:
    def test_traces(self, traced: Traced) -> None:
        """From instrument() to uninstrument() signals are traced, and no longer."""
        SignalInstrumentor().instrument(tracer_provider=traced.provider)
        order_placed.send(None)
        assert traced.names() == ONCE
        SignalInstrumentor().uninstrument()
        order_placed.send(None)
        assert traced.names() == []

    def test_takes_what_loaders_pass(self, traced: Traced) -> None:
        """The arguments that contrib's loader adds for its own instrumentors do no harm."""
        entry_point = EntryPoint(
            "signal_inspector",
            "signal_inspector.tracing:SignalInstrumentor",
            "opentelemetry_instrumentor",
        )
        entry_point.load()().instrument(
            tracer_provider=traced.provider, skip_dep_check=True, raise_exception_on_conflict=True
        )
        order_placed.send(None)
        assert traced.names() == ONCE

    def test_says_whether_it_is_on(self, traced: Traced) -> None:
        """Every instance knows, whichever one was told."""
        one, other = SignalInstrumentor(), SignalInstrumentor()
        assert not one.is_instrumented_by_opentelemetry
        one.instrument(tracer_provider=traced.provider)
        assert other.is_instrumented_by_opentelemetry
        other.uninstrument()
        assert not one.is_instrumented_by_opentelemetry

    def test_is_what_contrib_calls_an_instrumentor(self, traced: Traced) -> None:
        """There is one, and it is an instance of their base class, which is not needed for it."""
        one = SignalInstrumentor()
        assert isinstance(one, BaseInstrumentor)
        assert issubclass(SignalInstrumentor, BaseInstrumentor)
        assert SignalInstrumentor() is one
        one.instrument(tracer_provider=traced.provider)
        assert one._is_instrumented_by_opentelemetry

    def test_turned_off_twice(self, caplog: pytest.LogCaptureFixture) -> None:
        """To turn off what is not on says so, as contrib's instrumentors do."""
        SignalInstrumentor().uninstrument()
        assert [record.levelname for record in caplog.records] == ["WARNING"]

    def test_twice_is_once(self, traced: Traced, caplog: pytest.LogCaptureFixture) -> None:
        """A second call says that it changes nothing, and doubles nothing."""
        SignalInstrumentor().instrument(tracer_provider=traced.provider)
        SignalInstrumentor().instrument(tracer_provider=traced.provider)
        order_placed.send(None)
        assert traced.names() == ONCE
        assert [record.name for record in caplog.records] == ["signal_inspector"]

    def test_beside_the_sink_of_the_settings(self, traced: Traced) -> None:
        """The settings' sink is set aside meanwhile, and heard again afterwards."""
        by_settings = Traced()
        with listening(TracingSink(tracer_provider=by_settings.provider)):
            SignalInstrumentor().instrument(tracer_provider=traced.provider)
            order_placed.send(None)
            assert (traced.names(), by_settings.names()) == (ONCE, [])
            SignalInstrumentor().uninstrument()
            order_placed.send(None)
            assert (traced.names(), by_settings.names()) == ([], ONCE)

    def test_before_the_sink_of_the_settings(self, traced: Traced) -> None:
        """A sink that settings name later is set aside too."""
        SignalInstrumentor().instrument(tracer_provider=traced.provider)
        by_settings = Traced()
        sinks.use_sinks((TracingSink(tracer_provider=by_settings.provider),))
        try:
            order_placed.send(None)
        finally:
            sinks.use_sinks(())
        assert (traced.names(), by_settings.names()) == (ONCE, [])

    @pytest.mark.parametrize("first", ["settings", "instrumentor"])
    def test_beside_a_sink_of_the_projects_own(self, first: str, traced: Traced) -> None:
        """A subclass that settings name is heard in place of the instrumentor's: nothing twice."""

        class Own(TracingSink):
            pass

        own = Traced()
        if first == "instrumentor":
            SignalInstrumentor().instrument(tracer_provider=traced.provider)
        sinks.use_sinks((Own(tracer_provider=own.provider),))
        try:
            if first == "settings":
                SignalInstrumentor().instrument(tracer_provider=traced.provider)
            order_placed.send(None)
            assert (traced.names(), own.names()) == ([], ONCE)
            SignalInstrumentor().uninstrument()
            order_placed.send(None)
            assert (traced.names(), own.names()) == ([], ONCE)
            SignalInstrumentor().instrument(tracer_provider=traced.provider)
        finally:
            sinks.use_sinks(())
        order_placed.send(None)
        assert (traced.names(), own.names()) == (ONCE, [])

    def test_hooks(self, traced: Traced) -> None:
        """Hooks given to it are called with the span, the dispatch and the receiver's number."""
        called: list[tuple[Any, ...]] = []

        def on_dispatch(span: Span, dispatch: Dispatch) -> None:
            called.append((span.get_span_context().span_id == dispatch.trace.span_id,))  # type: ignore[union-attr]

        def on_receiver(span: Span, dispatch: Dispatch, index: int) -> None:
            span.set_attribute("shop.tenant", "acme")
            called.append((dispatch.signal, index))

        SignalInstrumentor().instrument(
            tracer_provider=traced.provider, dispatch_hook=on_dispatch, receiver_hook=on_receiver
        )
        order_placed.send(None)
        assert called == [(f"{__name__}.order_placed", 0), (True,)]
        [receiver, _] = traced.exporter.get_finished_spans()
        assert receiver.attributes is not None
        assert receiver.attributes["shop.tenant"] == "acme"

    def test_raises_nothing(self, traced: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
        """What fails while it is turned on is counted; it stays off, and others can load."""

        def broken(**kwargs: Any) -> TracingSink:
            raise ValueError

        monkeypatch.setattr(instrumentor, "TracingSink", broken)
        SignalInstrumentor().instrument(tracer_provider=traced.provider)
        assert internal_errors.counts() == {"instrumenting": 1}
        internal_errors.reset()
        assert not SignalInstrumentor().is_instrumented_by_opentelemetry

    def test_needs_django(self) -> None:
        """The dependencies are in the form that contrib reads."""
        assert list(SignalInstrumentor().instrumentation_dependencies()) == ["Django >= 5.2"]


class TestUninstrument:
    def test_puts_everything_back(self) -> None:
        """Afterwards Signal and its subclasses have the methods they had, and nobody listens."""
        out = run_python(
            "from django.dispatch import Signal\n"
            "class Own(Signal):\n"
            "    def send(self, sender, **named):\n"
            "        return super().send(sender, **named)\n"
            "from django.db.backends.signals import connection_created\n"
            "from django.db.backends.base.base import BaseDatabaseWrapper\n"
            "from django.test.signals import setting_changed\n"
            "def state():\n"
            "    places = [dict(vars(each)) for each in (Signal, Own, BaseDatabaseWrapper)]\n"
            "    told = [connection_created.receivers[:], setting_changed.receivers[:]]\n"
            "    return places, told\n"
            "before = state()\n"
            "from signal_inspector.core.listening import sinks\n"
            "from signal_inspector.tracing import SignalInstrumentor\n"
            "SignalInstrumentor().instrument()\n"
            "print(state() == before, len(sinks.hearing))\n"
            "SignalInstrumentor().uninstrument()\n"
            "print(state() == before, len(sinks.hearing))\n"
            "SignalInstrumentor().uninstrument()\n"
            "print(state() == before)\n"
        )
        assert out.split() == ["False", "1", "True", "0", "True"]

    @pytest.mark.parametrize("first", ["app", "instrumentor"])
    def test_leaves_the_wrapper_to_the_app(self, first: str) -> None:
        """Where the project lists the app the wrapper stays, whichever of the two came first."""
        steps = ["django.setup()\n", "SignalInstrumentor().instrument()\n"]
        out = run_python(
            "import django\n"
            "from django.conf import settings\n"
            "from signal_inspector import capture\n"
            "from signal_inspector.core.wrapper import instrument\n"
            "from signal_inspector.tracing import SignalInstrumentor\n"
            "settings.configure(INSTALLED_APPS=['signal_inspector'])\n"
            + "".join(steps if first == "app" else steps[::-1])
            + "SignalInstrumentor().uninstrument()\n"
            "signal = django.dispatch.Signal()\n"
            "with capture() as dispatches:\n"
            "    signal.send(None)\n"
            "print(instrument.is_installed(), len(dispatches))\n"
        )
        assert out.split() == ["True", "1"]


class TestWithoutSettings:
    def test_traces(self) -> None:
        """It runs before settings exist, makes none, and traces what is sent before there are."""
        out = run_python(
            "from django.conf import settings\n"
            "from django.dispatch import Signal\n"
            "from opentelemetry.sdk.trace import TracerProvider\n"
            "from opentelemetry.sdk.trace.export import SimpleSpanProcessor\n"
            "from opentelemetry.sdk.trace.export import in_memory_span_exporter\n"
            "from signal_inspector.tracing import SignalInstrumentor\n"
            "exporter = in_memory_span_exporter.InMemorySpanExporter()\n"
            "provider = TracerProvider()\n"
            "provider.add_span_processor(SimpleSpanProcessor(exporter))\n"
            "SignalInstrumentor().instrument(tracer_provider=provider)\n"
            "early = Signal()\n"
            "early.send(None)\n"
            "print(settings.configured, len(exporter.get_finished_spans()))\n"
        )
        assert out.split() == ["False", "1"]

    def test_reads_them_when_they_exist(self) -> None:
        """Settings that come later decide about what is sent later, without the app."""
        out = run_python(
            "from django.conf import settings\n"
            "from django.dispatch import Signal\n"
            "from opentelemetry.sdk.trace import TracerProvider\n"
            "from opentelemetry.sdk.trace.export import SimpleSpanProcessor\n"
            "from opentelemetry.sdk.trace.export import in_memory_span_exporter\n"
            "from signal_inspector.tracing import SignalInstrumentor\n"
            "exporter = in_memory_span_exporter.InMemorySpanExporter()\n"
            "provider = TracerProvider()\n"
            "provider.add_span_processor(SimpleSpanProcessor(exporter))\n"
            "SignalInstrumentor().instrument(tracer_provider=provider)\n"
            "first, second = Signal(), Signal()\n"
            "first.send(None)\n"
            "settings.configure(SIGNAL_INSPECTOR={'EXCLUDE': ['__main__.second']})\n"
            "first.send(None)\n"
            "second.send(None)\n"
            "print([span.name for span in exporter.get_finished_spans()])\n"
        )
        assert out.strip() == "['send __main__.first', 'send __main__.first']"
