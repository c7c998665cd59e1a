"""The audit in Django's admin: for reading alone."""

from __future__ import annotations

from django.contrib import admin

from signal_inspector.audit.admin.model_admins import (
    AuditedDispatchAdmin,
    GapAdmin,
    OperationAdmin,
    RetryAdmin,
)
from signal_inspector.audit.models import AuditedDispatch, Gap, Operation, Retry

__all__ = ["register"]


def register(site: admin.AdminSite) -> None:
    """Show the audit on an admin site; on Django's own it is by being installed."""
    site.register(AuditedDispatch, AuditedDispatchAdmin)
    site.register(Gap, GapAdmin)
    site.register(Retry, RetryAdmin)
    site.register(Operation, OperationAdmin)


register(admin.site)
