"""The audit log: what was dispatched, by whom and with what outcome, kept in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from signal_inspector.core import lazy_names

if TYPE_CHECKING:
    from signal_inspector.audit.attribution.circumstances import audit_circumstances
    from signal_inspector.audit.delivery.base import Delivery
    from signal_inspector.audit.delivery.current import flush
    from signal_inspector.audit.signals import audit_lost
    from signal_inspector.audit.testing import audited

__all__ = ["Delivery", "audit_circumstances", "audit_lost", "audited", "flush"]

# Imported on first use: an app's package is imported before models can be loaded.
_HOMES: Final = {
    "Delivery": "delivery.base",
    "audit_circumstances": "attribution.circumstances",
    "audit_lost": "signals",
    "audited": "testing",
    "flush": "delivery.current",
}

if not TYPE_CHECKING:  # with this, a type checker would accept every name
    __getattr__ = lazy_names(__name__, _HOMES)
