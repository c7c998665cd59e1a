"""A database router that keeps the log in its own database."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Model

from signal_inspector.audit.settings import get_settings

_LABEL: Final = "signal_audit"


class AuditRouter:
    """``DATABASE_ROUTERS = ["signal_inspector.audit.routers.AuditRouter"]``.

    Routes reads, writes and migrations of the log to ``AUDIT["DATABASE"]``, and leaves everything
    else to the other routers. The log has no foreign keys to other apps, so there are no relations
    between databases. Migrate with ``manage.py migrate --database=<alias>``; ``migrate`` of
    another database does not create the tables of the log there.
    """

    def db_for_read(self, model: type[Model], **_hints: Any) -> str | None:
        return get_settings().database if model._meta.app_label == _LABEL else None

    def db_for_write(self, model: type[Model], **_hints: Any) -> str | None:
        return self.db_for_read(model)

    def allow_relation(self, one: Model, other: Model, **_hints: Any) -> bool | None:
        labels = {one._meta.app_label, other._meta.app_label}
        return True if labels == {_LABEL} else None

    def allow_migrate(self, db: str, app_label: str, **_hints: Any) -> bool | None:
        return db == get_settings().database if app_label == _LABEL else None
