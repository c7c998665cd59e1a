"""The methods of ``django.dispatch.Signal``, wrapped: ``install()`` and ``uninstall()``.

For ``send`` and ``send_robust`` to sync receivers, which is nearly every dispatch, our own loop
does what Django's does (``django/dispatch/dispatcher.py``, 5.2 to 6.1) and takes one timestamp
per receiver. It adds no frame, so a ``stacklevel`` in a receiver still fits. Everything else
takes the async path (see ``async_path``). Installing needs no settings and no app registry.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from types import FrameType
from typing import Any, Final

import django
from django.dispatch import Signal
from django.dispatch.dispatcher import NO_RECEIVERS

from signal_inspector import names
from signal_inspector.core import internal_errors, process_state
from signal_inspector.core.listening import observers, sinks
from signal_inspector.core.listening.context import current, set_current
from signal_inspector.core.listening.observers import Passing
from signal_inspector.core.record import callers, recorder
from signal_inspector.core.record.ids import perf_counter_ns
from signal_inspector.core.record.running import RunningDispatch
from signal_inspector.core.record.values import Outcome, SendMethod
from signal_inspector.core.wrapper import connection_log, subclasses
from signal_inspector.core.wrapper.async_path import AskedSignal, Passed, StandIn, unwrap

#: The versions whose send() and send_robust() our own loop is known to reproduce.
KNOWN_DJANGO: Final = ((5, 2), (6, 0), (6, 1))

_SEND: Final = SendMethod.SEND
_SEND_ROBUST: Final = SendMethod.SEND_ROBUST
_RETURNED: Final = Outcome.RETURNED

#: What listens anywhere in the process (``sinks.hearing``). Empty while uninstalled, in case
#: another tool has wrapped our methods and still calls them.
hearing: Sequence[object] = ()

_lock = process_state.lock()
_originals: dict[str, Any] = {}
_ours: dict[str, Any] = {}

#: Django's own send() and send_robust(), once our loops have replaced them. They are never
#: removed, because a method taken from a Signal may be called even after uninstall().
_djangos: Final[dict[SendMethod, Any]] = {}


def send(self: Signal, sender: Any, **named: Any) -> list[tuple[Any, Any]]:
    if not self.receivers or self.sender_receivers_cache.get(sender) is NO_RECEIVERS:
        if hearing:
            _orphan(self, sender, named, _SEND)
        return []
    sync_receivers, async_receivers = live = self._live_receivers(sender)
    dispatch = (
        recorder.begin(self, sender, named, _SEND, sync_receivers, async_receivers)
        if hearing
        else None
    )
    if async_receivers and dispatch is not None:
        return _on_async_path(self, sender, named, _SEND, dispatch, live)
    responses = []
    if dispatch is None or dispatch.passes is True:
        try:
            for receiver in sync_receivers:
                response = receiver(signal=self, sender=sender, **named)
                responses.append((receiver, response))
            if async_receivers:
                responses += _async_part(self, sender, named, _SEND, async_receivers)
            return responses
        finally:
            if dispatch is not None:
                dispatch.leave()
    marks = recorder.run(dispatch) if dispatch.hearers.steps else dispatch.marks
    try:
        token = set_current[dispatch]
        try:
            for receiver in sync_receivers:
                response = receiver(signal=self, sender=sender, **named)
                responses.append((receiver, response))
                marks.append(perf_counter_ns())
        finally:
            current.reset(token)
        dispatch.outcome = _RETURNED  # for most dispatches, this is all that is left to do
        if dispatch.hearers.closes or dispatch.parent is not None:
            recorder.finish(dispatch, responses)
    except BaseException as error:
        recorder.stopped(dispatch, responses, error)
        raise
    return responses


def send_robust(  # noqa: C901 - Django's loop twice, as a call more is a frame more
    self: Signal, sender: Any, **named: Any
) -> list[tuple[Any, Any]]:
    if not self.receivers or self.sender_receivers_cache.get(sender) is NO_RECEIVERS:
        if hearing:
            _orphan(self, sender, named, _SEND_ROBUST)
        return []
    sync_receivers, async_receivers = live = self._live_receivers(sender)
    dispatch = (
        recorder.begin(self, sender, named, _SEND_ROBUST, sync_receivers, async_receivers)
        if hearing
        else None
    )
    if async_receivers and dispatch is not None:
        return _on_async_path(self, sender, named, _SEND_ROBUST, dispatch, live)
    responses = []
    if dispatch is None or dispatch.passes is True:
        try:
            for receiver in sync_receivers:
                try:
                    response = receiver(signal=self, sender=sender, **named)
                except Exception as err:
                    self._log_robust_failure(receiver, err)  # type: ignore[attr-defined]
                    responses.append((receiver, err))
                else:
                    responses.append((receiver, response))
            if async_receivers:
                responses += _async_part(self, sender, named, _SEND_ROBUST, async_receivers)
            return responses
        finally:
            if dispatch is not None:
                dispatch.leave()
    marks = recorder.run(dispatch) if dispatch.hearers.steps else dispatch.marks
    try:
        token = set_current[dispatch]
        try:
            for receiver in sync_receivers:
                try:
                    response = receiver(signal=self, sender=sender, **named)
                except Exception as err:
                    recorder.swallowed(dispatch, len(responses), err)
                    self._log_robust_failure(receiver, err)  # type: ignore[attr-defined]
                    responses.append((receiver, err))
                else:
                    responses.append((receiver, response))
                marks.append(perf_counter_ns())
        finally:
            current.reset(token)
        recorder.finish(dispatch, responses)
    except BaseException as error:
        recorder.stopped(dispatch, responses, error)
        raise
    return responses


def _orphan(self: Signal, sender: Any, named: dict[str, Any], method: SendMethod) -> None:
    dispatch = recorder.begin(self, sender, named, method, (), ())
    if dispatch is not None and dispatch.passes is not True:
        try:
            observers.start(dispatch)
        finally:
            recorder.complete(dispatch, None, dispatch.marks[-1])  # it took no receiver's time


def _async_part(
    self: Signal,
    sender: Any,
    named: dict[str, Any],
    method: SendMethod,
    receivers: list[Any],
) -> list[tuple[Any, Any]]:
    """Let Django's own method run the async receivers, after the sync ones, as it always does."""
    passed = [Passed(receiver, self) for receiver in receivers]
    responses = _djangos[method](AskedSignal(self, [], passed), sender, **named)
    return unwrap(responses)  # type: ignore[no-any-return]


