"""``DispatchesMixin``: each test of a class knows what was sent in it."""

from __future__ import annotations

import unittest
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

from django.test import LiveServerTestCase

from signal_inspector.testing.assertions import Assertions
from signal_inspector.testing.captures import CapturedDispatches, SignalOrName, Wanted
from signal_inspector.testing.capturing import Capture

__unittest = True


class DispatchesMixin(Assertions, unittest.TestCase):
    """For test classes of Django or ``unittest``: ``self.dispatches`` and its assertions.

    What is sent from ``setUp`` to the last clean-up belongs to a test. Its list is emptied
    afterwards: test runners keep test cases, and with them would keep what was sent.
    """

    #: Capture these signals alone, whatever settings say; empty for all that are inspected.
    captured_signals: ClassVar[Sequence[SignalOrName]] = ()
    #: Capture these too.
    captured_also: ClassVar[Sequence[SignalOrName]] = ()
    #: Whether what all threads send belongs to a test; None: if it has a live server.
    captured_threads: ClassVar[bool | None] = None

    dispatches: CapturedDispatches

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        with self._capturing():
            return super().run(result)

    def debug(self) -> None:
        with self._capturing():
            super().debug()

    @contextmanager
    def _capturing(self) -> Iterator[None]:
        everything = self.captured_threads
        if everything is None:
            everything = isinstance(self, LiveServerTestCase)
        capture = Capture(Wanted(self.captured_signals, self.captured_also), everything=everything)
        self.dispatches = dispatches = capture.open()
        try:
            capture.enter_context_of(self)
            yield
        finally:
            capture.close()
            dispatches.clear()

    def _asserted(self) -> CapturedDispatches:
        return self.dispatches
