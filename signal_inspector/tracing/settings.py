"""``SIGNAL_INSPECTOR["TRACING"]``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from signal_inspector.conf import register_section
from signal_inspector.setting_rules import Fault, ProblemKind


def _hook(value: object) -> Fault | None:
    """A callable, or the dotted path of one."""
    if value is None or callable(value) or _is_path(value):
        return None
    what = "must be a callable or the dotted path of one."
    return Fault(ProblemKind.WRONG_TYPE, what, 'Write it like "shop.tracing.add_tenant".')


def _is_path(value: object) -> bool:
    if not isinstance(value, str):
        return False
    parts = value.split(".")
    return len(parts) > 1 and all(part.isidentifier() for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing:
    """What operators see of signals. Applies beside the general INCLUDE and EXCLUDE."""

    include: tuple[str, ...] = ("*",)  # globs on dotted signal names
    exclude: tuple[str, ...] = ()
    receiver_spans: bool = True  # False: a span per dispatch alone
    # Whether a dispatch with no span around it starts a trace. Without, the spans that its
    # receivers cause would each start one of their own.
    start_traces: bool = True
    # Called with the span before it ends: (span, dispatch) and (span, dispatch, index).
    dispatch_hook: Callable[..., Any] | str | None = field(default=None, metadata={"rule": _hook})
    receiver_hook: Callable[..., Any] | str | None = field(default=None, metadata={"rule": _hook})
    payload_attributes: tuple[str, ...] = ()  # arguments of send() that become attributes
    exception_messages: bool = True  # they may hold personal data
    exception_stacktraces: bool = True
    metrics: bool = True
    log_failures: bool = False  # what receivers raise under robust sends; Django logs it too


register_section("TRACING", Tracing)
