"""How long dispatches and receiver calls took, as histograms.

Measured while the span of what is measured is current, so that the SDK can attach exemplars.

A receiver call that was skipped never ran, and is not measured. One that was cancelled took its
time and is measured, without ``error.type``: its task was called off from outside, so it says
nothing about the receiver, and would make a rate of failures out of every client that hangs up.
"""

from __future__ import annotations

from typing import Final

from opentelemetry.metrics import Histogram, MeterProvider, NoOpHistogram, get_meter

from signal_inspector import trouble
from signal_inspector.dispatches import Dispatch
from signal_inspector.names.safe import class_path
from signal_inspector.records import Outcome
from signal_inspector.tracing import scope
from signal_inspector.tracing.attributes import ERROR_TYPE, FUNCTION, METHOD, SIGNAL

#: Upper bounds of the buckets, in seconds. A receiver may take microseconds, or wait for a slow
#: service; the bounds that an SDK uses by itself are meant for milliseconds.
BOUNDARIES: Final = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)

#: How many sets of attributes each histogram gets. An SDK keeps the buckets of each set as long
#: as the process lives, and code that makes signals or receivers as it runs has no end of names.
LIMIT: Final = 1000

#: Stands for every name beyond ``LIMIT``. What is measured under it is counted as dropped.
OTHER: Final = "_OTHER"

_SECOND: Final = 1e9  # in nanoseconds


class Meters:
    """The histograms of one meter provider; None stands for the global one."""

    def __init__(self, meter_provider: MeterProvider | None = None, *, limit: int = LIMIT) -> None:
        meter = get_meter(scope.NAME, scope.VERSION, meter_provider, scope.SCHEMA_URL)
        self._send = meter.create_histogram(
            "django.signal.send.duration",
            unit="s",
            description="Duration of sending a signal, its receivers included.",
            explicit_bucket_boundaries_advisory=BOUNDARIES,
        )
        self._receiver = meter.create_histogram(
            "django.signal.receiver.duration",
            unit="s",
            description="Duration of one call of a signal's receiver.",
            explicit_bucket_boundaries_advisory=BOUNDARIES,
        )
        self._sends = AttributeSets(SIGNAL, METHOD, limit)
        self._receivers = AttributeSets(SIGNAL, FUNCTION, limit)

    def is_idle(self) -> bool:
        """Whether nothing would be measured: no SDK is set, or it is switched off."""
        return _is_idle(self._send)

    def sent(self, dispatch: Dispatch, error: BaseException | None) -> None:
        """Measure a dispatch that has ended; ``error`` is what it raised to the sender."""
        failed = error is not None and dispatch.outcome is Outcome.RAISED
        error_type = class_path(type(error)).removeprefix("builtins.") if failed else ""
        attributes = self._sends.of(dispatch.signal, dispatch.method.value, error_type)
        self._send.record(dispatch.duration_ns / _SECOND, attributes)

    def received(self, dispatch: Dispatch, index: int) -> None:
        """Measure a receiver call, if it ran and has ended."""
        outcome, failure, duration_ns = dispatch.end_of(index)
        if outcome is Outcome.SKIPPED or outcome is Outcome.RUNNING:
            return
        failed = failure is not None and outcome is Outcome.RAISED
        error_type = failure.exception_class if failure is not None and failed else ""
        receiver = dispatch.receivers[index].name
        attributes = self._receivers.of(dispatch.signal, receiver, error_type)
        self._receiver.record(duration_ns / _SECOND, attributes)


class AttributeSets:
    """The sets of attributes that one histogram has been given: each is made once, few at all."""

    __slots__ = ("_first", "_known", "_limit", "_second")

    def __init__(self, first: str, second: str, limit: int) -> None:
        self._first = first
        self._second = second
        self._limit = limit
        self._known: dict[tuple[str, str, str], dict[str, str]] = {}

    def of(self, first: str, second: str, error_type: str) -> dict[str, str]:
        """The attributes of one measurement; "" as ``error_type`` says that nothing failed."""
        known = self._known.get((first, second, error_type))
        if known is None:
            if len(self._known) >= self._limit:
                trouble.drop("metric attributes")
                return self._made(OTHER, OTHER, error_type and OTHER)
            known = self._made(first, second, error_type)
            self._known[first, second, error_type] = known
        return known

    def _made(self, first: str, second: str, error_type: str) -> dict[str, str]:
        attributes = {self._first: first, self._second: second}
        if error_type:
            attributes[ERROR_TYPE] = error_type
        return attributes


def _is_idle(histogram: Histogram) -> bool:
    # The API has no public way to ask. Its stand-in, which waits for an SDK, keeps the real one
    # under this name; should the name go, we measure into nothing, which is slow but right.
    real = getattr(histogram, "_real_instrument", histogram)
    return real is None or type(real) is NoOpHistogram
