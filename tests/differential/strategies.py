"""Draws worlds: small ones, in which much happens."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from hypothesis import strategies as st

from tests.differential.signals import SENDERS
from tests.differential.spec import (
    Cancel,
    Chained,
    Connect,
    Disconnect,
    Drop,
    How,
    Link,
    Method,
    Open,
    Raise,
    Raised,
    Receiver,
    ReceiverKind,
    Return,
    Returned,
    Send,
    SetVar,
    SignalKind,
    SignalSpec,
    Spawn,
    Step,
    Tick,
    Wait,
    Warn,
    World,
)

T = TypeVar("T")

_SYNC_KINDS: Final = [kind for kind in ReceiverKind if not kind.is_async]
_ASYNC_KINDS: Final = [kind for kind in ReceiverKind if kind.is_async]
#: Their bodies are sync: one runs in the loop but cannot wait, the other is never awaited.
_SYNC_BODIES: Final = (*_SYNC_KINDS, ReceiverKind.MARKED_FUTURE, ReceiverKind.MARKED_PLAIN)
_ARGUMENTS: Final = st.lists(st.sampled_from(["a", "b", "key", "sender"]), max_size=3, unique=True)


class _Drawing:
    """Draws the parts of one world."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self.signals = draw(st.integers(1, 3))
        self.receivers = draw(st.integers(1, 5))

    def world(self) -> World:
        kinds = self._pick(
            {_sync: 3, _async: 3, _both: 4},
        )()
        receivers = [self._receiver(kinds) for _ in range(self.receivers)]
        links = [self._link(index) for index in range(self.receivers)]
        links += [self._link() for _ in range(self._number(0, 4))]
        return World(
            signals=tuple(self._signal() for _ in range(self.signals)),
            receivers=tuple(receivers),
            links=tuple(links),
            steps=tuple(self._top_step() for _ in range(self._number(1, 5))),
            threads=self._pick({0: 4, 1: 2, 2: 1, None: 3}),
        )

    def _pick(self, weights: dict[T, int]) -> T:
        """One of the keys, by weight; the first is what a failure shrinks to."""
        return self._draw(st.sampled_from([key for key, n in weights.items() for _ in range(n)]))

    def _number(self, least: int, most: int) -> int:
        return self._draw(st.integers(least, most))

    def _chance(self, of_ten: int) -> bool:
        return self._pick({False: 10 - of_ten, True: of_ten})

    def _signal(self) -> SignalSpec:
        kind = self._pick({SignalKind.PLAIN: 5} | dict.fromkeys(list(SignalKind)[1:], 1))
        return SignalSpec(kind, self._chance(3))

    def _link(self, receiver: int | None = None) -> Link:
        return Link(
            self._number(0, self.receivers - 1) if receiver is None else receiver,
            self._number(0, self.signals - 1),
            self._pick({None: 6, 1: 4} | dict.fromkeys(range(2, SENDERS), 1)),
            weak=self._chance(5),
            uid="uid" if self._chance(1) else None,
        )

    def _receiver(self, kinds: dict[ReceiverKind, int]) -> Receiver:
        kind = self._pick(kinds)
        is_async = kind not in _SYNC_BODIES
        return Receiver(
            kind,
            tuple(self._step(is_async=is_async) for _ in range(self._number(0, 3))),
            self._ending(is_async=is_async),
            held=not self._chance(1),
            ticks=self._number(0, 2),
        )

    def _ending(self, *, is_async: bool) -> Return | Raise:
        if not self._chance(3):
            return Return(self._draw(st.sampled_from(Returned)))
        raised = [what for what in Raised if is_async or what is not Raised.STOP_ITERATION]
        return Raise(
            self._draw(st.sampled_from(raised)),
            self._draw(st.sampled_from(Chained)),
            note=self._chance(2),
        )

    def _step(self, *, is_async: bool, is_spawned: bool = False) -> Step:
        kinds: dict[type[Step], int] = {
            SetVar: 3, Send: 4, Tick: 5, Wait: 1, Open: 1, Connect: 1, Disconnect: 1, Drop: 1,
            Spawn: 1, Cancel: 1, Warn: 1,
        }  # fmt: skip
        for kind in (Tick, Wait) if not is_async else (Warn,):
            del kinds[kind]
        if is_spawned:
            del kinds[Spawn]
        kind = self._pick(kinds)
        if kind is Spawn:
            steps = [self._step(is_async=True, is_spawned=True) for _ in range(self._number(1, 3))]
            return Spawn(tuple(steps))
        return self._make(kind)

    def _make(self, kind: type[Step]) -> Step:
        if kind is SetVar:
            return SetVar(self._number(0, 1), self._number(1, 9))
        if kind is Tick:
            return Tick(self._number(1, 3))
        if kind in (Open, Wait):
            return kind(self._number(0, 1))  # type: ignore[call-arg]
        if kind in (Connect, Disconnect):
            return kind(self._link())  # type: ignore[call-arg]
        if kind is Drop:
            return Drop(self._number(0, self.receivers - 1))
        if kind is Cancel:
            return Cancel(self._chance(5))
        return self._send() if kind is Send else Warn()

    def _top_step(self) -> Step:
        kind = self._pick({Send: 12, SetVar: 1, Connect: 1, Disconnect: 1, Drop: 1})
        return self._top_send() if kind is Send else self._make(kind)

    def _send(self, **more: Any) -> Send:
        return Send(
            self._number(0, self.signals - 1),
            self._pick({1: 10, 2: 2, 0: 1, 3: 1, 4: 3, 5: 1, 6: 1}),
            self._draw(st.sampled_from(Method)),
            tuple(self._draw(_ARGUMENTS)),
            swallow=self._chance(5),
            **more,
        )

    def _top_send(self) -> Send:
        how = self._pick({How.PLAIN: 10} | dict.fromkeys(list(How)[1:], 2))
        send = self._send(how=how, ticks=self._number(0, 4))
        if send.method.is_async or how in (How.PLAIN, How.IN_LOOP):
            return send
        return Send(send.signal, send.sender, send.method, send.named, send.swallow, How.IN_LOOP)


def _sync() -> dict[ReceiverKind, int]:
    return {ReceiverKind.FUNCTION: 3} | dict.fromkeys(_SYNC_KINDS[1:], 1)


def _async() -> dict[ReceiverKind, int]:
    return {ReceiverKind.ASYNC_FUNCTION: 6} | dict.fromkeys(_ASYNC_KINDS[1:], 1)


def _both() -> dict[ReceiverKind, int]:
    return _sync() | _async()


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Signals, receivers, how they are connected at first, and what top-level code does."""
    return _Drawing(draw).world()
