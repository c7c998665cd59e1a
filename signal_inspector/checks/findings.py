"""What the checks find: which ids there are, and how a finding is told."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from django.core.checks import INFO, WARNING, CheckMessage


class _Kind(NamedTuple):
    number: str  # of the id: "W011"
    title: str  # as docs/checks.md heads it


class Kind(Enum):
    """Everything that is looked for in signals and receivers, by its id."""

    NO_KWARGS = _Kind("W011", "a receiver does not accept `**kwargs`")
    DEAD = _Kind("W012", "a receiver has gone away")
    FLEETING = _Kind("W013", "a receiver is held by nothing that lasts")
    TWICE = _Kind("W014", "a receiver is connected twice")
    IMPORTED_TWICE = _Kind("W015", "a receiver is connected twice, as its file was imported twice")
    OUTSIDE_READY = _Kind("W016", "a receiver is connected outside of `ready()`")
    LATE = _Kind("W017", "a receiver is connected after start-up")
    MISPLACED = _Kind("W018", "a receiver is defined in `models.py` or `views.py`")
    BELOW_DECORATOR = _Kind("W019", "a receiver is connected without the decorators above it")
    UID_TAKEN = _Kind("W020", "a receiver is not connected, as its `dispatch_uid` is taken")
    SYNC_ON_ASEND = _Kind("W021", "a signal is sent with `asend` to sync receivers")
    UNLOGGABLE = _Kind("W022", "a receiver's failure cannot be logged by `send_robust`")
    PROVIDING_ARGS = _Kind("W023", "`providing_args`")
    TEXT_AS_SENDER = _Kind("W028", "a text is the sender that a receiver waits for")
    UNSENT_PARAMETER = _Kind("W029", "a receiver requires an argument that no send gives")
    VAIN_DISCONNECT = _Kind("W030", "a `disconnect()` found nothing")
    NEVER_SENT = _Kind("I024", "a signal is never sent")
    NOBODY_CONNECTED = _Kind("I025", "a signal has no receivers")
    NAME = _Kind("I026", "a name does not say what happened")
    MAY_STOP_OTHERS = _Kind("I027", "one receiver may stop the rest")

    @property
    def number(self) -> str:
        """What stands in ``CHECKS["IGNORE"]``: "W011"."""
        return self.value.number

    @property
    def id(self) -> str:
        """What stands in ``SILENCED_SYSTEM_CHECKS``: "signal_inspector.W011"."""
        return f"signal_inspector.{self.number}"

    @property
    def level(self) -> int:
        """Of Django's levels: WARNING or INFO."""
        return INFO if self.number.startswith("I") else WARNING


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, or worth to know."""

    kind: Kind
    subject: str  # dotted name of what it is about
    message: str  # what is wrong, and why it matters
    hint: str  # what to write instead
    names: tuple[str, ...]  # of signals and receivers: a glob on any of them ignores it
    path: str = ""  # where to look
    line: int = 0

    def as_message(self) -> CheckMessage:
        """The same for Django's checks."""
        return CheckMessage(
            self.kind.level, self.message, hint=self.hint, obj=self.subject, id=self.kind.id
        )


def place(path: str, line: int) -> str:
    """``shop/receivers.py:14``, seen from the current directory if it is below; "" if unknown."""
    if not path:
        return ""
    try:
        relative = os.path.relpath(path)
    except (OSError, ValueError):  # no current directory, or another drive
        relative = path
    short = path if relative.startswith("..") else relative
    return f"{short}:{line}" if line else short


def at(path: str, line: int) -> str:
    """The same for a sentence: " (shop/receivers.py:14)", or nothing."""
    where = place(path, line)
    return f" ({where})" if where else ""


def listed(words: list[str]) -> str:
    """``a, b and c``."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
