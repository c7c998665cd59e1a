"""The wrappers change nothing: whatever they lie over, and also after they were taken away."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from django.dispatch import Signal

from signal_inspector import Sink, capture
from signal_inspector.core import internal_errors
from signal_inspector.core.record.values import Details, Outcome
from signal_inspector.core.wrapper import instrument
from tests.listening import listening


def receive(**named: Any) -> str:
    return "received"


async def receive_async(**named: Any) -> str:
    return "received"


@contextmanager
def uninstalled() -> Iterator[None]:
    instrument.uninstall()
    try:
        yield
    finally:
        instrument.install()


@contextmanager
def patched(**methods: Callable[..., Any]) -> Iterator[None]:
    """Signal as a project has patched it before we came."""
    with uninstalled():
        before = {name: Signal.__dict__[name] for name in methods}
        for name, method in methods.items():
            setattr(Signal, name, method)
        instrument.install()
        try:
            yield
        finally:
            instrument.uninstall()
            for name, method in before.items():
                setattr(Signal, name, method)


# What was taken from a Signal while its methods were wrapped


@pytest.mark.parametrize("method", ["send", "send_robust"])
def test_a_bound_method_works_after_uninstalling(method: str) -> None:
    """To async receivers too, for which our own loop goes on to Django's method."""
    signal = Signal()
    signal.connect(receive_async)
    send, alias = getattr(signal, method), getattr(Signal, method)
    with uninstalled():
        assert send(None) == alias(signal, None) == [(receive_async, "received")]


def test_a_coroutine_is_awaited_after_uninstalling() -> None:
    """One that was made before, and those of a method that was taken before."""
    signal = Signal()
    signal.connect(receive)

    async def run() -> None:
        made = signal.asend(None)
        asend_robust = signal.asend_robust
        with uninstalled():
            assert await made == [(receive, "received")]
            assert await asend_robust(None) == [(receive, "received")]

    asyncio.run(run())


def test_connect_and_disconnect_work_after_uninstalling() -> None:
    """Bound methods and those of the class."""
    signal = Signal()
    connect, disconnect, init = signal.connect, Signal.disconnect, Signal.__init__
    with uninstalled():
        connect(receive)
        assert disconnect(signal, receive) is True
        init(signal)


# Somebody else's methods


def test_a_patched_connect_takes_and_answers_what_it_likes() -> None:
    """An argument more, and an answer; the connection is noted."""
    djangos = Signal.__dict__["connect"].__wrapped__

    def connect(
        self: Signal,
        receiver: Any,
        sender: Any = None,
        weak: bool = True,
        dispatch_uid: Any = None,
        priority: int = 0,
    ) -> str:
        djangos(self, receiver, sender, weak, dispatch_uid)
        return f"priority {priority}"

    with patched(connect=connect):
        signal = Signal()
        assert signal.connect(receive, priority=3) == "priority 3"
        assert signal.connect(receiver=receive, sender=str) == "priority 0"
        assert len(signal.receivers) == 2


def test_a_patched_connect_of_few_arguments() -> None:
    """It is given by name what it was given by name."""
    djangos = Signal.__dict__["connect"].__wrapped__

    def connect(self: Signal, receiver: Any, **kwargs: Any) -> Any:
        return djangos(self, receiver, **kwargs)

    with patched(connect=connect):
        signal = Signal()
        signal.connect(receive, sender=str, dispatch_uid="x")
        assert signal.receivers[0][0][0] == "x"


def test_a_patched_disconnect_answers_what_it_likes() -> None:
    """And takes what it likes."""
    djangos = Signal.__dict__["disconnect"].__wrapped__

    def disconnect(self: Signal, receiver: Any = None, *rest: Any, why: str = "") -> str:
        djangos(self, receiver, *rest)
        return why

    with patched(disconnect=disconnect):
        signal = Signal()
        signal.connect(receive)
        assert signal.disconnect(receive, why="done") == "done"  # type: ignore[call-arg]
        assert signal.receivers == []


