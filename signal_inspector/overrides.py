"""Subclasses of Signal that override send() and its siblings.

An override that calls ``super()`` reaches the wrapped method and is recorded there; the record
is opened here, where the sender called, and adopted there. An override that does it all itself
is watched from outside: the whole is timed, and its receiver calls are read off what it returns
or raises, without times of their own. Wrapping its receivers is no way: such overrides look at
them (module, name, plugin), and would see wrappers.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any, Final

from django.dispatch import Signal

from signal_inspector import following, gather, keeping, recorder, scopes, trouble
from signal_inspector.connections import entries
from signal_inspector.dispatches import Dispatch
from signal_inspector.keeping import Seen
from signal_inspector.names import class_path, receiver_name
from signal_inspector.names.receivers import innermost
from signal_inspector.records import ReceiverCall, SendMethod
from signal_inspector.scopes import Scope, current, set_current
from signal_inspector.watched import Current, Driven

#: As in ``instrument``: empty while nobody listens, and while uninstalled.
ears: Sequence[object] = ()

_MARK: Final = "__signal_inspector_override__"


class Offer(Scope):
    """The scope of an overriding method: its dispatch waits for Signal's own to adopt it."""

    __slots__ = ("passed",)

    def __init__(self, dispatch: Dispatch, signal: Signal, override: object) -> None:
        super().__init__(dispatch.audience, dispatch, None, current.get(), offers=signal)
        self.passed = {override}  # overrides on the way to Signal's own method

    def passes(self, signal: object, override: object) -> bool:
        """Whether an override calls another one of the same dispatch by ``super()``.

        Meeting one that was passed before means that a receiver has sent the signal again.
        """
        if self.offers is not signal or override in self.passed:
            return False
        self.passed.add(override)
        return True

    def beside(self, begin: Callable[..., Dispatch | None], *what: Any) -> Dispatch | None:
        """Open another record than the one on offer."""
        signal, self.offers = self.offers, None
        try:
            return begin(*what)
        finally:
            self.offers = signal


class Watching:
    """One call of an overriding method, and the context it runs in."""

    def __init__(self, dispatch: Dispatch, signal: Signal, override: object) -> None:
        self.dispatch = dispatch
        self.signal = signal
        self._offer = Offer(dispatch, signal, override)
        self.scope: Scope | Dispatch | None = self._offer
        self._followers = dispatch.followers
        following.start(dispatch)
        self._has_ended = False

    def enter(self) -> Current:
        token = set_current[self.scope]
        try:
            if self._followers:
                following.tell(self._followers, "entered", None)
        except BaseException as error:
            try:
                self.end(error, None)
                self.leave()
            finally:
                current.reset(token)
            raise
        return token

    def leave(self) -> None:
        self.scope = current.get()
        if self._followers:
            following.tell(self._followers[::-1], "left", None, self._has_ended)

    def end(self, error: BaseException | None, response: object) -> None:
        """Close the record, unless the wrapped method of Signal took it over."""
        self._has_ended = True
        if self._offer.offers is None:
            return
        held = None
        try:
            seen = list(_seen(self.signal, self.dispatch, error, response))
            self.dispatch.expect([_call(self.dispatch, who, what) for who, _, what in seen])
            if self.dispatch.audience.keepers:
                keeping.from_outside(self.dispatch, seen)
        except BaseException as failure:
            held = trouble.hold("reading an override's responses", failure)
        recorder.complete(self.dispatch, error)
        trouble.resume(held)


def _seen(
    signal: Signal, dispatch: Dispatch, error: BaseException | None, responses: object
) -> Iterator[Seen]:
    """The receiver calls as far as they can be told from outside."""
    if error is not None:
        receiver = _raiser(signal, error)
        if receiver is not None:
            yield receiver, None, error
    elif isinstance(responses, list):
        for pair in responses:
            if isinstance(pair, tuple) and len(pair) == 2 and callable(pair[0]):
                swallowed = pair[1] if dispatch.method.is_robust else None
                failure = swallowed if isinstance(swallowed, Exception) else None
                yield pair[0], pair[1], failure


def _call(dispatch: Dispatch, receiver: object, error: BaseException | None) -> ReceiverCall:
    name = receiver_name(receiver)
    return ReceiverCall(
        receiver=name.name,
        path=name.path,
        line=name.line,
        is_async=inspect.iscoroutinefunction(receiver),
        outcome=recorder.outcome_of(error),
        offset_ns=0,
        failure=None if error is None else gather.failure(dispatch, error),
        timed=False,
    )


