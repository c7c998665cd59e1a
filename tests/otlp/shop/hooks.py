from __future__ import annotations

from opentelemetry.trace import Span

from signal_inspector import Dispatch


def name_tenant(span: Span, dispatch: Dispatch) -> None:
    span.set_attribute("shop.tenant", f"tenant of {dispatch.signal.rpartition('.')[2]}")


def fail(span: Span, dispatch: Dispatch, index: int) -> None:
    span.set_attribute("shop.receiver", index)
    raise LookupError("a hook that is broken")
