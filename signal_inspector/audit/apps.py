"""The app of the audit log: it listens from the moment it is installed."""

from __future__ import annotations

from django.apps import AppConfig


class SignalAuditConfig(AppConfig):
    """List it in INSTALLED_APPS, after ``signal_inspector``, and migrate."""

    name = "signal_inspector.audit"
    label = "signal_audit"
    verbose_name = "Signal audit"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from signal_inspector.audit import starting  # noqa: PLC0415 - needs the models

        starting.start()
