"""The sink: from a dispatch that has ended to the delivery, in a few microseconds."""

from __future__ import annotations

import logging
import sys
from typing import Any

from signal_inspector import scopes
from signal_inspector.audit.attribution import tasks
from signal_inspector.audit.attribution.circumstances import current
from signal_inspector.audit.delivering import process
from signal_inspector.audit.outcomes import detached
from signal_inspector.audit.policies import details_of, policy_for, wanted_details
from signal_inspector.audit.rows import Item
from signal_inspector.dispatches import Dispatch
from signal_inspector.records import Details
from signal_inspector.sinks import Sink

_logger = logging.getLogger("signal_inspector")


def is_testing() -> bool:
    """Whether Django's test environment is set up in this process.

    Every test runner does that, Django's and pytest-django. A mail backend for tests does not
    tell: projects run with it in development.
    """
    # Not imported for the question: it would bring all that a test client needs.
    module: Any = sys.modules.get("django.test.utils")
    return module is not None and hasattr(module._TestState, "saved_data")


class AuditSink(Sink):
    """Hands every audited dispatch to the delivery of the process."""

    def __init__(self) -> None:
        self.details = wanted_details()
        #: How many tests, one inside the other, have asked to be audited.
        self.asked = 0

    def details_for(self, signal: str) -> Details | None:
        policy = policy_for(signal)
        return None if policy is None else details_of(policy)

    def dispatch_finished(self, dispatch: Dispatch) -> None:
        if not self.asked and is_testing():
            self._leave()
            return
        policy = policy_for(dispatch.signal)
        if policy is None:
            return
        if dispatch.audience.collectors:
            dispatch = detached(dispatch)
        if not tasks.hears_celery and "celery.signals" in sys.modules:
            tasks.hear_celery()
        delivery = process.delivery or process.get()
        delivery.take(Item(dispatch, current(), policy))

    def _leave(self) -> None:
        """Keep nothing of tests that have not asked, and gather nothing from here on."""
        scopes.remove_sink(self)
        _logger.info(
            "Django's test environment is set up in this process: the audit keeps nothing from "
            "here on, but what is sent inside of audited()."
        )
        if process.delivery is not None:  # of what was sent before
            process.renew()

    def renew(self) -> None:
        """Gather what the settings ask for now."""
        self.details = wanted_details()
        scopes.refresh_sinks()
