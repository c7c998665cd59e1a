"""The audit in Django's admin. Its records can only be read there, not changed."""

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
    """Show the audit on an admin site. On Django's default site, this happens automatically."""
    site.register(AuditedDispatch, AuditedDispatchAdmin)
    site.register(Gap, GapAdmin)
    site.register(Retry, RetryAdmin)
    site.register(Operation, OperationAdmin)


register(admin.site)
