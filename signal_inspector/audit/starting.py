"""What the app does when the project starts, and when its settings change."""

from __future__ import annotations

import functools
from typing import Any, Final

from django.core import checks
from django.core.signals import request_finished, setting_changed
from django.db.backends.base.creation import BaseDatabaseCreation
from django.db.models.signals import post_migrate

from signal_inspector import scopes, trouble
from signal_inspector.audit import watching
from signal_inspector.audit.attribution import processes
from signal_inspector.audit.attribution.tasks import connect_task_signals
from signal_inspector.audit.checks import (
    check_cachalot,
    check_delivery,
    check_installation,
    check_log,
)
from signal_inspector.audit.deliveries.caller import Caller
from signal_inspector.audit.delivering import process
from signal_inspector.audit.destinations.database import own_connections
from signal_inspector.audit.destinations.database.adapters import forget_names
from signal_inspector.audit.policies import forget_policies
from signal_inspector.audit.reading.sent_on import sent_on
from signal_inspector.audit.settings import Audit
from signal_inspector.audit.sink import AuditSink
from signal_inspector.catalog import recorded
from signal_inspector.conf import SETTING, forget_config, register_section

_UID: Final = "signal_inspector.audit"
sink: AuditSink | None = None


def start() -> None:
    """Listen from now on. Starting twice is harmless."""
    global sink
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
    watching.offer()
    recorded.register("audit", sent_on)
    if sink is None:
        sink = AuditSink()
    listen()


def listen() -> AuditSink:
    """Let the sink hear of dispatches, once; it stops by itself under a test runner."""
    assert sink is not None  # noqa: S101 - `start` has been called by the app
    scopes.remove_sink(sink)
    scopes.add_sink(sink)
    return sink


def _watch_test_databases() -> None:
    """Close our connections before a test database is destroyed, which they would forbid."""
    original = BaseDatabaseCreation.destroy_test_db
    if hasattr(original, "__signal_inspector_original__"):
        return

    @functools.wraps(original)
    def destroy_test_db(self: BaseDatabaseCreation, /, *args: Any, **kwargs: Any) -> Any:
        try:
            process.renew()
            own_connections.close_all(processes.EXIT_SECONDS)
        except Exception as error:
            trouble.report("closing the connections of the audit", error)
        return original(self, *args, **kwargs)

    watched: Any = destroy_test_db
    watched.__signal_inspector_original__ = original
    setattr(BaseDatabaseCreation, "destroy_test_db", watched)  # noqa: B010 - mypy


def _setting_changed(setting: str, **kwargs: object) -> None:
    if setting == SETTING:
        forget_config()
        forget_policies()
        process.renew()
        if sink is not None:
            sink.renew()


def _migrated(using: str, **kwargs: object) -> None:
    forget_names(using)  # `flush` sends it too, which empties the tables


def _request_finished(**kwargs: object) -> None:
    delivery = process.delivery
    if isinstance(delivery, Caller):
        delivery.look()
