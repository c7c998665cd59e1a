"""Stand-ins for receivers: called in their place, and known by their names.

One is made for each dispatch, and gone from the responses before the sender sees them: for that
the send methods are wrapped while a fault is in force, and only then.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import wraps
from threading import RLock
from typing import Any, Protocol

from django.dispatch import Signal

from signal_inspector.records import SendMethod


class Calling(Protocol):
    """What decides how a receiver is called."""

    def call(self, receiver: Any, named: dict[str, Any]) -> Any: ...

    def acall(self, receiver: Any, named: dict[str, Any]) -> Any: ...


class StandIn:
    """Is called in the place of a receiver, and is taken for it by whoever looks at it."""

    def __init__(self, receiver: Any, fault: Calling) -> None:
        self.__wrapped__ = receiver
        self.__fault = fault
        module = getattr(receiver, "__module__", None)
        if module is not None:
            self.__module__ = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)

    def __call__(self, **named: Any) -> Any:
        return self.__fault.call(self.__wrapped__, named)


class AsyncStandIn(StandIn):
    """The same of an async receiver."""

    def __call__(self, **named: Any) -> Any:
        return self._StandIn__fault.acall(self.__wrapped__, named)


_KINDS = (StandIn, AsyncStandIn)


def real(receiver: Any) -> Any:
    """The receiver that somebody connected, where a stand-in may be meant."""
    while type(receiver) in _KINDS:
        receiver = receiver.__wrapped__
    return receiver


_lock = RLock()
_users = 0
_originals: dict[tuple[type[Signal], str], Callable[..., Any]] = {}
_ours: dict[tuple[type[Signal], str], Callable[..., Any]] = {}


def acquire() -> None:
    """Have sends answer with receivers, where they would with stand-ins, until ``release``."""
    global _users
    with _lock:
        _users += 1
        for place in _places():
            if place not in _ours:
                kind, method = place
                _originals[place] = original = kind.__dict__[method]
                _ours[place] = _answering(original)
                setattr(kind, method, _ours[place])


def release() -> None:
    """Undo ``acquire``; the last one puts back the send methods."""
    global _users
    with _lock:
        _users -= 1
        if _users:
            return
        for place, ours in list(_ours.items()):
            kind, method = place
            if kind.__dict__.get(method) is ours:  # else another patch lies upon it: it stays
                setattr(kind, method, _originals.pop(place))
                del _ours[place]


def _places() -> Iterator[tuple[type[Signal], str]]:
    """The send methods of Signal and of its subclasses, where they are defined."""
    waiting = [Signal]
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        for method in SendMethod:
            if inspect.isfunction(kind.__dict__.get(method)):
                yield kind, method.value


def _answering(original: Callable[..., Any]) -> Callable[..., Any]:
    """A send method that answers with receivers, where it would with stand-ins for them."""
    if inspect.iscoroutinefunction(original):

        @wraps(original)
        async def answering(self: Any, *args: Any, **kwargs: Any) -> Any:
            return _with_receivers(await original(self, *args, **kwargs))

    else:

        @wraps(original)
        def answering(self: Any, *args: Any, **kwargs: Any) -> Any:
            answer = original(self, *args, **kwargs)
            # An asend() that is no coroutine function itself.
            return _awaited(answer) if inspect.iscoroutine(answer) else _with_receivers(answer)

    return answering


async def _awaited(answer: Any) -> Any:
    return _with_receivers(await answer)


def _with_receivers(responses: Any) -> Any:
    if isinstance(responses, list):
        for index, pair in enumerate(responses):
            if isinstance(pair, tuple) and len(pair) == 2 and type(pair[0]) in _KINDS:
                responses[index] = (real(pair[0]), pair[1])
    return responses
