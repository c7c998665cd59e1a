"""A world in every mode: bare Django first, then under the wrapper."""

from __future__ import annotations

import contextvars
import gc
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, Token
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final
from unittest import mock

from signal_inspector import Details, Dispatch, Sink, capture
from signal_inspector.core.listening import context, sinks
from signal_inspector.core.listening.sinks import Observer
from signal_inspector.core.record.values import SendMethod
from signal_inspector.core.wrapper import instrument
from tests.differential.agreement import check_record
from tests.differential.run import Run
from tests.differential.seen import Observation
from tests.differential.spec import World

#: Something that is done to the wrapper after it has been installed (see the mutations).
Tampering = Callable[[], AbstractContextManager[object]]


class Mode(StrEnum):
    BARE = "bare"
    IDLE = "idle"
    RECORDING = "recording"  # capture(details=Details.ALL)
    SINK = "sink"  # a sink of the process that observes each receiver as it runs
    PASSING = "passing"  # a sink whose observers want no record, and so get none where they can
    UNKNOWN = "unknown"  # as RECORDING, on a Django that our own loop does not know


class Different(AssertionError):
    """A world that is not under the wrapper what it is on bare Django."""


running: ContextVar[tuple[Dispatch, int | None] | None] = ContextVar("running")


def _running() -> object:
    return running.get(None)


def _still_set() -> object:
    return "set" if running in contextvars.copy_context() else None


class LiveSink(Sink):
    """Keeps a context variable set while a receiver runs, as a tracing sink does."""

    def __init__(self) -> None:
        self.dispatches: list[Dispatch] = []
        self.finished: list[Dispatch] = []
        self.ended: list[tuple[Dispatch, int]] = []
        self.unbalanced = 0
        self.tokens: dict[tuple[Dispatch, int | None], Token[Any]] = {}

    def observer_for(
        self, signal: str, sender: str, method: SendMethod, receivers: int | None
    ) -> Observer | None:
        return Following(self)

    def dispatch_started(self, dispatch: Dispatch) -> None:
        self.dispatches.append(dispatch)

    def dispatch_finished(self, dispatch: Dispatch) -> None:
        self.finished.append(dispatch)

    def check(self) -> None:
        """Every dispatch was started and finished once, every receiver entered and left."""
        assert sorted(map(id, self.finished)) == sorted(map(id, self.dispatches))
        assert not self.tokens
        assert not self.unbalanced
        assert len(set(self.ended)) == len(self.ended)


class Following(Observer):
    """Sets the variable for one dispatch: what a ``LiveSink`` answers."""

    def __init__(self, sink: LiveSink) -> None:
        self.sink = sink

    def entered(self, index: int | None) -> None:
        key = (self.dispatch, index)
        self.sink.unbalanced += key in self.sink.tokens
        self.sink.tokens[key] = running.set(key)

    def left(self, index: int | None, ended: bool) -> None:
        running.reset(self.sink.tokens.pop((self.dispatch, index)))
        if ended and index is not None:
            self.sink.ended.append((self.dispatch, index))


class PassingSink(Sink):
    """Only keeps a context variable set while a send, or a receiver of it, runs."""

    def observer_for(
        self, signal: str, sender: str, method: SendMethod, receivers: int | None
    ) -> Observer | None:
        return Passer()


class Passer(Observer):
    """What a ``PassingSink`` answers."""

    needs_record = False

    def __init__(self) -> None:
        self._tokens: dict[int | None, Token[Any]] = {}

    def entered(self, index: int | None) -> None:
        self._tokens[index] = running.set(None)

    def left(self, index: int | None, ended: bool) -> None:
        running.reset(self._tokens.pop(index))


@dataclass
class Result:
    """What came of a world in one mode."""

    observations: list[Observation]
    leaks: list[object]  # what was left in the context
    wrong: AssertionError | None = None  # in the record


def bare(world: World) -> Result:
    """The world on Django as it is."""
    was_installed = instrument.is_installed()
    instrument.uninstall()
    try:
        assert not instrument.is_installed()
        return _in_own_context(_unheard, world)
    finally:
        if was_installed:
            instrument.install()


def under_wrapper(world: World, mode: Mode, tampering: Tampering) -> Result:
    """The world with the wrapper installed, in one mode."""
    assert not sinks.hearing
    with _installed(known_django=mode is not Mode.UNKNOWN), tampering():
        return _in_own_context(_PLAY[mode], world)


