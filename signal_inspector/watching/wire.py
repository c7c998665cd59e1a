"""What goes from a process to a watcher: one JSON object a line.

``{"hello": {...}}`` comes first, then ``{"dispatch": {...}}`` for each dispatch that ended, and
``{"lost": n}`` where some could not be sent. A watcher that is reached by a port says
``{"welcome": {...}}`` before it gets any of it. Nothing here trusts the other side.
"""

from __future__ import annotations

import json
from typing import Any, Final

from signal_inspector.dispatches import Dispatch

VERSION: Final = 1

#: Bytes of a line. A dispatch that is longer loses its payload first, then texts of failures.
LONGEST: Final = 262_144

_CALLS: Final = 500  # receiver calls that are told of one dispatch


def hello(pid: int, process: str, token: str = "") -> bytes:
    """Who is sending."""
    return _line({"hello": {"v": VERSION, "pid": pid, "process": process, "token": token}})


def welcome(answer: str) -> bytes:
    """That the watcher is the one whose address was read."""
    return _line({"welcome": {"v": VERSION, "answer": answer}})


def lost(count: int) -> bytes:
    """That so many dispatches were not sent."""
    return _line({"lost": count})


def dispatch_line(dispatch: Dispatch) -> bytes | None:
    """``Dispatch.as_dict()`` without call stack and SQL; None if it is too long all the same."""
    data = dispatch.as_dict()
    data["stack"] = []
    for call in data["calls"]:
        call["queries"] = []
    line = _line({"dispatch": data})
    if len(line) <= LONGEST:
        return line
    return _shortened(data)


def _shortened(data: dict[str, Any]) -> bytes | None:
    data["shortened"] = True
    data["payload"] = None
    line = _line({"dispatch": data})
    if len(line) > LONGEST:
        for call in data["calls"]:
            call["response"] = None
            if call["failure"]:
                call["failure"]["traceback"] = None
        line = _line({"dispatch": data})
    if len(line) > LONGEST:
        data["calls"] = data["calls"][:_CALLS]
        data["not_called"] = []
        line = _line({"dispatch": data})
    return line if len(line) <= LONGEST else None


def _line(message: dict[str, Any]) -> bytes:
    # In ASCII: a text may hold what UTF-8 has no bytes for.
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def read(line: bytes) -> dict[str, Any]:
    """A message. Raises ValueError for what is none."""
    try:
        # NaN is no JSON, and what is read here may be written as JSON again.
        message = json.loads(line, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise ValueError("not a message") from error
    if not isinstance(message, dict):
        raise ValueError("not a message")  # noqa: TRY004 - whoever sent it, it cannot be read
    return message
