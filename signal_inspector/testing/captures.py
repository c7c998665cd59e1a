"""The dispatches that a capture gives to a test, and the signals that it captures.

A test sees the record of a dispatch together with the objects themselves.
"""

from __future__ import annotations

import difflib
import gc
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias, cast

from django.dispatch import Signal

from signal_inspector.conf import get_config, is_inspected, name_matches
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import Outcome, ReceiverCall, SendMethod
from signal_inspector.core.wrapper.django_entries import entries
from signal_inspector.core.wrapper.muting import is_receiver
from signal_inspector.names import (
    anonymous_signals,
    loaded_signals,
    receiver_name,
    signal_name,
)
from signal_inspector.names.safe import class_attribute, instance_attribute, is_class

__unittest = True  # unittest leaves our frames out of the traceback of a failure

#: A signal, or its dotted name.
SignalOrName: TypeAlias = Signal | str
Receiver: TypeAlias = Callable[..., Any]

_WILDCARDS = frozenset("*?[")


class CapturedCall:
    """One receiver's part in a dispatch, with what it returned or raised."""

    __slots__ = ("exception", "receiver", "record", "response")

    def __init__(
        self, record: ReceiverCall, receiver: Any, response: Any, exception: BaseException | None
    ) -> None:
        self.record = record  # times, queries, the failure as text
        self.receiver = receiver  # None if unknown, as when an overridden send method raised
        self.response = response
        self.exception = exception

    @property
    def name(self) -> str:
        """``module.qualname`` of the receiver."""
        return self.record.receiver

    @property
    def outcome(self) -> Outcome:
        """How the call ended."""
        return self.record.outcome

    @property
    def ran(self) -> bool:
        """Whether the receiver was called: it is skipped if an earlier receiver raised."""
        return self.outcome is not Outcome.SKIPPED

    def __repr__(self) -> str:
        return f"<CapturedCall {self.name}: {self.outcome.value}>"


class CapturedDispatch:
    """One send, with the objects that were sent: nothing is copied, shortened or redacted."""

    def __init__(
        self, record: Dispatch, signal: Signal, sender: Any, payload: dict[str, Any]
    ) -> None:
        self.record = record  # names, times, the caller, receiver calls as text
        self.signal = signal
        self.sender = sender
        self.payload = payload  # the arguments except the sender
        self.muted: tuple[Any, ...] = ()  # receivers that ``mute`` or ``only`` silenced
        self.receivers: Sequence[Any] = ()
        self._responses: dict[int, Any] = {}
        self._exceptions: dict[int, BaseException] = {}

    @property
    def name(self) -> str:
        """The dotted name of the signal."""
        return self.record.signal

    @property
    def method(self) -> SendMethod:
        """The method of the signal that was called."""
        return self.record.method

    @property
    def outcome(self) -> Outcome:
        """How the send ended for its sender."""
        return self.record.outcome

    @property
    def calls(self) -> list[CapturedCall]:
        """The receiver calls in the order of Django's responses: first sync, then async."""
        return [self._call(index, record) for index, record in enumerate(self.record.calls)]

    @property
    def failures(self) -> list[CapturedCall]:
        """The receiver calls that raised."""
        return [call for call in self.calls if call.outcome is Outcome.RAISED]

    def note_receivers(self, receivers: Sequence[Any]) -> None:
        """Note the receivers that Django calls, in order."""
        self.receivers = receivers

    def note_response(self, index: int, response: Any) -> None:
        """Note what a receiver returned."""
        self._responses[index] = response

    def note_exception(self, index: int, error: BaseException) -> None:
        """Note what a receiver raised."""
        self._exceptions[index] = error

    def _call(self, index: int, record: ReceiverCall) -> CapturedCall:
        return CapturedCall(
            record,
            self.receivers[index] if index < len(self.receivers) else None,
            self._responses.get(index),
            self._exceptions.get(index),
        )

    def __repr__(self) -> str:
        # Names only: showing values safely takes more care (see ``messages.words``).
        arguments = ", ".join(self.payload)
        return f"<CapturedDispatch {self.name} from {self.record.sender} ({arguments})>"


def find_signal(signal: SignalOrName) -> Signal:
    """The signal itself; ValueError if no loaded module has a signal of this name."""
    __tracebackhide__ = True
    if isinstance(signal, Signal):
        return signal
    if not isinstance(signal, str):
        raise TypeError(f"Pass a signal or its dotted name, not {type(signal).__qualname__}.")
    found = _named(signal)
    if found is not None:
        return found
    known = loaded_signals()
    if signal in known:
        return known[signal]
    close = difflib.get_close_matches(signal, known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"No loaded module has a signal {signal!r}.{hint}")


