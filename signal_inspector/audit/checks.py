"""System checks: whether the log can be written, and whether it is being written."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from django.apps import AppConfig, apps
from django.conf import settings as project
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's names
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connections, router
from django.db.models import Sum

from signal_inspector.audit.delivery.current import delivery_class, shares_a_file
from signal_inspector.audit.destinations.database.adapters import stored_now
from signal_inspector.audit.middleware import AuditMiddleware
from signal_inspector.audit.models import AuditedDispatch, Gap, GapReason
from signal_inspector.audit.operations.health import late_writers
from signal_inspector.audit.settings import get_settings
from signal_inspector.conf import import_named

_DAYS = 7
_MIDDLEWARE: Final = f"{AuditMiddleware.__module__}.{AuditMiddleware.__qualname__}"
#: Prefixes of the paths of middleware that sends no signals, so it may come before ours.
_QUIET: Final = (
    "corsheaders.",
    "debug_toolbar.",
    "django.middleware.",
    "django_prometheus.",
    "opentelemetry.",
    "whitenoise.",
)


def check_installation(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    """Check that the audit gets dispatches, and knows the requests that they are sent in.

    W006: the core app is not installed. W007: the middleware is missing or comes late, in a
    project that answers requests.
    """
    found: list[CheckMessage] = []
    if not apps.is_installed("signal_inspector"):
        found.append(
            Warning(
                "INSTALLED_APPS contains signal_inspector.audit, but not signal_inspector: no "
                "dispatch is recorded, and the audit log stays empty.",
                hint='Add "signal_inspector" to INSTALLED_APPS, in first place.',
                id="signal_audit.W006",
            )
        )
    before = _before_ours()
    if before and getattr(project, "ROOT_URLCONF", None):
        found.append(Warning(before, hint=f'Put "{_MIDDLEWARE}" first.', id="signal_audit.W007"))
    return found


def _before_ours() -> str:
    """What is wrong with the position of the middleware; "" if nothing is."""
    loud = None
    for path in project.MIDDLEWARE or ():
        if _is_ours(path):
            if loud is None:
                return ""
            return (
                f"{loud} comes before AuditMiddleware in MIDDLEWARE: the signals that it sends "
                "are logged without their request and user."
            )
        if loud is None and not path.startswith(_QUIET):
            loud = path
    return (
        "MIDDLEWARE does not contain the AuditMiddleware: signals that are sent in requests are "
        "logged without their request and user."
    )


def _is_ours(path: str) -> bool:
    if path == _MIDDLEWARE:
        return True
    try:
        found = import_named(path, "middleware")
    except ImproperlyConfigured:  # Django reports this when it loads the middleware
        return False
    return isinstance(found, type) and issubclass(found, AuditMiddleware)


def check_delivery(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check that the settings name a delivery that suits the database.

    E001: there is no such database. E002: there is no such delivery. W001: the delivery has its
    own connection, and the database is a SQLite file that the project uses (``after_transaction``
    is used instead). W002: the app's tables are not routed to the database that is written to.
    """
    settings = get_settings()
    place = 'SIGNAL_INSPECTOR["AUDIT"]'
    if settings.database not in connections.settings:
        known = ", ".join(sorted(connections.settings))
        return [
            Error(
                f'{place}["DATABASE"] names {settings.database!r}, which is not in DATABASES.',
                hint=f"Use one of: {known}.",
                id="signal_audit.E001",
            )
        ]
    found: list[CheckMessage] = []
    if settings.delivery != "auto":
        try:
            chosen = delivery_class(settings.delivery)
        except ImproperlyConfigured as error:
            return [
                Error(
                    f'{place}["DELIVERY"]: {error}',
                    hint='Until this is corrected, "auto" is used.',
                    id="signal_audit.E002",
                )
            ]
        if chosen.has_own_connection and shares_a_file(settings.database):
            found.append(
                Warning(
                    f'{place}["DELIVERY"] is {settings.delivery!r}, which writes from its own '
                    "thread, but the database is a SQLite file that the project writes to as "
                    "well.",
                    hint=(
                        '"after_transaction" is used instead. Use "auto", or give the audit its '
                        "own database."
                    ),
                    id="signal_audit.W001",
                )
            )
        found += chosen.check(settings)
    if not router.allow_migrate_model(settings.database, AuditedDispatch):
        found.append(
            Warning(
                f"The tables of the audit are not migrated to {settings.database!r}, the "
                "database that the log is written to.",
                hint="Add signal_inspector.audit.routers.AuditRouter to DATABASE_ROUTERS.",
                id="signal_audit.W002",
            )
        )
    return found