def _raiser(signal: Signal, error: BaseException) -> object:
    """The connected receiver whose code stands in the exception's traceback."""
    codes = set()
    traceback = error.__traceback__
    while traceback is not None:
        codes.add(traceback.tb_frame.f_code)
        traceback = traceback.tb_next
    for _, receiver, _ in entries(signal):
        if getattr(innermost(receiver), "__code__", None) in codes:
            return receiver
    return None


def _begin(
    signal: Any, method: SendMethod, override: object, args: Any, kwargs: dict[str, Any]
) -> Watching | None:
    scope = current.get()
    if not isinstance(signal, Signal):
        return None
    if isinstance(scope, Offer) and scope.passes(signal, override):
        return None
    named = dict(kwargs)
    sender = args[0] if args else named.pop("sender", None)
    if isinstance(scope, Offer):
        dispatch = scope.beside(recorder.begin, signal, sender, named, method)
    else:
        dispatch = recorder.begin(signal, sender, named, method)
    if dispatch is None:
        return None
    try:
        return Watching(dispatch, signal, override)
    except BaseException as error:
        recorder.complete(dispatch, error)
        raise


def _sync_override(original: Callable[..., Any], method: SendMethod) -> Callable[..., Any]:
    @wraps(original)
    def watched(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        watching = _begin(self, method, original, args, kwargs) if ears else None
        if watching is None:
            return original(self, *args, **kwargs)
        token = watching.enter()
        try:
            responses = original(self, *args, **kwargs)
        except BaseException as error:
            watching.end(error, None)
            raise
        else:
            watching.end(None, responses)
            return responses
        finally:
            try:
                watching.leave()
            finally:
                current.reset(token)

    return watched


def _async_override(original: Callable[..., Any], method: SendMethod) -> Callable[..., Any]:
    @wraps(original)
    async def watched(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        watching = _begin(self, method, original, args, kwargs) if ears else None
        sending = original(self, *args, **kwargs)
        return await (sending if watching is None else Driven(sending, watching))

    return watched


def _awaitable_override(original: Callable[..., Any], method: SendMethod) -> Callable[..., Any]:
    """For an ``asend`` that is no coroutine function but returns a coroutine.

    A task or a future is handed on as it is: the caller may do more with it than await it.
    """

    @wraps(original)
    def watched(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        sending = original(self, *args, **kwargs)
        if ears and inspect.iscoroutine(sending):
            return awaited(sending, self, args, kwargs)
        return sending

    async def awaited(sending: Any, signal: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        watching = _begin(signal, method, original, args, kwargs)
        return await (sending if watching is None else Driven(sending, watching))

    return watched


def _maker(original: Callable[..., Any], method: SendMethod) -> Callable[..., Callable[..., Any]]:
    if inspect.iscoroutinefunction(original):
        return _async_override
    return _awaitable_override if method.is_async else _sync_override


def _wrap(kind: type[Signal]) -> None:
    for method in SendMethod:
        original = kind.__dict__.get(method)
        if not inspect.isfunction(original) or hasattr(original, _MARK):
            continue
        ours = _maker(original, method)(original, method)
        setattr(ours, _MARK, original)
        _put(kind, method, ours)


def _unwrap(kind: type[Signal]) -> None:
    for method in SendMethod:
        ours = kind.__dict__.get(method)
        original = getattr(ours, _MARK, None)
        if original is not None and getattr(ours, "__wrapped__", None) is original:
            _put(kind, method, original)


def _put(kind: type[Signal], name: str, method: object) -> None:
    """Set a method of a class. One that takes none stays as it is: it is not watched."""
    try:
        setattr(kind, name, method)
    except Exception as error:
        trouble.report(f"watching {class_path(kind)}", error)


def _subclasses(kind: type[Signal]) -> Iterator[type[Signal]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def _init_subclass(cls: type[Signal], /, **kwargs: Any) -> None:
    super(Signal, cls).__init_subclass__(**kwargs)
    _wrap(cls)


_hook = classmethod(_init_subclass)


def install() -> None:
    """Watch the overrides of subclasses that exist and of those to come. Idempotent."""
    global ears
    ears = scopes.ears
    for kind in _subclasses(Signal):
        _wrap(kind)
    if "__init_subclass__" not in Signal.__dict__:
        Signal.__init_subclass__ = _hook  # type: ignore[assignment,method-assign]


def uninstall() -> None:
    """Put back what is still ours."""
    global ears
    ears = ()
    for kind in _subclasses(Signal):
        _unwrap(kind)
    if Signal.__dict__.get("__init_subclass__") is _hook:
        del Signal.__init_subclass__
