"""What the table of figures says; the figures themselves are `make bench`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.dispatch import Signal
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from signal_inspector.core.listening.sinks import add_sink, remove_sink
from signal_inspector.tracing import TracingSink
from tests.benchmarks import __main__ as command
from tests.benchmarks import contest, handwritten
from tests.benchmarks.measure import Effort, Sender, ratio
from tests.benchmarks.rows import CLOSE_MARGIN, MARGIN, Row, rows_of, table
from tests.benchmarks.tracing import Tracing

served = Signal()


def row(measured: float, **goals: float | bool) -> Row:
    return Row("recording", 1, 1000.0, measured, **goals)  # type: ignore[arg-type]


class TestVerdict:
    @pytest.mark.parametrize(
        ("measured", "verdict"),
        [(1.4, "aim"), (1.5, "aim"), (1.6, "ok"), (2.0, "ok"), (2.1, "within noise")],
    )
    def test_of_what_is_near_enough(self, measured: float, verdict: str) -> None:
        """A ratio up to the aim, to the must, or to the noise above it, is told apart."""
        figure = row(measured, must=2.0, aim=1.5)
        assert (figure.verdict, figure.is_near) == (verdict, True)

    def test_of_what_is_not(self) -> None:
        """A ratio beyond the noise is missed."""
        figure = row(2.0 * (1 + MARGIN) + 0.01, must=2.0, aim=1.5)
        assert (figure.verdict, figure.is_near) == ("MISSED", False)

    @pytest.mark.parametrize(
        ("measured", "verdict"), [(6.0, "ok"), (4.9, "within noise"), (3.0, "MISSED")]
    )
    def test_where_more_is_better(self, measured: float, verdict: str) -> None:
        """A goal that is a minimum is missed from below."""
        assert row(measured, must=5.0, at_least=True).verdict == verdict

    def test_without_a_goal(self) -> None:
        """A figure for information has no verdict and misses nothing."""
        assert (row(99.0).verdict, row(99.0).is_near) == ("", True)


class TestRows:
    def test_are_ratios_to_bare_django_of_the_same_round(self) -> None:
        """The ratio is the median of the rounds' ratios, not the ratio of medians."""
        assert ratio([2.0, 90.0, 3.0], [1.0, 30.0, 3.0]) == 2.0

    def test_have_the_goals_of_their_case(self) -> None:
        """A contestant's goals are those of the design for this number of receivers."""
        rows = rows_of({contest.BARE: [1.0], contest.CAPTURE: [1.6]}, 5)
        assert [(each.ratio, each.must, each.aim) for each in rows] == [
            (1.0, None, None),
            (1.6, 1.8, 1.5),
        ]

    def test_set_sentry_against_ours(self) -> None:
        """Where both were timed a row says how many times slower sentry-sdk is."""
        taken = {contest.BARE: [1.0], contest.CAPTURE: [2.0], contest.SENTRY: [12.0]}
        last = rows_of(taken, 1)[-1]
        assert (last.ratio, last.must, last.at_least) == (6.0, 5.0, True)

    def test_set_our_spans_against_those_by_hand(self) -> None:
        """Where both were timed a row says how many times theirs ours cost, with its goals."""
        taken = {
            contest.BARE: [1.0],
            contest.SAMPLED: [42.0],
            contest.SAMPLED_BY_HAND: [40.0],
        }
        last = rows_of(taken, 5)[-1]
        assert (last.ratio, last.must, last.aim, last.margin) == (1.05, 1.1, 1.0, CLOSE_MARGIN)

    def test_tell_what_is_added_to_connect(self) -> None:
        """A ratio would be the better the more receivers there are: these are microseconds."""
        taken = {contest.BARE: [1000.0, 2000.0, 1000.0], contest.CONNECTING: [6000.0, 7500.0, 8e3]}
        [only] = rows_of(taken, 3000)
        assert (only.receivers, only.ratio, only.must) == (3000, 5.5, 6.0)

    def test_are_printed_with_their_goals_and_verdicts(self) -> None:
        """A line has the case, its figures, its goals and what to think of it."""
        line = table([row(1.6, must=2.0, aim=1.5)]).splitlines()[-1]
        assert line.split() == ["recording", "1", "1,000", "1.60", "≤2.00", "1.50", "ok"]


