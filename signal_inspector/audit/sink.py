"""The sink: hands each dispatch that has ended to the delivery, in a few microseconds.

``start`` makes it listen when the project starts, and follow changes of the settings.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Iterable
from typing import Any, Final

from django.core import checks
from django.core.signals import request_finished, setting_changed
from django.db.backends.base.creation import BaseDatabaseCreation
from django.db.models.signals import post_migrate

from signal_inspector.audit.attribution import circumstances, processes
from signal_inspector.audit.attribution.circumstances import connect_task_signals, current
from signal_inspector.audit.checks import (
    check_cachalot,
    check_delivery,
    check_installation,
    check_log,
)
from signal_inspector.audit.delivery.after_transaction import AfterTransaction
from signal_inspector.audit.delivery.current import process
from signal_inspector.audit.destinations.database import own_connections
from signal_inspector.audit.destinations.database.adapters import forget_names
from signal_inspector.audit.rows import Item
from signal_inspector.audit.settings import (
    Audit,
    details_of,
    forget_policies,
    policy_for,
    wanted_details,
)
from signal_inspector.conf import SETTING, forget_config, register_section
from signal_inspector.core import internal_errors, registry
from signal_inspector.core.listening import sinks
from signal_inspector.core.listening.sinks import Sink
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import Details

_logger = logging.getLogger("signal_inspector")

_UID: Final = "signal_inspector.audit"


def is_testing() -> bool:
    """Whether Django's test environment is set up in this process.

    All test runners do this, both Django's and pytest-django. The email backend for tests would be
    no sign of it, as some projects use that in development.
    """
    # Not imported here, as this would import everything that a test client needs.
    module: Any = sys.modules.get("django.test.utils")
    return module is not None and hasattr(module._TestState, "saved_data")


class AuditSink(Sink):
    """Hands every audited dispatch to the delivery of the process."""

    def __init__(self) -> None:
        self.details = wanted_details()
        #: How many ``audited`` blocks of tests are open, nested ones included.
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
        if not circumstances.hears_celery and "celery.signals" in sys.modules:
            circumstances.hear_celery()
        delivery = process.delivery or process.get()
        delivery.take(Item(dispatch.detached(), current(), policy))

    def _leave(self) -> None:
        """Stop listening under a test runner, unless a test asks to be audited."""
        sinks.remove_sink(self)
        _logger.info(
            "Django's test environment is set up in this process: from now on, the audit keeps "
            "only what is sent inside audited()."
        )
        if process.delivery is not None:  # it has taken what was sent before
            process.renew()

    def renew(self) -> None:
        """Ask for the details that the settings need now."""
        self.details = wanted_details()
        sinks.refresh_sinks()


installed: AuditSink | None = None


def start() -> None:
    """Listen from now on. Starting twice is harmless."""
    global installed
    register_section("AUDIT", Audit)
    checks.register(check_delivery)
    checks.register(check_installation)
    checks.register(check_cachalot)
    checks.register(check_log, checks.Tags.database)
    setting_changed.connect(_setting_changed, weak=False, dispatch_uid=_UID)
    request_finished.connect(_request_finished, weak=False, dispatch_uid=_UID)
    post_migrate.connect(_migrated, weak=False, dispatch_uid=_UID)
    _watch_test_databases()
    connect_task_signals()
    registry.register_watch_source("audit", _open_log)
    registry.register_sent_on("audit", _sent_on)
    if installed is None:
        installed = AuditSink()
    listen()


def _open_log(asked: registry.Asked) -> registry.Source:
    """The log for ``signals watch --via audit``."""
    from signal_inspector.audit import log_source  # noqa: PLC0415 - a server has no use for it

    return log_source.open_source(asked)


def _sent_on() -> Iterable[registry.SentOn]:
    """What receivers sent, from the log, for the graph of signals."""
    from signal_inspector.audit import log_source  # noqa: PLC0415 - as above

    return log_source.sent_on()


def listen() -> AuditSink:
    """Let the sink listen, but only once; it stops by itself under a test runner."""
    assert installed is not None  # noqa: S101 - `start` has been called by the app
    sinks.remove_sink(installed)
    sinks.add_sink(installed)
    return installed


def _watch_test_databases() -> None:
    """Close our connections before a test database is destroyed, as they would prevent that."""
    original = BaseDatabaseCreation.destroy_test_db
    if hasattr(original, "__signal_inspector_original__"):
        return

    @functools.wraps(original)
    def destroy_test_db(self: BaseDatabaseCreation, /, *args: Any, **kwargs: Any) -> Any:
        try:
            process.renew()
            own_connections.close_all(processes.EXIT_SECONDS)
        except Exception as error:
            internal_errors.report("closing the connections of the audit", error)
        return original(self, *args, **kwargs)

    watched: Any = destroy_test_db
    watched.__signal_inspector_original__ = original
    setattr(BaseDatabaseCreation, "destroy_test_db", watched)  # noqa: B010 - mypy


def _setting_changed(setting: str, **kwargs: object) -> None:
    if setting == SETTING:
        forget_config()
        forget_policies()
        process.renew()
        if installed is not None:
            installed.renew()


def _migrated(using: str, **kwargs: object) -> None:
    forget_names(using)  # `flush` sends this signal too, after it has emptied the tables


def _request_finished(**kwargs: object) -> None:
    delivery = process.delivery
    if isinstance(delivery, AfterTransaction):
        delivery.look()
