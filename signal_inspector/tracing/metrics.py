"""The durations of dispatches and receiver calls as histograms; our own losses as counters.

A duration is recorded while its span is current, so that the SDK can attach exemplars.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final
from weakref import WeakSet

from opentelemetry.metrics import (
    CallbackOptions,
    Histogram,
    MeterProvider,
    NoOpHistogram,
    Observation,
    get_meter,
    get_meter_provider,
)

from signal_inspector.core import internal_errors, process_state
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import Outcome
from signal_inspector.names.safe import class_path
from signal_inspector.tracing import otel
from signal_inspector.tracing.attributes import ERROR_TYPE, FUNCTION, METHOD, SIGNAL

#: Upper bounds of the buckets, in seconds. A receiver may take microseconds, or wait for a slow
#: service; the default bounds of an SDK are meant for milliseconds.
BOUNDARIES: Final = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)

#: The most sets of attributes that each histogram gets. An SDK keeps the buckets of each set for
#: the life of the process, and code that makes signals or receivers as it runs makes new names
#: without end.
LIMIT: Final = 1000

#: Replaces every name beyond ``LIMIT``. Each measurement under it is counted as dropped.
OTHER: Final = "_OTHER"

_SECOND: Final = 1e9  # in nanoseconds

KIND: Final = "django.signal.inspector.kind"

#: The providers that have the counters. References are weak, and the callbacks hold no provider
#: either, so that a provider that is thrown away, as in tests, is not kept alive.
_observed: WeakSet[MeterProvider] = WeakSet()
_lock = process_state.lock()


class Meters:
    """The histograms of one meter provider; None is the global one."""

    def __init__(self, meter_provider: MeterProvider | None = None, *, limit: int = LIMIT) -> None:
        meter = get_meter(otel.NAME, otel.VERSION, meter_provider, otel.SCHEMA_URL)
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
        """Whether nothing would be measured: no SDK is set up, or it is switched off."""
        return _is_idle(self._send)

    def sent(self, dispatch: Dispatch, error: BaseException | None) -> None:
        """Measure a dispatch that has ended; ``error`` is the exception that the sender got."""
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
    """The sets of attributes that one histogram has been given: each made once, up to a limit."""

    __slots__ = ("_first", "_known", "_limit", "_second")

    def __init__(self, first: str, second: str, limit: int) -> None:
        self._first = first
        self._second = second
        self._limit = limit
        self._known: dict[tuple[str, str, str], dict[str, str]] = {}

    def of(self, first: str, second: str, error_type: str) -> dict[str, str]:
        """The attributes of one measurement; ``error_type`` is "" if nothing failed."""
        known = self._known.get((first, second, error_type))
        if known is None:
            if len(self._known) >= self._limit:
                internal_errors.drop("metric attributes")
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
    # The API has no public way to ask. Its proxy, which waits for an SDK, keeps the real histogram
    # under this name. If the name disappears, we measure into nothing, which is slow but correct.
    real = getattr(histogram, "_real_instrument", histogram)
    return real is None or type(real) is NoOpHistogram


def observe(meter_provider: MeterProvider | None = None) -> None:
    """Let a meter provider read our counts; None is the global one. Idempotent.

    The counts are those of the whole process, so each provider exports all of them.
    """
    provider = get_meter_provider() if meter_provider is None else meter_provider
    with _lock:
        if _is_observed(provider):
            return
        _observed.add(provider)
    meter = get_meter(otel.NAME, otel.VERSION, provider, otel.SCHEMA_URL)
    meter.create_observable_counter(
        "django.signal.inspector.dropped",
        callbacks=[_observer(internal_errors.known_drops)],
        unit="{item}",
        description="What Signal Inspector did not keep because a limit was reached.",
    )
    meter.create_observable_counter(
        "django.signal.inspector.failures",
        callbacks=[_observer(internal_errors.known_counts)],
        unit="{failure}",
        description="Failures inside Signal Inspector. The signals were sent as usual.",
    )


def _is_observed(provider: MeterProvider) -> bool:
    if provider in _observed:
        return True
    # The API's proxy passes its instruments on to the global provider that is set later.
    is_global = provider is get_meter_provider()
    return is_global and any(_is_stand_in(each) for each in _observed)


def _is_stand_in(provider: MeterProvider) -> bool:
    return type(provider).__name__ == "_ProxyMeterProvider"


def _observer(
    read: Callable[[], Mapping[str, int]],
) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observed(options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(count, {KIND: kind}) for kind, count in read().items()]

    return observed