@pytest.mark.parametrize("listens", [False, True])
def test_a_patched_send_may_do_without_a_sender(listens: bool) -> None:
    """The sender is None to it, and so to us."""
    djangos = {name: getattr(Signal, name).__wrapped__ for name in ("send", "asend")}

    def send(self: Signal, sender: Any = None, **named: Any) -> Any:
        return djangos["send"](self, sender, **named)

    async def asend(self: Signal, sender: Any = None, **named: Any) -> Any:
        return await djangos["asend"](self, sender, **named)

    with patched(send=send, asend=asend), listening(*[Sink()] * listens):
        signal = Signal()
        signal.connect(receive)
        assert signal.send() == [(receive, "received")]  # type: ignore[call-arg]
        assert asyncio.run(signal.asend(order=1)) == [(receive, "received")]  # type: ignore[call-arg]


def test_an_override_may_take_an_argument_called_self() -> None:
    """It takes its own object by position."""

    class Own(Signal):
        def send(this, sender: Any, /, **named: Any) -> Any:  # type: ignore[override] # noqa: N805
            return named

    assert Own().send(None, self=1) == {"self": 1}


class _Frozen(type(Signal)):  # type: ignore[misc]
    """A metaclass whose classes take no attributes."""

    is_frozen = True

    def __setattr__(cls, name: str, value: object) -> None:
        if _Frozen.is_frozen:
            raise TypeError("frozen class")
        super().__setattr__(name, value)


def test_a_class_that_takes_no_attributes_is_left_alone() -> None:
    """It is defined, and sends; that it is not watched is reported once."""

    class Own(Signal, metaclass=_Frozen):
        def send(self, sender: Any, **named: Any) -> Any:
            return super().send(sender, **named)

    signal = Own()
    signal.connect(receive)
    assert signal.send(None) == [(receive, "received")]
    with uninstalled():
        assert signal.send(None) == [(receive, "received")]
    [kind] = internal_errors.counts()
    assert kind.startswith("watching ")
    _Frozen.is_frozen = False  # for the tests to come


# Idle


def test_idle_the_receivers_are_asked_for_once() -> None:
    """Also async ones: an override of _live_receivers may count."""
    asked = []

    class Counting(Signal):
        def _live_receivers(self, sender: Any) -> Any:
            asked.append(sender)
            return super()._live_receivers(sender)  # type: ignore[misc]

    signal = Counting()
    signal.connect(receive_async)
    for method in ("send", "send_robust"):
        assert getattr(signal, method)(None) == [(receive_async, "received")]
    assert asked == [None, None]


@pytest.mark.parametrize("receiver", [receive, receive_async])
@pytest.mark.parametrize("method", ["send", "send_robust", "asend", "asend_robust"])
def test_idle_a_sender_is_hashed_as_often_as_by_django(
    method: str, receiver: Callable[..., Any]
) -> None:
    """And ``receivers`` is read as often, which a subclass may have made a property."""

    class Sender:
        hashed = 0

        def __hash__(self) -> int:
            Sender.hashed += 1
            return 1

    class Watchful(Signal):
        read = 0

        @property
        def receivers(self) -> Any:  # type: ignore[override]
            Watchful.read += 1
            return self.__dict__["receivers"]

        @receivers.setter
        def receivers(self, value: Any) -> None:
            self.__dict__["receivers"] = value

    def count() -> tuple[int, int]:
        signal = Watchful(use_caching=True)
        signal.connect(receiver)
        Sender.hashed = Watchful.read = 0
        sent = getattr(signal, method)(Sender())
        if asyncio.iscoroutine(sent):
            asyncio.run(sent)
        return Sender.hashed, Watchful.read

    with uninstalled():
        bare = count()
    assert count() == bare


@pytest.mark.parametrize("method", ["send", "send_robust"])
def test_idle_receivers_of_both_kinds(method: str) -> None:
    """Both get the signal itself, in Django's order."""
    got: list[Any] = []

    def sync(signal: Signal, **named: Any) -> str:
        got.append(signal)
        return "sync"

    async def not_sync(signal: Signal, **named: Any) -> str:
        got.append(signal)
        return "async"

    signal = Signal()
    signal.connect(not_sync)
    signal.connect(sync)
    assert getattr(signal, method)(None) == [(sync, "sync"), (not_sync, "async")]
    assert [each is signal for each in got] == [True, True]


def test_idle_an_async_failure_is_logged_by_its_own_name(caplog: pytest.LogCaptureFixture) -> None:
    """Django names the receiver, and returns what it raised."""

    async def fails(**named: Any) -> None:
        raise ValueError

    signal = Signal()
    signal.connect(fails)
    [(receiver, error)] = signal.send_robust(None)
    assert receiver is fails
    assert isinstance(error, ValueError)
    assert fails.__qualname__ in caplog.records[-1].getMessage()