@contextmanager
def _installed(*, known_django: bool) -> Iterator[None]:
    if known_django:
        instrument.install()
        yield
        return
    instrument.uninstall()
    try:
        with mock.patch.object(instrument, "_is_known", return_value=False):
            instrument.install()
        yield
    finally:
        instrument.uninstall()
        instrument.install()


def _unheard(world: World) -> Result:
    run = Run(world, lambda: None, context.current.get)
    run.run()
    return Result(run.observations, run.leaks)


def _captured(world: World) -> Result:
    with capture(details=Details.ALL) as dispatches:
        scope = context.current.get()
        run = Run(world, context.running_call, lambda: _unless(scope, context.current.get()))
        run.run()
    wrong = _disagreement(lambda: check_record(run, dispatches, has_details=True))
    return Result(run.observations, run.leaks, wrong)


def _unless(expected: object, found: object) -> object:
    return None if found is expected else found


def _heard(world: World) -> Result:
    sink = LiveSink()
    sinks.use_sinks((sink,))
    try:
        run = Run(world, _running, _still_set)
        run.run()
    finally:
        sinks.use_sinks(())
    wrong = _disagreement(
        lambda: (sink.check(), check_record(run, sink.dispatches, has_details=False))
    )
    return Result(run.observations, run.leaks, wrong)


def _passed(world: World) -> Result:
    sinks.use_sinks((PassingSink(),))
    try:
        run = Run(world, lambda: None, _still_set)
        run.run()
    finally:
        sinks.use_sinks(())
    return Result(run.observations, run.leaks)


_PLAY: Final[dict[Mode, Callable[[World], Result]]] = {
    Mode.IDLE: _unheard,
    Mode.RECORDING: _captured,
    Mode.SINK: _heard,
    Mode.PASSING: _passed,
    Mode.UNKNOWN: _captured,
}


def _disagreement(check: Callable[[], object]) -> AssertionError | None:
    try:
        check()
    except AssertionError as error:
        return error
    return None


def _in_own_context(play: Callable[[World], Result], world: World) -> Result:
    result = contextvars.Context().run(play, world)
    # What is left of a world must not be collected, with a warning perhaps, in the next one.
    with warnings.catch_warnings(), mock.patch.object(sys, "unraisablehook"):
        warnings.simplefilter("ignore")
        gc.collect()
    return result


@contextmanager
def _orderly_collection() -> Iterator[None]:
    """Garbage is collected when a world says so, and what is not of this world is let be.

    What is frozen here stays so until the module of the test is done: thawing takes long.
    """
    gc.disable()
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.enable()


def compare(world: World, tampering: Tampering | None = None) -> None:
    """Raise Different where the wrapper changes anything.

    Who tampers with the wrapper adds frames of his own, which warnings need not tell.
    """
    with _orderly_collection():
        expected = bare(world).observations
        for mode in _PLAY:
            result = under_wrapper(world, mode, tampering or nullcontext)
            places = mode is not Mode.UNKNOWN and tampering is None
            _compare(mode, expected, result.observations, places=places)
            if result.leaks:
                raise Different(f"{mode}: left in the context: {result.leaks}")
            if result.wrong is not None:
                raise result.wrong


def _compare(
    mode: Mode, expected: list[Observation], found: list[Observation], *, places: bool
) -> None:
    for number, (ours, djangos) in enumerate(zip(found, expected, strict=True)):
        for field in fields(Observation):
            here, there = getattr(ours, field.name), getattr(djangos, field.name)
            if field.name == "loose" and not places:
                here, there = _placeless(here), _placeless(there)
            if here != there:
                raise Different(_difference(mode, number, ours, field.name, here, there))


def _placeless(loose: list[Any]) -> list[Any]:
    """Without the places of warnings: the async path adds frames."""
    return [what[:2] if what[0] == "UserWarning" else what for what in loose]


def _difference(
    mode: Mode, number: int, observed: Observation, what: str, here: Any, there: Any
) -> str:
    if isinstance(here, list) and isinstance(there, list):
        pairs = enumerate(zip(here, there, strict=False))
        at = next((at for at, (a, b) in pairs if a != b), min(len(here), len(there)))
        here, there = here[at : at + 3], there[at : at + 3]
    return (
        f"{mode}: step {number}, {observed.step}: {what} differs\n"
        f"  bare Django: {there}\n"
        f"  wrapper:     {here}"
    )
