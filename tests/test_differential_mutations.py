"""The net holds: a wrapper that is broken on purpose is caught by random worlds."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from django.dispatch import Signal
from hypothesis import HealthCheck, Phase, given, settings

from signal_inspector import Outcome
from signal_inspector.core.listening import captures, context
from signal_inspector.core.listening.observers import Stepping
from signal_inspector.core.record import recorder
from signal_inspector.core.record.running import RunningDispatch
from signal_inspector.core.wrapper import async_path, instrument
from signal_inspector.core.wrapper.async_path import Driven, StandIn, Watched
from tests.differential.modes import Tampering, compare
from tests.differential.spec import World
from tests.differential.strategies import worlds

pytestmark = pytest.mark.usefixtures("_nothing_stays_frozen")

_SEARCH = settings(
    max_examples=600,  # most are found among the first ten
    phases=[Phase.generate],
    derandomize=True,
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


def _caught(tampering: Tampering, search_by: settings = _SEARCH) -> str | None:
    """What is said of the first world that shows the difference; None if no world does."""

    @search_by
    @given(worlds())
    def search(world: World) -> None:
        compare(world, tampering)

    try:
        search()
    except AssertionError as error:
        return str(error) or "the record is wrong"
    return None


def _around(*methods: str) -> Callable[[Callable[..., Any]], Tampering]:
    """Put a function around methods of Signal, as installed; it is given the method first."""

    def decorate(change: Callable[..., Any]) -> Tampering:
        @contextmanager
        def tamper() -> Iterator[None]:
            patched = {name: _bind(change, Signal.__dict__[name]) for name in methods}
            with mock.patch.multiple(Signal, **patched):
                yield

        return tamper

    return decorate


def _bind(change: Callable[..., Any], method: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, *args, **named: change(method, self, *args, **named)


def _in_place_of(owner: Any, name: str, value: Any) -> Tampering:
    return lambda: mock.patch.object(owner, name, value)


@_around("send", "send_robust")
def _nothing(send: Any, signal: Signal, *args: Any, **named: Any) -> Any:
    return send(signal, *args, **named)


@_around("send", "send_robust")
def _reverse_responses(send: Any, signal: Signal, *args: Any, **named: Any) -> Any:
    return send(signal, *args, **named)[::-1]


@_around("send")
def _swallow_base_exceptions(send: Any, signal: Signal, *args: Any, **named: Any) -> Any:
    try:
        return send(signal, *args, **named)
    except Exception:
        raise
    except BaseException:
        return []


@_around("send_robust")
def _return_base_exceptions(send: Any, signal: Signal, *args: Any, **named: Any) -> Any:
    try:
        return send(signal, *args, **named)
    except BaseException as error:
        return [(None, error)]


@_around("send")
def _forget_contexts(send: Any, signal: Signal, *args: Any, **named: Any) -> Any:
    try:
        return send(signal, *args, **named)
    except Exception as error:
        raise error from None


@_around("send", "send_robust")
def _lose_variables(send: Any, signal: Signal, *args: Any, **named: Any) -> Any:
    return contextvars.copy_context().run(send, signal, *args, **named)


@_around("send")
def _ask_the_cache_first(send: Any, signal: Signal, sender: Any, **named: Any) -> Any:
    signal.sender_receivers_cache.get(sender)
    return send(signal, sender, **named)


@_around("send")
def _leave_a_variable_set(send: Any, signal: Signal, *args: Any, **named: Any) -> Any:
    context.current.set(context.RecordingContext(captures.SUPPRESSED))
    return send(signal, *args, **named)


@_around("send", "send_robust")
def _do_not_record(send: Any, signal: Signal, *args: Any, **named: Any) -> Any:
    with mock.patch.object(instrument, "hearing", ()):
        return send(signal, *args, **named)


_kept: list[object] = []


def _begin_and_keep(*args: Any) -> Any:
    _kept.extend(args[4:])
    return _begin(*args)


_begin = recorder.begin


def _call_twice(self: Watched, named: dict[str, Any]) -> Any:
    _call_receiver(self, dict(named))
    return _call_receiver(self, named)


def _sort_arguments(self: Watched, named: dict[str, Any]) -> Any:
    return _call_receiver(self, dict(sorted(named.items(), reverse=True)))


_call_receiver = Watched.call_receiver


_NEVER_RESET = SimpleNamespace(get=context.current.get, reset=lambda token: None)

_caused_by = RunningDispatch.caused_by


def _throw_without_telling(self: Driven, error: Any, *more: Any) -> Any:
    raise error if isinstance(error, BaseException) else error()


MUTATIONS: dict[str, Tampering] = {
    "responses come in the wrong order": _reverse_responses,
    "what is no Exception is swallowed": _swallow_base_exceptions,
    "what is no Exception is returned by a robust send": _return_base_exceptions,
    "an exception loses its context": _forget_contexts,
    "context variables of receivers are lost": _lose_variables,
    "an unhashable sender fails though nobody listens": _ask_the_cache_first,
    "a variable of ours stays set in the sender": _leave_a_variable_set,
    "sends are not recorded": _do_not_record,
    "failures of robust sends are not logged": _in_place_of(
        Signal, "_log_robust_failure", lambda *args: None
    ),
    "wrappers are returned as receivers": _in_place_of(
        instrument, "unwrap", lambda responses: responses
    ),
    "the record keeps receivers alive": _in_place_of(recorder, "begin", _begin_and_keep),
    "receivers are called twice": _in_place_of(Watched, "call_receiver", _call_twice),
    "arguments come in another order": _in_place_of(Watched, "call_receiver", _sort_arguments),
    "receivers are given the stand-in for the signal": _in_place_of(
        Watched, "call_receiver", lambda self, named: self.receiver(**named)
    ),
    "a variable of ours stays set in a suspended receiver": _in_place_of(
        async_path, "current", _NEVER_RESET
    ),
    "receivers are not told that they are cancelled": _in_place_of(
        Driven, "throw", _throw_without_telling
    ),
    "a failure is logged under the wrapper's name": _in_place_of(
        StandIn,
        "_log_robust_failure",
        lambda self, receiver, error: self._signal._log_robust_failure(receiver, error),
    ),
    "orphans are not recorded": _in_place_of(instrument, "_orphan", lambda *args: None),
    "nested sends do not know their parent": _in_place_of(
        RunningDispatch, "caused_by", lambda self, parent, index: None
    ),
    "a nested send knows its parent, not the receiver": _in_place_of(
        RunningDispatch, "caused_by", lambda self, parent, index: _caused_by(self, parent, None)
    ),
    "what raised is recorded as having returned": _in_place_of(
        recorder, "outcome_of", lambda error: Outcome.RETURNED
    ),
    "observers are not told that a receiver suspends": _in_place_of(
        Watched, "tell_left", lambda self, ended: None
    ),
    "observers are not told that a receiver runs": _in_place_of(
        Watched, "tell_entered", lambda self: None
    ),
    "observers are not told where one sync receiver ends": _in_place_of(
        Stepping, "append", lambda self, end_ns: self._dispatch.marks.append(end_ns)
    ),
}


@pytest.fixture(autouse=True)
def _let_go() -> Iterator[None]:
    yield
    _kept.clear()


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS)
def test_is_caught(mutation: Tampering) -> None:
    """Some random world is not the same under a wrapper that is broken in this way."""
    assert _caught(mutation)


def test_nothing_else_is_caught() -> None:
    """Tampering that changes nothing is not caught: what is caught is the mutation."""
    assert _caught(_nothing, settings(_SEARCH, max_examples=100)) is None