def _named(name: str) -> Signal | None:
    """The signal found at exactly this dotted name, without searching all modules; else None."""
    found = _at(name)
    if not issubclass(type(found), Signal):  # not isinstance(), which asks lazy objects
        return None
    signal: Signal = found
    return signal if signal_name(signal) == name else None


def _at(name: str) -> Any:
    """The attribute of a loaded module, or of a class in it, at this dotted name; else None."""
    module, path = name, ""
    while module and module not in sys.modules:
        module, _, attribute = module.rpartition(".")
        path = f"{attribute}.{path}" if path else attribute
    found: Any = sys.modules.get(module)
    for attribute in path.split("."):
        look = class_attribute if is_class(found) else instance_attribute
        found = look(found, attribute)
    return found


def find_target(target: str) -> Signal | Receiver:
    """The signal or receiver with this dotted name; ValueError if there is none.

    The name may be that of a signal, or of a function, method or object of a loaded module, or
    the name under which a connected receiver appears in records.
    """
    __tracebackhide__ = True
    found = _at(target)
    if type(found) in (staticmethod, classmethod):
        found = found.__func__
    if isinstance(found, Signal):
        return found
    if callable(found):
        return cast("Receiver", found)
    known = loaded_signals()
    if target in known:
        return known[target]
    receivers = {
        receiver_name(receiver).name: receiver
        for signal in known.values()
        for _, receiver, _ in entries(signal)
        if receiver is not None
    }
    if target in receivers:
        return receivers[target]  # type: ignore[no-any-return]
    close = difflib.get_close_matches(target, [*known, *receivers], n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"No signal, receiver or loaded function is called {target!r}.{hint}")


def is_connected(receiver: Receiver, signals: Iterable[Signal] | None = None) -> bool:
    """Whether a receiver is connected to one of these signals; to any signal, for None."""
    return any(
        is_receiver(receiver, connected)
        for signal in (_all_signals() if signals is None else signals)
        for _, connected, _ in entries(signal)
        if connected is not None
    )


def _all_signals() -> Iterator[Signal]:
    """Every signal, some more than once: those of modules, and those that tests make in functions.

    No search finds all. ``gc.get_objects()`` leaves out what existed when the process called
    ``gc.freeze()``, as a server does that loads the project before it forks.
    """
    yield from loaded_signals().values()
    for _, signal in anonymous_signals():
        yield signal
    yield from (each for each in gc.get_objects() if issubclass(type(each), Signal))


class Wanted:
    """The signals that a capture is asked to capture.

    ``signals`` limits the capture to these signals; ``also`` adds signals that settings leave out.
    Dotted names may be globs. All of these are captured even if ``INCLUDE`` and ``EXCLUDE`` leave
    them out.
    """

    def __init__(self, signals: Iterable[SignalOrName], also: Iterable[SignalOrName] = ()) -> None:
        self._named, self._globs = _sorted(signals)
        self._also, self._also_globs = _sorted(also)
        self._all = not self._named and not self._globs

    def asks_for(self, signal: Signal) -> bool:
        """Whether the signal is wanted regardless of settings."""
        if any(each is signal for each in (*self._named, *self._also)):
            return True
        globs = (*self._globs, *self._also_globs)
        return bool(globs) and _matches(signal, globs)

    def covers(self, signal: Signal) -> bool:
        """Whether a dispatch of this signal is captured."""
        if self.asks_for(signal):
            return True
        if not self._all:
            return False
        config = get_config()
        return is_inspected(signal_name(signal), config.include, config.exclude)

    def add(self, signals: Iterable[SignalOrName]) -> None:
        """Capture these signals too."""
        named, globs = _sorted(signals)
        self._also, self._also_globs = (*self._also, *named), (*self._also_globs, *globs)


def _sorted(signals: Iterable[SignalOrName]) -> tuple[tuple[Signal, ...], tuple[str, ...]]:
    """The signals, and the globs that match names of signals."""
    named, globs = [], []
    for signal in signals:
        if isinstance(signal, str) and _WILDCARDS.intersection(signal):
            globs.append(signal)
        else:
            named.append(find_signal(signal))
    return tuple(named), tuple(globs)


def _matches(signal: Signal, globs: tuple[str, ...]) -> bool:
    name = signal_name(signal)
    return any(name_matches(name, glob) for glob in globs)