def check_cachalot(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check that django-cachalot does not cache the log, as it does not notice writes to it.

    W009: it does.
    """
    if not apps.is_installed("cachalot") or not getattr(project, "CACHALOT_ENABLED", True):
        return []
    label = AuditedDispatch._meta.app_label
    tables = {model._meta.db_table for model in apps.get_app_config(label).get_models()}
    left_out = {*getattr(project, "CACHALOT_UNCACHABLE_TABLES", ())}
    if label in getattr(project, "CACHALOT_UNCACHABLE_APPS", ()) or tables <= left_out:
        return []
    only_tables = {*getattr(project, "CACHALOT_ONLY_CACHABLE_TABLES", ())}
    only_apps = {*getattr(project, "CACHALOT_ONLY_CACHABLE_APPS", ())}
    if (only_tables or only_apps) and label not in only_apps and not tables & only_tables:
        return []
    databases = getattr(project, "CACHALOT_DATABASES", "supported_only")
    if not isinstance(databases, str) and get_settings().database not in databases:
        return []
    return [
        Warning(
            "django-cachalot caches the tables of the audit, but does not see the writes to "
            "them: the pages of the audit show outdated content.",
            hint=f'Add "{label}" to CACHALOT_UNCACHABLE_APPS.',
            id="signal_audit.W009",
        )
    ]


def check_log(
    app_configs: Sequence[AppConfig] | None,
    databases: Sequence[str] | None = None,
    **kwargs: Any,
) -> list[CheckMessage]:
    """Check the state of the log; runs only with ``check --database`` and ``migrate``.

    W003: the tables are missing. W004: dispatches of the last week are missing. W005: a writer
    has something to write and does not.
    """
    using = get_settings().database
    if not databases or using not in databases:
        return []
    try:
        # Without its tables there is nothing else to check.
        if missing := _missing_tables(using):
            return [] if sys.argv[1:2] == ["migrate"] else missing  # migrate creates them now
        return [*_gaps(using), *_late(using)]
    except DatabaseError:
        return []  # Django's own checks report a database that does not answer


def _missing_tables(using: str) -> list[CheckMessage]:
    with connections[using].cursor() as cursor:
        tables = connections[using].introspection.table_names(cursor)
    if AuditedDispatch._meta.db_table in tables:
        return []
    return [
        Warning(
            "The tables of the audit are missing: no dispatch can be written.",
            hint=f"Run: manage.py migrate signal_audit --database {using}",
            id="signal_audit.W003",
        )
    ]


def _gaps(using: str) -> list[CheckMessage]:
    since = stored_now() - timedelta(days=_DAYS)
    gaps = Gap.objects.using(using).filter(written_at__gte=since, closed_at=None)
    reasons = gaps.values_list("reason").annotate(missing=Sum("missing")).order_by("reason")
    told = ", ".join(f"{missing} ({GapReason(reason).label})" for reason, missing in reasons)
    if not told:
        return []
    return [
        Warning(
            f"Dispatches of the last {_DAYS} days are missing from the audit log: {told}.",
            hint="See the gaps in the admin for when and why, and mark them as resolved there.",
            id="signal_audit.W004",
        )
    ]


def _late(using: str) -> list[CheckMessage]:
    return [
        Warning(
            f"{writer.process} has {writer.waiting} dispatches to write to the audit log, and "
            f"last reported at {writer.seen_at:%Y-%m-%d %H:%M:%S}.",
            hint='See the logger "signal_inspector" of that process for the reason.',
            id="signal_audit.W005",
        )
        for writer in late_writers(using)
    ]
