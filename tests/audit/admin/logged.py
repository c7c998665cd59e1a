"""Dispatches that stand in the log, without having been sent."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from signal_inspector.audit.lookups import first_id_at, number_of
from signal_inspector.audit.models import (
    AuditedCall,
    AuditedDispatch,
    AuditedObject,
    Ending,
    Gap,
    Method,
    Name,
    NameKind,
    Origin,
    Retry,
    TransactionOutcome,
)
from signal_inspector.audit.payloads import payload_text
from signal_inspector.audit.settings import get_settings
from signal_inspector.core.record.values import Summary

START = datetime(2026, 11, 22, 10, 14, 7, 410_000, tzinfo=UTC)
TRACEBACK = """Traceback (most recent call last):
  File "loyalty/receivers.py", line 18, in award_points
    account = LoyaltyAccount.objects.get(user=user)
loyalty.models.LoyaltyAccount.DoesNotExist: no such account"""

_counter = itertools.count()


#: Names that the rows to be written next need.
_needed: dict[int, Name] = {}


def _name(kind: NameKind, text: str) -> int:
    number = number_of(kind, text)
    _needed[number] = Name(id=number, kind=kind, text=text)
    return number


def _write_names(using: str) -> None:
    Name.objects.using(using).bulk_create(_needed.values(), ignore_conflicts=True)
    _needed.clear()


def model(key: str) -> Summary:
    return Summary(kind="model", type=key.partition(":")[0], text=key)


def plain(value: Any) -> Summary:
    return Summary(kind="plain", type=type(value).__name__, text=repr(value), value=value)


def redacted() -> Summary:
    return Summary(kind="redacted", type="str", text="redacted")


def call(
    receiver: str = "shop.receivers.log_order",
    *,
    raised: str = "",
    location: str = "shop/receivers.py:15",
    **columns: Any,
) -> dict[str, Any]:
    """A receiver call; one that raised an exception of this class."""
    return {
        "receiver": receiver,
        "exception": raised,
        "location": location,
        "outcome": Ending.RAISED if raised else Ending.RETURNED,
        "is_async": False,
        "offset_ns": 100_000,
        "duration_ns": 3_400_000,
        "self_ns": 3_400_000,
        "query_count": 1,
        "query_ns": 900_000,
        "message": "no such account" if raised else "",
        "traceback": TRACEBACK if raised else "",
        "response": "",
        **columns,
    }


def dispatched(
    signal: str = "shop.signals.order_placed",
    *calls: dict[str, Any],
    at: datetime | None = None,
    payload: dict[str, Summary] | None = None,
    objects: Sequence[str] = (),
    line: str = "",
    **columns: Any,
) -> AuditedDispatch:
    """A dispatch in the log with these calls; the next millisecond after the one before."""
    using = get_settings().database
    number = next(_counter)
    when = at or START + timedelta(milliseconds=number)
    failed = sum(each["outcome"] == Ending.RAISED for each in calls)
    skipped = sum(each["outcome"] == Ending.SKIPPED for each in calls)
    values: dict[str, Any] = {
        "id": UUID(int=first_id_at(when).int + number),
        "started_at": when,
        "duration_ns": 186_200_000,
        "signal_id": _name(NameKind.SIGNAL, signal),
        "sender_id": _name(NameKind.SENDER, "shop.models.Order"),
        "caller_id": _name(NameKind.CALLER, "shop/services.py:131 place_order"),
        "project_caller_id": _name(NameKind.CALLER, line) if line else None,
        "process_id": _name(NameKind.PROCESS, "web-2, pid 4127, uvicorn"),
        "delivery_id": _name(NameKind.DELIVERY, "buffered"),
        "method": Method.SEND_ROBUST,
        "outcome": Ending.RETURNED,
        "is_failed": 1 if failed else None,
        "receiver_count": len(calls),
        "failed_count": failed,
        "skipped_count": skipped,
        "transaction_outcome": TransactionOutcome.COMMITTED,
        "query_count": len(calls),
        "query_ns": 900_000,
        "actor": "auth.User:7",
        "actor_label": "anna",
        "request_id": "req-8f3c1b2e",
        "origin": Origin.REQUEST,
        "origin_name": "POST /checkout/",
        "client": "203.0.113.24",
        "trace_id": None,
        "span_id": "",
        "trace_sampled": None,
        "payload": payload_text(payload or {}),
        "payload_dropped": 0,
        "written_at": when + timedelta(seconds=0.6),
        **columns,
    }
    dispatch = AuditedDispatch(**values)
    rows = [_call(dispatch, index, each) for index, each in enumerate(calls)]
    about = [
        AuditedObject(model_id=_name(NameKind.MODEL, label), object_pk=pk, dispatch_id=dispatch.id)
        for label, _, pk in (key.partition(":") for key in objects)
    ]
    _write_names(using)
    dispatch.save(using=using, force_insert=True)
    AuditedCall.objects.using(using).bulk_create(rows)
    AuditedObject.objects.using(using).bulk_create(about)
    return dispatch


def _call(dispatch: AuditedDispatch, index: int, values: dict[str, Any]) -> AuditedCall:
    rest = dict(values)
    names = {
        "receiver_id": _name(NameKind.RECEIVER, rest.pop("receiver")),
        "location_id": _name(NameKind.LOCATION, rest.pop("location")),
    }
    exception = rest.pop("exception")
    names["exception_id"] = _name(NameKind.EXCEPTION, exception) if exception else None
    return AuditedCall(dispatch_id=dispatch.id, index=index, **names, **rest)


def order_42(**columns: Any) -> AuditedDispatch:
    """The checkout of order 42: a receiver fails, and another one sends two signals."""
    dispatch = dispatched(
        "shop.signals.order_placed",
        call(response="null"),
        call(
            "loyalty.receivers.award_points",
            raised="loyalty.models.LoyaltyAccount.DoesNotExist",
            location="loyalty/receivers.py:18",
            offset_ns=3_600_000,
            duration_ns=21_800_000,
            self_ns=21_800_000,
        ),
        call(
            "inventory.receivers.sync_warehouse",
            location="inventory/receivers.py:52",
            offset_ns=25_500_000,
            duration_ns=160_600_000,
            self_ns=147_700_000,
            response="\"{'reserved': 12, 'low': 1}\"",
        ),
        payload={
            "order": model("shop.Order:42"),
            "user": model("auth.User:7"),
            "lines": Summary(
                kind="collection",
                type="list",
                text="list of 2",
                items=(("0", model("shop.OrderLine:118")), ("1", model("shop.OrderLine:119"))),
            ),
            "channel": plain("web"),
            "card_token": redacted(),
        },
        objects=["shop.Order:42", "auth.User:7", "shop.OrderLine:118", "shop.OrderLine:119"],
        trace_id="7c1d4e0b9a5f4c7e8f2a61b30d9c5e42",
        transaction_id=UUID(int=77),
        query_count=39,
        query_ns=22_800_000,
        **columns,
    )
    nested = {"parent_id": dispatch.id, "parent_call": 2, "method": Method.SEND}
    nested |= {"trace_id": dispatch.trace_id, "transaction_id": dispatch.transaction_id}
    sent = dispatch.started_at
    dispatched(
        "inventory.signals.stock_low",
        at=sent + timedelta(milliseconds=143.8),
        duration_ns=20_000,
        **nested,
    )
    dispatched(
        "inventory.signals.warehouse_synced",
        call("inventory.receivers.note", offset_ns=1_000_000, duration_ns=8_000_000),
        at=sent + timedelta(milliseconds=169.5),
        duration_ns=12_900_000,
        **nested,
    )
    return dispatch


def history(count: int = 60) -> None:
    """Dispatches of several signals, with all outcomes there are."""
    kinds: list[dict[str, Any]] = [
        {"calls": [call(), call("crm.receivers.push_order")]},
        {"calls": [call("crm.receivers.push_order", raised="httpx.ReadTimeout"), call()]},
        {
            "signal": "coupons.signals.coupon_redeemed",
            "calls": [
                call("fraud.receivers.check_velocity", raised="coupons.errors.CouponAbuse"),
                *[
                    call(f"coupons.receivers.step_{step}", outcome=Ending.SKIPPED, offset_ns=None)
                    for step in range(2)
                ],
            ],
            "outcome": Ending.RAISED,
            "method": Method.SEND,
            "transaction_outcome": TransactionOutcome.ROLLED_BACK,
        },
        {"signal": "comments.signals.comment_posted", "calls": [], "method": Method.ASEND},
        {
            "signal": "shipping.signals.parcel_sent",
            "calls": [call("shipping.receivers.book_courier")],
            "origin": Origin.COMMAND,
            "origin_name": "manage.py send_parcels",
            "actor": None,
            "actor_label": "",
            "request_id": None,
            "transaction_outcome": TransactionOutcome.NONE,
        },
    ]
    for index in range(count):
        kind = dict(kinds[index % len(kinds)])
        signal = kind.pop("signal", "shop.signals.order_placed")
        when = START - timedelta(minutes=7 * (count - index))
        dispatched(signal, *kind.pop("calls"), at=when, **kind)


def gap(**columns: Any) -> Gap:
    """A gap that is over, and with which nobody has dealt."""
    values: dict[str, Any] = {
        "from_at": START - timedelta(hours=2),
        "to_at": START - timedelta(hours=2, seconds=-40),
        "missing": 1_204,
        "reason": 1,
        "process": "web-1, pid 3991",
        "key": f"gap-{next(_counter)}",
        "written_at": START,
        **columns,
    }
    return Gap.objects.using(get_settings().database).create(**values)


def retried(dispatch: AuditedDispatch, **columns: Any) -> Retry:
    """An attempt to run the second receiver of a dispatch again."""
    values: dict[str, Any] = {
        "dispatch_id": dispatch.id,
        "call_index": 1,
        "attempt": 1,
        "signal": "shop.signals.order_placed",
        "receiver": "loyalty.receivers.award_points",
        "at": START + timedelta(minutes=12),
        "actor": "auth.User:3",
        "actor_label": "mira",
        "reason": "loyalty 2.4.1 is deployed",
        "outcome": 2,
        "exception_class": "loyalty.models.LoyaltyAccount.DoesNotExist",
        "message": "secret of the retry",
        "traceback": "traceback of the retry",
        **columns,
    }
    return Retry.objects.using(get_settings().database).create(**values)
