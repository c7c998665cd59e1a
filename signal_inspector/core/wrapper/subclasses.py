"""Records Signal subclasses that override send() or its siblings, or have other sending methods.

If an override calls ``super()``, the record is opened here, where the sender called, and the
wrapped method of Signal adopts it. An override that does everything itself is watched from
outside: the whole call is timed, and its receiver calls are inferred from what it returns or
raises, without their own times. Wrapping its receivers is not possible: such overrides look at
them (module, name, plugin), and would see wrappers.

A method with another name is taken to send if its code, together with the helpers in its class,
calls ``_live_receivers`` and calls something that it was given. Whether a particular call sends
is seen while it runs: ``_live_receivers`` of such a class tells the method's context what it
returned. A call that was given no receivers leaves no record.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from dis import get_instructions
from enum import Flag
from functools import wraps
from types import CodeType
from typing import Any, Final, cast

from django.dispatch import Signal

from signal_inspector.core import internal_errors
from signal_inspector.core.listening import observers, sinks
from signal_inspector.core.listening.captures import NO_CAPTURES
from signal_inspector.core.listening.context import (
    RecordingContext,
    current,
    running_call,
    set_current,
)
from signal_inspector.core.listening.observers import Seen
from signal_inspector.core.record import details, recorder
from signal_inspector.core.record.running import RunningDispatch
from signal_inspector.core.record.values import ReceiverCall, SendMethod, Unseen
from signal_inspector.core.wrapper.async_path import Current, Driven
from signal_inspector.core.wrapper.django_entries import entries, reaches
from signal_inspector.names import class_path, receiver_name
from signal_inspector.names.receivers import innermost

#: As in ``instrument``: empty while nothing listens, and while uninstalled.
hearing: Sequence[object] = ()

_MARK: Final = "__signal_inspector_override__"

_LIVE: Final = "_live_receivers"

#: Methods that look at receivers, or do what Signal's own do, but send nothing.
_NEVER: Final = frozenset({_LIVE, "has_listeners", "connect", "disconnect", "__init__"})

#: Stands for the original of a method that a class did not have.
_INHERITED: Final = object()

#: Functions that call their argument, now or later.
_HANDING_ON: Final = frozenset(
    {"async_to_sync", "partial", "run_in_executor", "submit", "sync_to_async", "to_thread"}
)
#: Instructions that put the value of a variable, or an item of it, on the stack.
_OF_ITS_OWN: Final = ("LOAD_FAST", "LOAD_DEREF", "BINARY_SUBSCR", "STORE_FAST_LOAD_FAST")
_ATTRIBUTES: Final = ("LOAD_ATTR", "LOAD_METHOD")
#: Whether Python puts NULL on the stack after the callable.
_NULL_IS_LAST: Final = sys.version_info >= (3, 13)

#: The types in which a method may return responses or receivers.
_GATHERED: Final = (list, tuple, set, frozenset, dict)


class Offer(RecordingContext):
    """The context of an overriding method: its dispatch waits for Signal's method to adopt it.

    The dispatch of a method with another name does not begin until the method has receivers to
    call; until then, the code runs in the surrounding context.
    """

    __slots__ = ("given", "is_begun", "opened", "passed")

    def __init__(
        self, dispatch: RunningDispatch, signal: Signal, override: object, *, is_begun: bool
    ) -> None:
        outer = current.get()
        around = NO_CAPTURES if outer is None else outer.captures
        super().__init__(around, *running_call(), outer, offers=signal)
        self.guesses = outer is not None and outer.guesses
        self.opened = dispatch
        self.passed = {override}  # overrides on the way to Signal's own method
        #: What ``_live_receivers`` has returned to the method; None if it was not called.
        self.given: list[Any] | None = None
        self.is_begun = is_begun
        if is_begun:
            self._enter_dispatch()

    def _enter_dispatch(self) -> None:
        self.dispatch, self.index = self.opened, None
        self.guesses = False

    def begin(self) -> None:
        """Begin the dispatch, if it has not begun."""
        if not self.is_begun:
            self.is_begun = True
            observers.start(self.opened)
            if self.opened.observers:
                observers.entered(self.opened.observers, None)
            self._enter_dispatch()

    def adopt(self) -> RunningDispatch | None:
        self.begin()
        return super().adopt()

    def give(self, live: object) -> None:
        """Note the receivers that the method was given to call."""
        parts = live if isinstance(live, tuple) else (live,)
        self.given = [each for part in parts if isinstance(part, list) for each in part]
        if self.given:
            self.begin()

    def passes(self, signal: object, override: object) -> bool:
        """Whether an override calls another override of the same dispatch with ``super()``.

        If an override comes by a second time, a receiver has sent the signal again.
        """
        if self.offers is not signal or override in self.passed:
            return False
        self.passed.add(override)
        return True

    def beside(
        self, begin: Callable[..., RunningDispatch | None], *what: Any
    ) -> RunningDispatch | None:
        """Open a record other than the one on offer."""
        signal, self.offers = self.offers, None
        try:
            return begin(*what)
        finally:
            self.offers = signal


class Watching:
    """One call of an overriding method, and the context that it runs in."""

    def __init__(
        self, dispatch: RunningDispatch, signal: Signal, override: object, sender: object
    ) -> None:
        self.dispatch = dispatch
        self.signal = signal
        self._sender = sender
        self._offer = Offer(dispatch, signal, override, is_begun=not dispatch.method.is_own)
        self.here: RecordingContext | RunningDispatch | None = self._offer
        self._observers = dispatch.observers
        if self._offer.is_begun:
            observers.start(dispatch)
        self._has_ended = False

    def enter(self) -> Current:
        token = set_current[self.here]
        try:
            if self._observers and self._offer.is_begun:
                observers.entered(self._observers, None)
        except BaseException as error:
            try:
                self.end(error, None)
                self.leave()
            finally:
                current.reset(token)
            raise
        return token

    def leave(self) -> None:
        self.here = current.get()
        if self._observers and self._offer.is_begun:
            observers.left(self._observers, None, self._has_ended)

    def end(self, error: BaseException | None, response: object) -> None:
        """Close the record, unless the wrapped method of Signal took it over."""
        self._has_ended = True
        if self._offer.offers is None:
            return
        self._offer.offers = None  # a later send in this context is a dispatch of its own
        if not self._offer.is_begun:
            recorder.withdraw(self.dispatch)
            return
        held = None
        try:
            seen = list(_seen(self.signal, self.dispatch, error, response))
            if not seen:
                seen = self._presumed(error, response)
            if not seen and error is None and self.dispatch.method.is_own:
                recorder.withdraw(self.dispatch)
                return
            self.dispatch.expect([_call(self.dispatch, who, what) for who, _, what in seen])
            if self.dispatch.hearers.object_captures:
                observers.from_outside(self.dispatch, seen)
        except BaseException as failure:
            held = internal_errors.hold("reading an override's responses", failure)
        recorder.complete(self.dispatch, error)
        internal_errors.resume(held)

    def _presumed(self, error: BaseException | None, response: object) -> list[Seen]:
        """The receivers that the method may have called, if there is no sign of any call."""
        given = self._offer.given
        if given is None:
            if error is None and _has_receivers(self.signal, self._sender):
                is_told = type(response) in _GATHERED and bool(response)
                self.dispatch.unseen = Unseen.UNTOLD if is_told else Unseen.PUT_OFF
            return []
        if error is None and type(response) in _GATHERED:
            gathered: Any = response.values() if isinstance(response, dict) else response
            if {id(each) for each in gathered} <= {id(each) for each in given}:
                return []  # it returned nothing, or the receivers: it only looked at them
        if given:
            self.dispatch.unseen = Unseen.UNTOLD
        return [(each, None, None) for each in given] if error is None else []


def _seen(
    signal: Signal, dispatch: RunningDispatch, error: BaseException | None, responses: object
) -> Iterator[Seen]:
    """The receiver calls, as far as they can be inferred from outside.

    ``isinstance`` is not used, because it would evaluate a lazy object.
    """
    if error is not None:
        receiver = _raiser(signal, error)
        if receiver is not None:
            yield receiver, None, error
    elif issubclass(type(responses), list):
        for pair in list.__iter__(cast("list[Any]", responses)):
            if issubclass(type(pair), tuple) and len(pair) == 2 and callable(pair[0]):
                is_failure = dispatch.method.is_robust and issubclass(type(pair[1]), Exception)
                yield pair[0], pair[1], pair[1] if is_failure else None


def _has_receivers(signal: Signal, sender: object) -> bool:
    """Whether a live receiver is connected for this sender, without asking the signal."""
    return any(
        receiver is not None and reaches(key, sender) for key, receiver, _ in entries(signal)
    )


def _call(
    dispatch: RunningDispatch, receiver: object, error: BaseException | None
) -> ReceiverCall:
    name = receiver_name(receiver)
    return ReceiverCall(
        receiver=name.name,
        path=name.path,
        line=name.line,
        is_async=inspect.iscoroutinefunction(receiver),
        outcome=recorder.outcome_of(error),
        offset_ns=0,
        failure=None if error is None else details.failure(dispatch, error),
        timed=False,
    )


def _raiser(signal: Signal, error: BaseException) -> object:
    """The connected receiver whose code appears in the exception's traceback."""
    codes = set()
    traceback = internal_errors.traceback_of(error)
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
    here = current.get()
    if not isinstance(signal, Signal):
        return None
    if isinstance(here, Offer) and here.passes(signal, override):
        return None
    named = dict(kwargs)
    sender = args[0] if args else named.pop("sender", None)
    if isinstance(here, Offer):
        dispatch = here.beside(recorder.begin, signal, sender, named, method)
    else:
        dispatch = recorder.begin(signal, sender, named, method)
    if dispatch is None:
        return None
    try:
        return Watching(dispatch, signal, override, sender)
    except BaseException as error:
        recorder.complete(dispatch, error)
        raise