# What is left behind


class _Request:
    """Stands for what the code that awaits holds."""


@pytest.mark.parametrize("ends", ["cancelled", "raised"])
@pytest.mark.parametrize("method", ["asend", "asend_robust"])
def test_no_frame_outlives_a_send(ends: str, method: str) -> None:
    """What the awaiting code holds goes with it, without the garbage collector.

    Where Django's own frames keep it (6.1), they do so without us.
    """
    instrument.uninstall()
    try:
        bare = _lives_on(ends, method)
    finally:
        instrument.install()
    with listening(Sink()), capture():
        assert not _lives_on(ends, method) or bare


def _lives_on(ends: str, method: str) -> bool:
    """Whether what the code held that awaited a send is there when that has ended."""
    signal = Signal()
    alive: list[weakref.ref[_Request]] = []

    async def waits(**named: Any) -> None:
        if ends == "raised":
            raise ValueError
        await asyncio.Event().wait()

    signal.connect(waits)

    async def view() -> None:
        request = _Request()
        alive.append(weakref.ref(request))
        await getattr(signal, method)(None)

    async def run() -> None:
        task = asyncio.ensure_future(view())
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError, ValueError):
            await task
        del task

    gc.collect()
    gc.disable()
    try:
        asyncio.run(run())
        return alive[0]() is not None
    finally:
        gc.enable()


def test_a_parent_gets_the_time_of_a_dispatch_that_nobody_reads() -> None:
    """Without details nothing closes the record, but its parent does not count its time twice."""
    inner, outer = Signal(), Signal()

    def slow(**named: Any) -> None:
        for _ in range(200):
            sum(range(500))

    def send_inner(**named: Any) -> None:
        inner.send(None)

    inner.connect(slow)
    outer.connect(send_inner)
    with capture(details=Details.NONE) as dispatches:
        outer.send(None)
    parent, child = dispatches
    [call] = parent.calls
    assert call.self_ns == call.duration_ns - (child.marks[-1] - child.start_ns)
    assert child.parent is None
    assert child.parent_id == parent.id


@pytest.mark.parametrize("method", ["asend", "asend_robust"])
def test_a_send_to_nobody_that_nobody_hears_takes_what_djangos_takes(method: str) -> None:
    """With no receivers and no listeners it ends at once, and refuses what Django's refuses."""
    signal = Signal()
    send = getattr(signal, method)
    assert asyncio.run(send(None, number=1)) == []
    assert asyncio.run(send(sender=None)) == []
    for arguments, named in ((), {}), ((None,), {"sender": 1}), ((None,), {"self": 1}):
        with pytest.raises(TypeError):
            asyncio.run(send(*arguments, **named))


class _SilentError(Exception):
    """Answers no question of what it is."""

    __class__ = property(lambda self: _refuse())  # type: ignore[assignment]
    __traceback__ = property(lambda self: _refuse())  # type: ignore[assignment]


def _refuse() -> Any:
    raise LookupError("not to be asked")


@pytest.mark.parametrize("details", [Details.NONE, Details.ALL])
def test_an_exception_is_asked_nothing(details: Details) -> None:
    """One whose properties raise reaches the sender, and is told by its class."""

    def fail(**named: Any) -> None:
        raise _SilentError

    signal = Signal()
    signal.connect(fail)
    with capture(details=details) as dispatches:
        try:
            signal.send(None)
        except BaseException as error:
            caught = type(error)
    assert caught is _SilentError
    [dispatch] = dispatches
    assert dispatch.outcome is Outcome.RAISED
    assert dispatch.calls[0].failure is not None
    assert dispatch.calls[0].failure.exception_class.endswith("_SilentError")
    assert internal_errors.counts() == {}


def test_receivers_that_are_no_pair_fail_as_in_django() -> None:
    """What an own _live_receivers() answers is taken apart as Django does it."""

    class Three(Signal):
        def _live_receivers(self, sender: Any) -> Any:
            return (*super()._live_receivers(sender), [])

    signal = Three()
    signal.connect(lambda **named: 1, weak=False)
    with capture(), pytest.raises(ValueError, match="too many values"):
        asyncio.run(signal.asend(None))
