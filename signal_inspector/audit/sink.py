"""The sink: from a dispatch that has ended to the delivery, in a few microseconds."""

from __future__ import annotations

import sys
from typing import Final

from django.core import mail

from signal_inspector import scopes
from signal_inspector.audit import tasks
from signal_inspector.audit.circumstances import current
from signal_inspector.audit.delivering import process
from signal_inspector.audit.outcomes import detached
from signal_inspector.audit.policies import details_of, policy_for, wanted_details
from signal_inspector.audit.rows import Item
from signal_inspector.dispatches import Dispatch
from signal_inspector.records import Details
from signal_inspector.sinks import Sink

_mail: Final = mail.__dict__


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
        if "outbox" in _mail and not self.asked:
            # A test runner has set up Django's test environment. Nothing is kept of tests that
            # have not asked, and nothing is gathered from here on.
            scopes.remove_sink(self)
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

    def renew(self) -> None:
        """Gather what the settings ask for now."""
        self.details = wanted_details()
        scopes.refresh_sinks()