def _on_async_path(
    self: Signal,
    sender: Any,
    named: dict[str, Any],
    method: SendMethod,
    dispatch: RunningDispatch | Passing,
    live: tuple[list[Any], list[Any]],
) -> list[tuple[Any, Any]]:
    """Continue with Django's own method, for live receivers that are known already."""
    assert dispatch.passes is not True  # noqa: S101 - as there are async receivers
    return _recorded(  # type: ignore[no-any-return]
        _djangos[method], self, (sender,), named, dispatch, live
    )


def _recorded(
    original: Callable[..., Any],
    self: Signal,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    dispatch: RunningDispatch,
    live: tuple[list[Any], list[Any]] | None = None,
) -> Any:
    try:
        sync, others = live or self._live_receivers(_sender(args, kwargs))
        stand_in = StandIn(self, dispatch, sync, others)
        responses = original(stand_in, *args, **kwargs)
        recorder.resume(dispatch)
    except BaseException as error:
        recorder.complete(dispatch, error)
        recorder.resume(dispatch)
        raise
    recorder.complete(dispatch, None)
    return unwrap(responses)


def _sender(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The sender that a method was given, no matter what else a patched method takes."""
    return args[0] if args else kwargs.get("sender")


def _begin(
    self: Signal, args: tuple[Any, ...], kwargs: dict[str, Any], method: SendMethod
) -> RunningDispatch | None:
    """Open the record of a dispatch that goes through a method that is not ours."""
    sender = _sender(args, kwargs)
    named = {name: value for name, value in kwargs.items() if name != "sender" or args}
    if not self.receivers or self.sender_receivers_cache.get(sender) is NO_RECEIVERS:
        _orphan(self, sender, named, method)
        return None
    return recorder.begin(self, sender, named, method)


# These close over the method that they replace, so that one taken from a Signal works even after
# the original is restored. They take any arguments, because another tool's patch may do so.


def _sync_method(method: SendMethod, original: Callable[..., Any]) -> Callable[..., Any]:
    """send() or send_robust() for a Django version or a patch that our loop does not reproduce."""

    def through_django(self: Signal, /, *args: Any, **kwargs: Any) -> Any:
        dispatch = _begin(self, args, kwargs, method) if hearing else None
        if dispatch is None:
            return original(self, *args, **kwargs)
        return _recorded(original, self, args, kwargs, dispatch)

    return through_django


def _async_method(method: SendMethod, original: Callable[..., Any]) -> Callable[..., Any]:
    """asend() or asend_robust(): always Django's own, on watched receivers if recorded."""
    is_djangos = _is_known(method)

    async def through_django(self: Signal, /, *args: Any, **kwargs: Any) -> Any:
        if (  # a second coroutine takes longer than all else
            not hearing
            and is_djangos
            and type(self) is Signal  # a subclass may count how often it is asked
            and not self.receivers
            and len(args) == 1
            and "sender" not in kwargs
            and "self" not in kwargs
        ):
            return []
        dispatch = _begin(self, args, kwargs, method) if hearing else None
        if dispatch is None:
            return await original(self, *args, **kwargs)
        try:
            sync, others = self._live_receivers(_sender(args, kwargs))
            stand_in = StandIn(self, dispatch, sync, others)
            responses = await original(stand_in, *args, **kwargs)
            recorder.resume(dispatch)
        except BaseException as error:
            recorder.complete(dispatch, error)
            recorder.resume(dispatch)
            raise
        recorder.complete(dispatch, None)
        return unwrap(responses)

    return through_django


def _init_method(original: Callable[..., Any]) -> Callable[..., Any]:
    def _init(self: Signal, /, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        try:
            names.note_creation(self, _creating_frame(self, _init))
        except Exception as error:
            internal_errors.report("recording where a signal was created", error)

    return _init


def _creating_frame(signal: Signal, ours: Callable[..., Any]) -> FrameType:
    """The first frame outside the ``__init__`` methods of the signal's own class."""
    frame = sys._getframe(2)
    if type(signal).__init__ is not ours:
        while frame.f_code.co_name == "__init__" and frame.f_back is not None:
            if frame.f_locals.get("self") is not signal:
                break
            frame = frame.f_back
    return frame


def _djangos_connect(original: Callable[..., Any]) -> Callable[..., Any]:
    calling_place, note_connect = callers.calling_place, connection_log.note_connect

    def _connect(
        self: Signal,
        receiver: Any,
        sender: Any = None,
        weak: Any = True,
        dispatch_uid: Any = None,
    ) -> Any:
        answer = original(self, receiver, sender, weak, dispatch_uid)
        note_connect(self, receiver, sender, weak, dispatch_uid, calling_place())
        return answer

    return _connect


def _connect_method(original: Callable[..., Any]) -> Callable[..., Any]:
    def _connect(self: Signal, /, *args: Any, **kwargs: Any) -> Any:
        answer = original(self, *args, **kwargs)
        count = len(args)
        if count or "receiver" in kwargs:
            connection_log.note_connect(
                self,
                args[0] if count else kwargs["receiver"],
                args[1] if count > 1 else kwargs.get("sender"),
                args[2] if count > 2 else kwargs.get("weak", True),
                args[3] if count > 3 else kwargs.get("dispatch_uid"),
                callers.calling_place(),
            )
        return answer

    return _connect


def _disconnect_method(original: Callable[..., Any]) -> Callable[..., Any]:
    def _disconnect(self: Signal, /, *args: Any, **kwargs: Any) -> Any:
        answer = original(self, *args, **kwargs)
        count = len(args)
        receiver = args[0] if count else kwargs.get("receiver")
        sender = args[1] if count > 1 else kwargs.get("sender")
        dispatch_uid = args[2] if count > 2 else kwargs.get("dispatch_uid")
        if answer is True:
            connection_log.note_disconnect(self, receiver, sender, dispatch_uid)
        elif answer is False:
            place = callers.calling_place() if self.receivers else None
            connection_log.note_vain_disconnect(self, receiver, sender, dispatch_uid, place)
        return answer

    return _disconnect


def _replacement(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """The replacement for a method of Signal; ``original`` is the method that it replaces."""
    if name == "__init__":
        return _init_method(original)
    if name == "connect":
        return _djangos_connect(original) if _is_known(name) else _connect_method(original)
    if name == "disconnect":
        return _disconnect_method(original)
    method = SendMethod(name)
    if method.is_async:
        return _async_method(method, original)
    if not _is_known(method):
        return _sync_method(method, original)
    _djangos[method] = original
    return send if method is _SEND else send_robust


def _is_known(method: str) -> bool:
    """Whether the method is Django's own, in a version that our loop reproduces."""
    original = Signal.__dict__[method]
    is_djangos = getattr(original, "__module__", "") == "django.dispatch.dispatcher"
    unwrapped = not hasattr(original, "__wrapped__")
    return is_djangos and unwrapped and django.VERSION[:2] in KNOWN_DJANGO


def install() -> None:
    """Wrap Signal's methods. Installing again changes nothing.

    For signals created and receivers connected from now on, the place in the code is known;
    earlier ones are found too, but less is known about them.
    """
    global hearing
    with _lock:
        for name in ("__init__", "connect", "disconnect", *SendMethod):
            if name in _originals:
                continue
            original = Signal.__dict__[name]
            _originals[name] = original
            _ours[name] = wraps(original)(_replacement(name, original))
            setattr(Signal, name, _ours[name])
        subclasses.install()
        hearing = sinks.hearing


def uninstall() -> None:
    """Restore what is still ours. What another tool wrapped since stays, but records nothing."""
    global hearing
    with _lock:
        hearing = ()
        subclasses.uninstall()
        for name in list(_originals):
            if Signal.__dict__.get(name) is _ours[name]:
                setattr(Signal, name, _originals.pop(name))
                del _ours[name]


def is_installed() -> bool:
    """Whether Signal's methods are wrapped and record."""
    return hearing is sinks.hearing
