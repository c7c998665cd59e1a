"""A world in plain values: drawn once, built anew for every mode it is run in.

The ``repr`` of a ``World`` is Python: paste it into an ``@example`` to keep what it found.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SignalKind(StrEnum):
    """Which class of signals."""

    PLAIN = "plain"
    SUPER = "super"  # overrides all four methods, and calls super()
    FRESH = "fresh"  # the same, of a class defined while the world is built
    ALONE = "alone"  # overrides send(), send_robust() and asend() without super()
    ASEND = "asend"  # overrides asend() and asend_robust(), and calls super()
    RENAMED = "renamed"  # send_by_name() calls super().send(); send() itself raises


class ReceiverKind(StrEnum):
    """What sort of callable a receiver is."""

    FUNCTION = "function"
    LAMBDA = "lambda"
    METHOD = "method"
    CLASSMETHOD = "classmethod"
    PARTIAL = "partial"
    INSTANCE = "instance"
    MOCK = "mock"
    UNAWAITED = "unawaited"  # sync, and returns a coroutine that nobody awaits
    ASYNC_FUNCTION = "async function"
    ASYNC_METHOD = "async method"
    ASYNC_PARTIAL = "async partial"
    ASYNC_MOCK = "async mock"
    # Sync functions that are marked as coroutine functions, and what they return:
    MARKED_FUTURE = "marked future"
    MARKED_TASK = "marked task"
    MARKED_AWAITABLE = "marked awaitable"
    MARKED_PLAIN = "marked plain"  # something that cannot be awaited

    @property
    def is_async(self) -> bool:
        """Whether Django takes it for an async receiver."""
        return self.startswith(("async", "marked"))


class Method(StrEnum):
    SEND = "send"
    SEND_ROBUST = "send_robust"
    ASEND = "asend"
    ASEND_ROBUST = "asend_robust"

    @property
    def is_async(self) -> bool:
        return self.startswith("asend")

    @property
    def sync(self) -> Method:
        """What sync code calls in its place."""
        return Method(self.removeprefix("a"))


class How(StrEnum):
    """What the top-level code does with a send."""

    PLAIN = "plain"
    IN_LOOP = "in a running loop"  # of a sync method
    TIMEOUT = "under a timeout that has passed"
    CANCEL = "cancelled after some ticks"
    TWICE = "gathered with another one like it"
    CLOSE = "stepped by hand, then closed"
    UNAWAITED = "never awaited"


# What receivers do, and top-level code too. What makes no sense where it stands does nothing.


@dataclass(frozen=True)
class SetVar:
    var: int
    value: int


@dataclass(frozen=True)
class Tick:
    """Let the event loop go round."""

    times: int


@dataclass(frozen=True)
class Open:
    """Open a gate of the world."""

    gate: int


@dataclass(frozen=True)
class Wait:
    """Let the event loop go round until a gate is open, or long enough."""

    gate: int


@dataclass(frozen=True)
class Link:
    receiver: int
    signal: int
    sender: int | None = None
    weak: bool = True
    uid: str | None = None


@dataclass(frozen=True)
class Connect:
    link: Link


@dataclass(frozen=True)
class Disconnect:
    link: Link


@dataclass(frozen=True)
class Drop:
    """Let go of a receiver and collect garbage: weak connections to it die."""

    receiver: int


@dataclass(frozen=True)
class Send:
    signal: int
    sender: int
    method: Method
    named: tuple[str, ...] = ()
    swallow: bool = False  # whether the sender catches what the send raises
    how: How = How.PLAIN  # of top-level code
    ticks: int = 0  # for How.CANCEL and How.CLOSE


@dataclass(frozen=True)
class Spawn:
    """Start a task."""

    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Cancel:
    """Cancel the running task, or the top-level one."""

    outermost: bool


@dataclass(frozen=True)
class Warn:
    """Warn with a stack level that names the code that sent."""


Step = SetVar | Tick | Open | Wait | Connect | Disconnect | Drop | Send | Spawn | Cancel | Warn


class Returned(StrEnum):
    TOKEN = "token"
    NONE = "none"
    UNHASHABLE = "unhashable"
    HOSTILE = "hostile"  # raises when it is compared, printed, hashed or asked for its truth
    EXCEPTION = "exception"  # an instance, returned


class Raised(StrEnum):
    VALUE = "ValueError"
    UNPRINTABLE = "Unprintable"  # its str() raises
    STOP = "Stop"  # a BaseException, as KeyboardInterrupt is one
    CANCELLED = "CancelledError"
    STOP_ITERATION = "StopIteration"  # from async code alone: a Future refuses it
    GROUP = "ExceptionGroup"


class Chained(StrEnum):
    NOT = "not"
    CAUSE = "cause"
    CONTEXT = "context"
    SUPPRESSED = "suppressed"


@dataclass(frozen=True)
class Return:
    what: Returned = Returned.TOKEN


@dataclass(frozen=True)
class Raise:
    what: Raised = Raised.VALUE
    chained: Chained = Chained.NOT
    note: bool = False


@dataclass(frozen=True)
class Receiver:
    kind: ReceiverKind = ReceiverKind.FUNCTION
    steps: tuple[Step, ...] = ()
    ending: Return | Raise = Return()
    held: bool = True  # whether anything but the signal holds it
    ticks: int = 0  # until the future of a MARKED_FUTURE is done


@dataclass(frozen=True)
class SignalSpec:
    kind: SignalKind = SignalKind.PLAIN
    caching: bool = False


@dataclass(frozen=True)
class World:
    signals: tuple[SignalSpec, ...]
    receivers: tuple[Receiver, ...]
    links: tuple[Link, ...]
    steps: tuple[Step, ...]  # of the top-level code
    #: Ticks until a loop runs what it was given for a thread, in the loop's own thread: then all
    #: happens in one order. None: in real threads, with nothing beside them that could race.
    threads: int | None = 0
