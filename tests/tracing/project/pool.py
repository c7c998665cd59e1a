"""Processes that send signals. Arguments: how they start, and whether they flush.

"fork" and "spawn" make a pool of two; "receiver" makes one, by a receiver that forks.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import django
from django.dispatch import Signal
from opentelemetry import trace

from tests.tracing.project import telemetry

handed_over = Signal()


def fork(sender: object, **kwargs: object) -> None:
    context = multiprocessing.get_context("fork")
    process = context.Process(target=place, args=["child"], kwargs={"flushes": True})
    process.start()
    process.join()


def set_up() -> None:
    """What each process needs that does not inherit it by a fork."""
    django.setup()
    telemetry.set_up()


def place(token: str, *, flushes: bool) -> int:
    from tests.tracing.project.signals import placed, tracer

    with tracer.start_as_current_span("job", attributes={"token": token}):
        placed.send_robust(sender=None, token=token)
    if flushes:
        provider: Any = trace.get_tracer_provider()
        provider.force_flush()
    return os.getpid()


def main() -> None:
    method, flushes = sys.argv[1], sys.argv[2] == "flush"
    set_up()
    if method == "receiver":
        handed_over.connect(fork)
        handed_over.send(sender=None)
        return
    context = multiprocessing.get_context(method)
    initializer = None if method == "fork" else set_up
    with ProcessPoolExecutor(2, mp_context=context, initializer=initializer) as pool:
        list(pool.map(partial(place, flushes=flushes), map(str, range(12))))
    place("parent", flushes=False)


if __name__ == "__main__":
    main()
