"""The app of the audit log: it listens from the moment it is installed."""

from __future__ import annotations

from django.apps import AppConfig
from django.urls import NoReverseMatch, reverse


class SignalAuditConfig(AppConfig):
    """Add it to INSTALLED_APPS after ``signal_inspector``, and migrate."""

    name = "signal_inspector.audit"
    label = "signal_audit"
    verbose_name = "Signal audit"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from signal_inspector.audit import sink  # noqa: PLC0415 - needs the models

        sink.start()

    def page_of(self, signal: str, dispatch_id: str) -> str:
        """The URL of a dispatch in the admin; "" if its signal is not audited, or has no page.

        For code that must not import the audit, and gets this config from Django's app registry.
        """
        from signal_inspector.audit.settings import policy_for  # noqa: PLC0415

        try:
            if policy_for(signal) is None:
                return ""
            return reverse("admin:signal_audit_auditeddispatch_change", args=[dispatch_id])
        except NoReverseMatch:
            return ""
