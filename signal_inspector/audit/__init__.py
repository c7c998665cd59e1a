"""The audit log: what was dispatched, by whom and with what outcome, kept in the database."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from signal_inspector.audit.attribution.circumstances import audit_circumstances
    from signal_inspector.audit.delivery.base import Delivery
    from signal_inspector.audit.delivery.current import flush
    from signal_inspector.audit.signals import audit_lost
    from signal_inspector.audit.testing import audited

__all__ = ["Delivery", "audit_circumstances", "audit_lost", "audited", "flush"]

# Imported when they are asked for: an app's package is imported before there are any models.
_HOMES: Final = {
    "Delivery": "delivery.base",
    "audit_circumstances": "attribution.circumstances",
    "audit_lost": "signals",
    "audited": "testing",
    "flush": "delivery.current",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