def serve(sender: object, **named: object) -> None:
    pass


def fail(sender: object, **named: object) -> None:
    raise LookupError("no table")


def test_a_turn_of_connects_leaves_what_it_found() -> None:
    """Each turn meets as many receivers, and as many notes of them, as the one before."""
    for contestant in contest.connecting_contestants(30):
        assert [contestant.take() > 0 for _ in range(2)] == [True, True]


class TestTracing:
    @pytest.mark.parametrize("last", [serve, fail])
    def test_by_hand_makes_our_spans(self, last: Callable[..., Any]) -> None:
        """Names, parents, attributes, status and exceptions are the same, also of a failure."""
        assert spans_by_hand(last) == spans_of_ours(last)

    def test_with_context_managers_makes_our_spans(self) -> None:
        """Names, parents, attributes and status are the same where nothing fails."""
        traced = handwritten.context_manager_send, handwritten.context_manager_receiver
        assert spans_by_hand(serve, *traced) == spans_of_ours(serve)

    def test_takes_a_turn_by_hand(self) -> None:
        """A turn whose spans have all been exported has a time."""
        case = Tracing(contest.SAMPLED, ALWAYS_ON)
        try:
            assert [each.take() > 0 for each in case.contestants(1)[1:]] == [True, True]
        finally:
            case.close()

    def test_takes_no_turn_that_lacks_spans(self) -> None:
        """Cheaper sends that make fewer spans are no figure: here the receiver is missing."""
        assert not contest.signal_1.receivers
        case = Tracing(contest.SAMPLED, ALWAYS_ON)
        try:
            with pytest.raises(AssertionError, match="spans are missing"):
                case.contestants(1)[0].take()
        finally:
            case.close()

    def test_is_left_out_without_the_sdk(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A line says so, and there are no rows."""
        monkeypatch.setattr(command, "_sdk_version", lambda: None)
        assert list(command._all_rows("tracing", None, Effort(rounds=1, turns=1), 0)) == []
        assert "opentelemetry-sdk is not installed" in capsys.readouterr().out


def spans_by_hand(
    last: Callable[..., Any],
    traced_send: handwritten.TraceSend = handwritten.by_hand_send,
    traced_receiver: handwritten.TraceReceiver = handwritten.by_hand_receiver,
) -> list[Any]:
    provider, exporter = tracing()
    tracer = provider.get_tracer("by hand")
    name = f"{__name__}.served"
    signal = Signal()
    for receiver in (serve, last):
        signal.connect(traced_receiver(tracer, name, receiver), weak=False, dispatch_uid=object())
    send(traced_send(tracer, name, Signal.send), signal)
    return described(exporter)


def spans_of_ours(last: Callable[..., Any]) -> list[Any]:
    provider, exporter = tracing()
    sink = TracingSink(tracer_provider=provider)
    served.receivers = []
    for receiver in (serve, last):
        served.connect(receiver, dispatch_uid=object())
    add_sink(sink)
    try:
        send(Signal.send, served)
    finally:
        remove_sink(sink)
    return described(exporter)


def tracing() -> tuple[TracerProvider, InMemorySpanExporter]:
    provider, exporter = TracerProvider(shutdown_on_exit=False), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider, exporter


def send(traced: Callable[..., Any], signal: Signal) -> None:
    with suppress(LookupError):
        traced(signal, Sender, number=1)


def described(exporter: InMemorySpanExporter) -> list[Any]:
    spans = exporter.get_finished_spans()
    names = {span.context.span_id: span.name for span in spans if span.context is not None}
    return [_described(span, names) for span in spans]


def _described(span: ReadableSpan, names: dict[int, str]) -> tuple[Any, ...]:
    attributes = dict(span.attributes or {})
    if "django.signal.dispatch.id" in attributes:
        attributes["django.signal.dispatch.id"] = "one of its own"
    parent = None if span.parent is None else names[span.parent.span_id]
    status = span.status.status_code, span.status.description
    return span.name, parent, attributes, status, [event.name for event in span.events]
