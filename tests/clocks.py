"""Time that passes when a test says so, in place of a wait that a busy machine gets wrong."""

from __future__ import annotations

import asyncio

from signal_inspector import Dispatch, ReceiverCall

#: Seconds until a timeout that ``let_an_hour_pass`` is to end. Nobody waits for them.
HALF_AN_HOUR = 1800


def let_an_hour_pass() -> None:
    """Set the clock of the running loop an hour ahead: what was to end by then ends now.

    A short timeout may be over before what it is to interrupt has begun. Code that calls this
    has begun, and nothing that it awaits from here on ends before the timeouts around it.
    """
    loop = asyncio.get_running_loop()
    clock = loop.time
    loop.time = lambda: clock() + 3600  # type: ignore[method-assign]


def moments(dispatch: Dispatch, call: ReceiverCall) -> tuple[int, int]:
    """When a receiver call started and ended, on ``time.perf_counter_ns()``."""
    assert call.offset_ns is not None
    start = dispatch.start_ns + call.offset_ns
    return start, start + call.duration_ns
