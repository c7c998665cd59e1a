"""What the inspector itself dropped or failed at, as observable counters."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Final
from weakref import WeakSet

from opentelemetry.metrics import (
    CallbackOptions,
    MeterProvider,
    Observation,
    get_meter,
    get_meter_provider,
)

from signal_inspector import trouble
from signal_inspector.tracing import scope

KIND: Final = "django.signal.inspector.kind"

#: Providers that have the counters. Weak, and the callbacks know no provider either: one that
#: is thrown away, as tests do, is not kept alive by having been observed.
_observed: WeakSet[MeterProvider] = WeakSet()
_lock = Lock()


def _after_fork() -> None:
    global _lock
    _lock = Lock()  # the thread that held it is not in the child


if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(after_in_child=_after_fork)


def observe(meter_provider: MeterProvider | None = None) -> None:
    """Let a meter provider read our counts; None stands for the global one. Idempotent.

    The counts are those of the process: each provider that observes them exports all of them.
    """
    provider = get_meter_provider() if meter_provider is None else meter_provider
    with _lock:
        if _is_observed(provider):
            return
        _observed.add(provider)
    meter = get_meter(scope.NAME, scope.VERSION, provider, scope.SCHEMA_URL)
    meter.create_observable_counter(
        "django.signal.inspector.dropped",
        callbacks=[_observer(trouble.known_drops)],
        unit="{item}",
        description="What Signal Inspector did not keep as a limit was reached.",
    )
    meter.create_observable_counter(
        "django.signal.inspector.failures",
        callbacks=[_observer(trouble.known_counts)],
        unit="{failure}",
        description="Failures inside Signal Inspector; the signals were sent all the same.",
    )


def _is_observed(provider: MeterProvider) -> bool:
    if provider in _observed:
        return True
    # The API's stand-in hands its instruments on to the global provider that is set later.
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
