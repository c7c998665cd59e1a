"""Sinks that ask for every detail and read every record, through either way of the wrapper."""

from __future__ import annotations

import os

from signal_inspector.core.listening.sinks import Observer, Sink
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import Details, SendMethod


class ReadEverything(Sink):
    """Reads each record in full, and leaves a byte in a file so that run.py sees it happened."""

    details = Details.ALL

    def dispatch_started(self, dispatch: Dispatch) -> None:
        dispatch.as_dict()  # a record must be readable while it is being written

    def dispatch_finished(self, dispatch: Dispatch) -> None:
        dispatch.as_dict()
        _count()


class ReadEverythingLive(ReadEverything):
    """Hears of each receiver too, sync or async, and reads the record each time."""

    def observer_for(
        self, signal: str, sender: str, method: SendMethod, receivers: int | None
    ) -> Observer | None:
        return ReadEachReceiver()


class ReadEachReceiver(Observer):
    def entered(self, index: int | None) -> None:
        self.dispatch.as_dict()

    def left(self, index: int | None, ended: bool) -> None:
        self.dispatch.as_dict()


def _count() -> None:
    """Count across processes, also those that end without cleaning up."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    descriptor = os.open(os.environ["SUITES_COUNT"], flags)
    try:
        os.write(descriptor, b".")
    finally:
        os.close(descriptor)
