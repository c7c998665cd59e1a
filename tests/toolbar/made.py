"""Dispatches made by hand, in milliseconds of a request that starts at 0."""

from __future__ import annotations

from typing import Any

from signal_inspector.conf import Config
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import (
    Caller,
    Failure,
    NotCalled,
    Outcome,
    Query,
    ReceiverCall,
    SendMethod,
    Summary,
)
from signal_inspector.display.timeline import Scale
from signal_inspector.toolbar.advice import Case
from signal_inspector.toolbar.dispatch_rows import Remarks
from signal_inspector.toolbar.grouping import Tree
from signal_inspector.toolbar.requests import Links
from signal_inspector.toolbar.timeline import Timeline

MS = 1_000_000


def call(
    receiver: str = "shop.receivers.log_order",
    outcome: Outcome = Outcome.RETURNED,
    *,
    at: float | None = 0,
    took: float = 1,
    own: float | None = None,
    raised: str = "",
    queries: tuple[str, ...] = (),
    **fields: Any,
) -> ReceiverCall:
    """A receiver call; ``raised`` makes it one that raised, "Class: message"."""
    if raised:
        outcome = Outcome.RAISED
        name, _, message = raised.partition(": ")
        fields.setdefault("failure", Failure(exception_class=name, message=message))
    ran = outcome is not Outcome.SKIPPED
    fields.setdefault("path", f"/srv/{receiver.replace('.', '/')}.py")
    return ReceiverCall(
        receiver=receiver,
        outcome=outcome,
        line=fields.pop("line", 7),
        is_async=fields.pop("is_async", False),
        offset_ns=int(at * MS) if ran and at is not None else None,
        duration_ns=int(took * MS) if ran else 0,
        self_ns=int((took if own is None else own) * MS) if ran else 0,
        query_count=fields.pop("query_count", len(queries)),
        query_ns=len(queries) * MS // 2,
        queries=tuple(
            Query(alias=fields.get("alias", "default"), sql=sql, duration_ns=MS // 2)
            for sql in queries
        ),
        **{key: value for key, value in fields.items() if key != "alias"},
    )


class World:
    """The dispatches of a request, in the order they are sent."""

    def __init__(self) -> None:
        self.dispatches: list[Dispatch] = []

    def send(
        self,
        signal: str = "shop.signals.order_placed",
        *calls: ReceiverCall,
        method: str = "send",
        at: float | None = None,
        took: float = 1,
        parent: Dispatch | None = None,
        parent_call: int | None = 0,
        line: int = 10,
        payload: dict[str, Summary] | None = None,
        **fields: Any,
    ) -> Dispatch:
        """One dispatch. It raised where a receiver did and the method is not robust."""
        index = len(self.dispatches)
        failed = any(one.outcome is Outcome.RAISED for one in calls)
        robust = SendMethod.named(method).is_robust
        outcome = Outcome.RAISED if failed and not robust else Outcome.RETURNED
        start_ms = index if at is None else at
        dispatch = Dispatch.from_dict(
            {
                "id": f"01a202bf-0000-7000-8000-{index:012}",
                "parent_id": None if parent is None else parent.id_text,
                "parent_call": None if parent is None else parent_call,
                "signal": signal,
                "sender": fields.pop("sender", "shop.models.Order"),
                "method": method,
                "started_at": "2026-11-22T10:14:07.318000+00:00",
                "start_ns": int(start_ms * MS),
                "duration_ns": int(took * MS),
                "outcome": fields.pop("outcome", outcome),
                "payload_dropped": fields.pop("payload_dropped", 0),
                "in_transaction": fields.pop("in_transaction", False),
                "rolled_back": fields.pop("rolled_back", False),
                "by_time": fields.pop("by_time", False),
                "trace_id": fields.pop("trace_id", ""),
                "trace_sampled": fields.pop("trace_sampled", None),
                "calls": [one.as_dict() for one in calls],
            }
        )
        dispatch.sequence = index
        dispatch.payload = payload
        caller = Caller("/srv/shop/services.py", line, "place_order")
        dispatch.caller = fields.pop("caller", caller)
        for name in ("project_caller", "stack", "unseen", "not_called"):
            if name in fields:
                setattr(dispatch, name, fields.pop(name))
        assert not fields, f"unknown: {fields}"
        self.dispatches.append(dispatch)
        return dispatch

    @property
    def tree(self) -> Tree:
        return Tree(self.dispatches)

    @property
    def scale(self) -> Scale:
        end = max((dispatch.end_ns for dispatch in self.dispatches), default=MS)
        return Scale(0, max(end, 100 * MS))

    def timeline(self, remarks: Remarks | None = None) -> Timeline:
        return Timeline(self.tree, self.scale, remarks or Remarks(), Links("r1"))

    def case(self, **config: Any) -> Case:
        return Case(
            tree=self.tree,
            config=config.pop("config", Config()),
            catalog=config.pop("catalog", ()),
            dropped=config.pop("dropped", 0),
        )


def plain(text: str) -> Summary:
    """The summary of a plain value."""
    return Summary(kind="plain", type="builtins.int", text=text)


def model(text: str) -> Summary:
    """The summary of a model instance."""
    return Summary(kind="model", type="shop.models.Order", text=text)


def not_called(receiver: str, reason: Any, detail: str = "listens to another") -> NotCalled:
    """A receiver that was not reached."""
    return NotCalled(receiver=receiver, path="/srv/a.py", line=3, reason=reason, detail=detail)


def skipped(receiver: str) -> ReceiverCall:
    """A receiver that never ran."""
    return call(receiver, Outcome.SKIPPED)
