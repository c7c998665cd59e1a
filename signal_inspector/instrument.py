"""The methods of ``django.dispatch.Signal``, wrapped: ``install()`` and ``uninstall()``.

``send`` and ``send_robust`` to sync receivers, nearly every dispatch, run a loop of our own that
does what Django's does (``django/dispatch/dispatcher.py``, 5.2 to 6.1) and takes one timestamp
per receiver; it adds no frame, so a ``stacklevel`` counted by a receiver still fits. All else
goes the careful way (see ``watched``). Installing needs no settings and no app registry.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from threading import RLock
from time import perf_counter_ns
from types import FrameType
from typing import Any, Final

import django
from django.dispatch import Signal
from django.dispatch.dispatcher import NO_RECEIVERS

from signal_inspector import (
    callers,
    connections,
    following,
    names,
    overrides,
    recorder,
    scopes,
    trouble,
)
from signal_inspector.dispatches import Dispatch
from signal_inspector.following import Passing
from signal_inspector.records import Outcome, SendMethod
from signal_inspector.scopes import current, set_current
from signal_inspector.watched import StandIn, unwrap

#: The versions whose send() and send_robust() our own loop is known to reproduce.
KNOWN_DJANGO: Final = ((5, 2), (6, 0), (6, 1))

_SEND: Final = SendMethod.SEND
_SEND_ROBUST: Final = SendMethod.SEND_ROBUST
_RETURNED: Final = Outcome.RETURNED

#: Who listens anywhere in the process (``scopes.ears``); empty while uninstalled, for the case
#: that another tool has wrapped our methods and still calls them.
ears: Sequence[object] = ()

_lock = RLock()
_originals: dict[str, Any] = {}
_ours: dict[str, Any] = {}


def _after_fork() -> None:
    global _lock
    _lock = RLock()


if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(after_in_child=_after_fork)


def send(self: Signal, sender: Any, **named: Any) -> list[tuple[Any, Any]]:
    if not self.receivers or self.sender_receivers_cache.get(sender) is NO_RECEIVERS:
        if ears:
            _orphan(self, sender, named, _SEND)
        return []
    sync_receivers, async_receivers = live = self._live_receivers(sender)
    dispatch = (
        recorder.begin(self, sender, named, _SEND, sync_receivers, async_receivers)
        if ears
        else None
    )
    if async_receivers:
        return _careful(self, sender, named, _SEND, dispatch, live)
    responses = []
    if dispatch is None or dispatch.passes is True:
        try:
            for receiver in sync_receivers:
                response = receiver(signal=self, sender=sender, **named)
                responses.append((receiver, response))
            return responses
        finally:
            if dispatch is not None:
                dispatch.leave()
    marks = recorder.run(dispatch) if dispatch.audience.with_followers else dispatch.marks
    try:
        token = set_current[dispatch]
        try:
            for receiver in sync_receivers:
                response = receiver(signal=self, sender=sender, **named)
                responses.append((receiver, response))
                marks.append(perf_counter_ns())
        finally:
            current.reset(token)
        dispatch.outcome = _RETURNED  # which is all that is left to do for most
        if dispatch.audience.closes or dispatch.parent is not None:
            recorder.finish(dispatch, responses)
    except BaseException as error:
        recorder.stopped(dispatch, responses, error)
        raise
    return responses


def send_robust(  # noqa: C901 - Django's loop twice, as a call more is a frame more
    self: Signal, sender: Any, **named: Any
) -> list[tuple[Any, Any]]:
    if not self.receivers or self.sender_receivers_cache.get(sender) is NO_RECEIVERS:
        if ears:
            _orphan(self, sender, named, _SEND_ROBUST)
        return []
    sync_receivers, async_receivers = live = self._live_receivers(sender)
    dispatch = (
        recorder.begin(self, sender, named, _SEND_ROBUST, sync_receivers, async_receivers)
        if ears
        else None
    )
    if async_receivers:
        return _careful(self, sender, named, _SEND_ROBUST, dispatch, live)
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
            return responses
        finally:
            if dispatch is not None:
                dispatch.leave()
    marks = recorder.run(dispatch) if dispatch.audience.with_followers else dispatch.marks
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
            following.start(dispatch)
        finally:
            recorder.complete(dispatch, None, dispatch.marks[-1])  # it took no receiver's time


def _careful(
    self: Signal,
    sender: Any,
    named: dict[str, Any],
    method: SendMethod,
    dispatch: Dispatch | Passing | None,
    live: tuple[list[Any], list[Any]],
) -> list[tuple[Any, Any]]:
    original = _originals[method]
    if dispatch is None or dispatch.passes is True:  # with an async receiver it never is Passing
        return original(self, sender, **named)  # type: ignore[no-any-return]
    try:
        stand_in = StandIn(self, dispatch, *live)
        responses = original(stand_in, sender, **named)
        recorder.resume(dispatch)
    except BaseException as error:
        recorder.complete(dispatch, error)
        recorder.resume(dispatch)
        raise
    recorder.complete(dispatch, None)
    return unwrap(responses)  # type: ignore[no-any-return]


def _sync_method(method: SendMethod) -> Callable[..., Any]:
    """send() or send_robust() for a Django, or a patch on it, that our loop does not know."""

    def through_django(self: Signal, sender: Any, **named: Any) -> Any:
        if not self.receivers or self.sender_receivers_cache.get(sender) is NO_RECEIVERS:
            if ears:
                _orphan(self, sender, named, method)
            return _originals[method](self, sender, **named)
        dispatch = recorder.begin(self, sender, named, method) if ears else None
        live = ([], []) if dispatch is None else self._live_receivers(sender)
        return _careful(self, sender, named, method, dispatch, live)

    return through_django


def _async_method(method: SendMethod) -> Callable[..., Any]:
    """asend() or asend_robust(): always Django's own, on watched receivers if recorded."""

    async def through_django(self: Signal, sender: Any, **named: Any) -> Any:
        original = _originals[method]
        if not self.receivers or self.sender_receivers_cache.get(sender) is NO_RECEIVERS:
            if ears:
                _orphan(self, sender, named, method)
            return await original(self, sender, **named)
        dispatch = recorder.begin(self, sender, named, method) if ears else None
        if dispatch is None:
            return await original(self, sender, **named)
        try:
            stand_in = StandIn(self, dispatch, *self._live_receivers(sender))
            responses = await original(stand_in, sender, **named)
            recorder.resume(dispatch)
        except BaseException as error:
            recorder.complete(dispatch, error)
            recorder.resume(dispatch)
            raise
        recorder.complete(dispatch, None)
        return unwrap(responses)

    return through_django