def _sync_override(original: Callable[..., Any], method: SendMethod) -> Callable[..., Any]:
    @wraps(original)
    def watched(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        watching = _begin(self, method, original, args, kwargs) if hearing else None
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
        watching = _begin(self, method, original, args, kwargs) if hearing else None
        sending = original(self, *args, **kwargs)
        return await (sending if watching is None else Driven(sending, watching))

    return watched


def _awaitable_override(original: Callable[..., Any], method: SendMethod) -> Callable[..., Any]:
    """For an ``asend`` that is not a coroutine function but returns a coroutine.

    A task or a future is returned as it is: the caller may do more with it than await it.
    """

    @wraps(original)
    def watched(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        sending = original(self, *args, **kwargs)
        if hearing and inspect.iscoroutine(sending):
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


def _telling(original: Callable[..., Any]) -> Callable[..., Any]:
    """A ``_live_receivers`` that reports its result to the method whose context it runs in."""

    @wraps(original)
    def _live_receivers(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        live = original(self, *args, **kwargs)
        if hearing:
            here = current.get()
            if isinstance(here, Offer) and here.offers is self:
                try:
                    here.give(live)
                except Exception as error:
                    internal_errors.report("recording whom a method may call", error)
        return live

    return _live_receivers


def _inherited(kind: type[Signal]) -> Callable[..., Any]:
    """A ``_live_receivers`` for a class that does not define it: calls the inherited one."""

    def _live_receivers(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        return super(kind, self)._live_receivers(*args, **kwargs)

    return _live_receivers


def _replace(kind: type, name: str, original: object, ours: Any) -> None:
    setattr(ours, _MARK, original)
    _put(kind, name, ours)


def _put(kind: type, name: str, method: object) -> None:
    """Set a method of a class. A class that refuses is left as it is, and not watched."""
    try:
        setattr(kind, name, method)
    except Exception as error:
        internal_errors.report(f"watching {class_path(kind)}", error)


def _wrap(kind: type[Signal]) -> None:
    try:
        asks = [_wrap_methods(base, kind) for base in _defining(kind)]
        asked = kind.__dict__.get(_LIVE)
        inherits = any(hasattr(base.__dict__.get(_LIVE), _MARK) for base in kind.__mro__[1:])
        if hasattr(asked, _MARK) or not (any(asks) or (inherits and asked is not None)):
            return
        if asked is None:
            _replace(kind, _LIVE, _INHERITED, _telling(_inherited(kind)))
        elif inspect.isfunction(asked):
            _replace(kind, _LIVE, asked, _telling(asked))
    except Exception as error:
        internal_errors.report("watching a subclass of Signal", error)


def _defining(kind: type[Signal]) -> list[type]:
    """The class itself, and its mixins that are not signals and not from the standard library."""
    mixed = [base for base in kind.__mro__[1:] if not issubclass(base, Signal)]
    return [kind, *(base for base in mixed if _root_module(base) not in sys.stdlib_module_names)]


def _root_module(kind: type) -> str:
    return str(kind.__module__).partition(".")[0]


def _wrap_methods(base: type, kind: type[Signal]) -> bool:
    """Wrap the sending methods of a class; return whether one asks for live receivers itself."""
    asks = False
    for name, found in list(base.__dict__.items()):
        if not inspect.isfunction(found) or name in _NEVER:
            continue
        original = getattr(found, _MARK, found)
        traits = _traits(original, kind, set())
        is_override = name in SendMethod.__members__.values()
        if not (is_override or traits == _SENDS):
            continue
        asks |= _Trait.ASKS in traits
        if original is found:
            method = SendMethod.named(name)
            _replace(base, name, original, _maker(original, method)(original, method))
    return asks


def _unwrap(kind: type[Signal]) -> None:
    for base in _defining(kind):
        for name, ours in list(base.__dict__.items()):
            original = getattr(ours, _MARK, None)
            if original is _INHERITED:
                delattr(base, name)
            elif original is not None and getattr(ours, "__wrapped__", None) is original:
                _put(base, name, original)


class _Trait(Flag):
    """The traits of the code of a method that sends by itself."""

    NONE = 0
    ASKS = 1  # asks for the live receivers
    CALLS = 2  # calls what it was given, and not only functions and methods by their names


_SENDS: Final = _Trait.ASKS | _Trait.CALLS


def _traits(function: object, kind: type, seen: set[int]) -> _Trait:
    """The traits of a method and its helpers in the class, except helpers that send themselves."""
    found = _Trait.NONE
    seen.add(id(function))
    for code in _codes(function):
        if _calls(code):
            found |= _Trait.CALLS
        for name in code.co_names:
            if name == _LIVE:
                found |= _Trait.ASKS
            elif name not in _NEVER and name not in SendMethod.__members__.values():
                helper = _helper(kind, name)
                if helper is not None and id(helper) not in seen:
                    traits = _traits(helper, kind, seen)
                    found |= _Trait.NONE if traits == _SENDS else traits
    return found


def _helper(kind: type, name: str) -> object:
    """The function with this name in a class below Signal; None if there is no such function."""
    for base in kind.__mro__:
        if base in Signal.__mro__:
            return None
        found = base.__dict__.get(name)
        if found is not None:
            for inside in ("__func__", "fget", "func"):  # of class methods, properties
                found = getattr(found, inside, found)
            return getattr(found, _MARK, found) if inspect.isfunction(found) else None
    return None


def _codes(function: object) -> Iterator[CodeType]:
    """The code of a function, of the functions it wraps, and of all that is defined in them."""
    while inspect.isfunction(function):
        codes = [function.__code__]
        while codes:
            code = codes.pop()
            yield code
            codes += [each for each in code.co_consts if isinstance(each, CodeType)]
        function = getattr(function, "__wrapped__", None)


def _calls(code: CodeType) -> bool:
    """Whether code calls the value of a local variable, or passes it on to be called."""
    if not _HANDING_ON.isdisjoint(code.co_names):
        return True
    # A function or method that is called by its name has no separate PUSH_NULL.
    names = [each.opname for each in get_instructions(code) if each.opname != "EXTENDED_ARG"]
    for place, name in enumerate(names):
        if name == "PUSH_NULL":
            if _NULL_IS_LAST:
                before = names[place - 1] if place else ""
                if before.startswith(_OF_ITS_OWN):
                    return True
            else:
                after = [*names[place + 1 : place + 3], "", ""]
                if after[0].startswith(_OF_ITS_OWN) and after[1] not in _ATTRIBUTES:
                    return True
    return False


def _subclasses(kind: type[Signal]) -> Iterator[type[Signal]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def _init_subclass(cls: type[Signal], /, **kwargs: Any) -> None:
    super(Signal, cls).__init_subclass__(**kwargs)
    _wrap(cls)


_hook = classmethod(_init_subclass)


def install() -> None:
    """Watch the overrides of existing and future subclasses. Idempotent."""
    global hearing
    hearing = sinks.hearing
    for kind in _subclasses(Signal):
        _wrap(kind)
    if "__init_subclass__" not in Signal.__dict__:
        Signal.__init_subclass__ = _hook  # type: ignore[assignment,method-assign]


def uninstall() -> None:
    """Restore what is still ours."""
    global hearing
    hearing = ()
    for kind in _subclasses(Signal):
        _unwrap(kind)
    if Signal.__dict__.get("__init_subclass__") is _hook:
        del Signal.__init_subclass__
