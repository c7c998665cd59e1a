"""Signals and receivers that fail on demand, and records of it in the log."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, ClassVar

from django.dispatch import Signal

from signal_inspector.audit.models import AuditedCall
from signal_inspector.audit.operations.retry_conditions import find_call
from signal_inspector.audit.testing import audited
from tests.payload_app.models import Order

order_placed = Signal()
stock_low = Signal()


class Channel(enum.Enum):
    WEB = "web"
    SHOP = "shop"


class Till:
    """A sender that is no model."""


class Calls:
    """What the receivers were called with, and what they are to do."""

    seen: ClassVar[list[dict[str, Any]]] = []
    others: ClassVar[int] = 0
    act: ClassVar[Callable[[], Any] | None] = None


def award_points(sender: Any, **named: Any) -> Any:
    """Remembers its arguments and does as it is told."""
    Calls.seen.append({"sender": sender, **named})
    return Calls.act() if Calls.act is not None else None


async def award_slowly(sender: Any, **named: Any) -> Any:
    return award_points(sender, **named)


def bystander(**named: Any) -> None:
    Calls.others += 1


class Desk:
    """Has a receiver that is a bound method."""

    def on_placed(self, **named: Any) -> Any:
        Calls.seen.append({"self": self, **named})
        return Calls.act() if Calls.act is not None else None


class MineError(Exception):
    """What the receivers raise."""


def fail() -> None:
    raise MineError("no points today")


def recorded(
    sender: Any = Order, *, index: int | None = None, signal: Signal = order_placed, **named: Any
) -> AuditedCall:
    """Send so that a receiver fails, and give the record of the call that failed."""
    before, Calls.act = Calls.act, fail
    with audited():
        signal.send_robust(sender, **named)
    Calls.act = before
    Calls.seen.clear()
    Calls.others = 0
    calls = AuditedCall.objects.order_by("-dispatch_id", "index")
    latest = calls.filter(dispatch_id=calls[0].dispatch_id)
    call = next(each for each in latest if index in (None, each.index) and each.exception_id)
    return find_call(call.dispatch_id, call.index)