def _init(self: Signal, *args: Any, **kwargs: Any) -> None:
    _originals["__init__"](self, *args, **kwargs)
    try:
        names.note_creation(self, _creating_frame(self))
    except Exception as error:
        trouble.report("noting where a signal was created", error)


def _creating_frame(signal: Signal) -> FrameType:
    """The first frame outside the ``__init__`` methods of the signal's own class."""
    frame = sys._getframe(2)
    if type(signal).__init__ is not _ours["__init__"]:
        while frame.f_code.co_name == "__init__" and frame.f_back is not None:
            if frame.f_locals.get("self") is not signal:
                break
            frame = frame.f_back
    return frame


def _connect(
    self: Signal,
    receiver: Any,
    sender: Any = None,
    weak: bool = True,
    dispatch_uid: Any = None,
) -> None:
    _originals["connect"](self, receiver, sender, weak, dispatch_uid)
    connections.note_connect(
        self,
        receiver,
        sender,
        weak=weak,
        dispatch_uid=dispatch_uid,
        caller=callers.calling_code(),
    )


def _disconnect(
    self: Signal, receiver: Any = None, sender: Any = None, dispatch_uid: Any = None
) -> bool:
    disconnected: bool = _originals["disconnect"](self, receiver, sender, dispatch_uid)
    if disconnected:
        connections.note_disconnect(self, receiver, sender, dispatch_uid)
    else:
        caller = callers.calling_code() if self.receivers else None
        connections.note_vain_disconnect(self, receiver, sender, dispatch_uid, caller)
    return disconnected


def _replacements() -> dict[str, Callable[..., Any]]:
    ours: dict[str, Callable[..., Any]] = {
        "__init__": _init,
        "connect": _connect,
        "disconnect": _disconnect,
        "asend": _async_method(SendMethod.ASEND),
        "asend_robust": _async_method(SendMethod.ASEND_ROBUST),
    }
    for method, loop in ((_SEND, send), (_SEND_ROBUST, send_robust)):
        ours[method] = loop if _is_known(method) else _sync_method(method)
    return ours


def _is_known(method: str) -> bool:
    """Whether the method is Django's own, of a version that our loop reproduces."""
    original = Signal.__dict__[method]
    is_djangos = getattr(original, "__module__", "") == "django.dispatch.dispatcher"
    unwrapped = not hasattr(original, "__wrapped__")
    return is_djangos and unwrapped and django.VERSION[:2] in KNOWN_DJANGO


def install() -> None:
    """Wrap Signal's methods, once: installing again changes nothing.

    Signals created and receivers connected from now on are known by the place that did it;
    earlier ones are found too, with less to say about them.
    """
    global ears
    with _lock:
        for name, replacement in _replacements().items():
            if name in _originals:
                continue
            original = Signal.__dict__[name]
            _originals[name] = original
            _ours[name] = wraps(original)(replacement)
            setattr(Signal, name, _ours[name])
        overrides.install()
        ears = scopes.ears


def uninstall() -> None:
    """Put back what is still ours. What another tool wrapped since stays, and records nothing."""
    global ears
    with _lock:
        ears = ()
        overrides.uninstall()
        for name in list(_originals):
            if Signal.__dict__.get(name) is _ours[name]:
                setattr(Signal, name, _originals.pop(name))
                del _ours[name]


def is_installed() -> bool:
    """Whether Signal's methods are wrapped and record."""
    return ears is scopes.ears
