"""The signals and receivers that a test has muted, and the one place where that takes effect.

A signal is not changed: its receivers, their order and its caches stay as they are. Only while
anything is muted, ``Signal._live_receivers`` is wrapped, which every send calls to get its
receivers. So muting needs no wrapper around the send methods, and costs nothing when unused.
It applies to all threads and tasks of the process.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from functools import wraps
from types import MethodType
from typing import Any, Protocol

from django.dispatch import Signal

from signal_inspector.core import internal_errors, process_state
from signal_inspector.core.wrapper.django_entries import entries
from signal_inspector.names.safe import instance_attribute

_MAX_LAYERS = 100  # of decorators around one function
_originals: dict[type[Signal], Callable[..., Any]] = {}
_ours: dict[type[Signal], Callable[..., Any]] = {}
_lock = process_state.lock()


class Change(Protocol):
    """A change that a test makes to the receivers that a signal calls."""

    def live(self, signal: Signal, receivers: list[Any], *, is_async: bool) -> list[Any]:
        """The receivers to call out of these, or their replacements."""


class Muting:
    """A change that only removes receivers; ``silences`` says which."""

    def silences_all(self, signal: Signal) -> bool:  # noqa: ARG002
        """Whether no receiver of this signal is called."""
        return False

    def silences(self, signal: Signal, receiver: object) -> bool:  # noqa: ARG002
        """Whether this receiver of this signal is not called."""
        return self.silences_all(signal)

    def live(
        self,
        signal: Signal,
        receivers: list[Any],
        *,
        is_async: bool,  # noqa: ARG002
    ) -> list[Any]:
        return [each for each in receivers if not self.silences(signal, each)]


class MutedSignals(Muting):
    """These signals call no receivers."""

    def __init__(self, signals: tuple[Signal, ...]) -> None:
        self._signals = signals

    def silences_all(self, signal: Signal) -> bool:
        return any(each is signal for each in self._signals)


class MutedReceivers(Muting):
    """These receivers are not called, either by any signal or only by those in ``signals``."""

    def __init__(self, receivers: tuple[Any, ...], signals: tuple[Signal, ...] = ()) -> None:
        self._receivers = [held(receiver) for receiver in receivers]
        self._signals = signals
        self._met: set[int] = set()  # indexes of the receivers that a signal would have called

    def silences(self, signal: Signal, receiver: object) -> bool:
        if self._signals and not any(each is signal for each in self._signals):
            return False
        for index, wanted in enumerate(self._receivers):
            if is_receiver(wanted(), receiver):
                self._met.add(index)
                return True
        return False

    def idle(self) -> list[Any]:
        """The receivers, as far as they live, that no signal would have called until now."""
        unmet = [each() for index, each in enumerate(self._receivers) if index not in self._met]
        return [receiver for receiver in unmet if receiver is not None]


class OnlyReceivers(Muting):
    """Signals that these receivers are connected to call only these receivers."""

    def __init__(self, receivers: tuple[Any, ...], signals: tuple[Signal, ...] = ()) -> None:
        self._chosen = MutedReceivers(receivers, signals)
        self._signals = signals

    def idle(self) -> list[Any]:
        """The receivers, as far as they live, that no signal has called until now."""
        return self._chosen.idle()

    def silences(self, signal: Signal, receiver: object) -> bool:
        if self._chosen.silences(signal, receiver):
            return False
        if self._signals:
            return any(each is signal for each in self._signals)
        return any(
            connected is not None and self._chosen.silences(signal, connected)
            for _, connected, _ in entries(signal)
        )


def held(receiver: Any) -> Callable[[], Any]:
    """A callable that returns the receiver while it lives: muting keeps no receiver alive."""
    try:
        if isinstance(receiver, MethodType):
            return weakref.WeakMethod(receiver)
        return weakref.ref(receiver)
    except TypeError:  # it cannot be weakly referenced, which Django would find too
        return lambda: receiver


def is_receiver(wanted: object, receiver: object) -> bool:
    """Whether a connected receiver is the wanted one.

    It is if they are the same object, or the same method of the same object; also if one is the
    other inside decorators that keep ``__wrapped__``. If the wanted one is a class's function,
    that method of any object matches. Two partials of one function, or two decorated versions,
    are two receivers.
    """
    if wanted is None:
        return False
    return any(_is_same(wanted, layer) for layer in _layers(receiver)) or any(
        _is_same(receiver, layer) for layer in _layers(wanted, with_methods=False)
    )


def _is_same(one: object, other: object) -> bool:
    if type(one) is MethodType and type(other) is MethodType:
        return one.__self__ is other.__self__ and one.__func__ is other.__func__
    return one is other


def _layers(receiver: object, *, with_methods: bool = True) -> Iterator[object]:
    """The receiver and what it wraps, from the outside in, without running any of its code."""
    for _ in range(_MAX_LAYERS):
        yield receiver
        if with_methods and type(receiver) is MethodType:
            inner: object | None = receiver.__func__
        else:
            inner = instance_attribute(receiver, "__wrapped__")
        if inner is None:
            return
        receiver = inner


_changes: tuple[Change, ...] = ()


def add(change: Change) -> None:
    """Apply a change from the next send on, after the changes that were added before."""
    global _changes
    with _lock:
        _changes = (*_changes, change)
        _install()


def remove(change: Change) -> None:
    """Undo one ``add``, in any order. Removing a change that is not there is harmless."""
    global _changes
    with _lock:
        for index in range(len(_changes) - 1, -1, -1):
            if _changes[index] is change:
                _changes = (*_changes[:index], *_changes[index + 1 :])
                break
        if not _changes:
            _uninstall()


def is_muted(signal: Signal) -> bool:
    """Whether a test has muted the signal as a whole, so that it calls no receivers now."""
    return any(each.silences_all(signal) for each in _mutings())


def is_receiver_muted(signal: Signal, receiver: object) -> bool:
    """Whether, because of a test, this signal does not call this receiver now."""
    return any(each.silences(signal, receiver) for each in _mutings())


def muted_receivers(signal: Signal) -> tuple[Any, ...]:
    """The connected receivers, in order, that are not called now because a test muted them."""
    if not _changes:
        return ()
    connected = [receiver for _, receiver, _ in entries(signal) if receiver is not None]
    return tuple(each for each in connected if is_receiver_muted(signal, each))


def _mutings() -> Iterator[Muting]:
    return (each for each in _changes if isinstance(each, Muting))


def _changed(original: Callable[..., Any]) -> Callable[..., Any]:
    """``_live_receivers`` of one class, with the changes that apply when it is called."""

    @wraps(original)
    def _live_receivers(self: Signal, sender: Any) -> Any:
        live = original(self, sender)
        changes = _changes
        if not changes:  # another tool has wrapped ours, and keeps it in place
            return live
        try:
            sync_receivers, async_receivers = live
            for change in changes:
                sync_receivers = change.live(self, sync_receivers, is_async=False)
                async_receivers = change.live(self, async_receivers, is_async=True)
        except Exception as error:
            internal_errors.report("muting receivers", error)
            return live
        return sync_receivers, async_receivers

    return _live_receivers


def _install() -> None:
    for kind in _kinds(Signal):
        original = kind.__dict__.get("_live_receivers")
        if original is not None and kind not in _ours:
            _originals[kind], _ours[kind] = original, _changed(original)
            kind._live_receivers = _ours[kind]  # type: ignore[method-assign]


def _uninstall() -> None:
    """Restore what is still ours. What another tool has wrapped since stays, but does nothing."""
    for kind, ours in list(_ours.items()):
        if kind.__dict__.get("_live_receivers") is ours:
            kind._live_receivers = _originals.pop(kind)  # type: ignore[method-assign]
            del _ours[kind]


def _kinds(kind: type[Signal]) -> Iterator[type[Signal]]:
    yield kind
    for subclass in kind.__subclasses__():
        yield from _kinds(subclass)
