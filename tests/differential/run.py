"""Builds a world and lets it run, writing down all that can be observed."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from tests.differential import acting, describe, endings, signals, top_level
from tests.differential.labels import Labels
from tests.differential.loop import flush_thread, has_loop, world_loops
from tests.differential.receivers import Made, make
from tests.differential.seen import Call, Observation, Sent
from tests.differential.spec import Connect, SignalKind, Step, World
from tests.differential.watching import Watching

_VARIABLES: Final = (ContextVar[int]("first"), ContextVar[int]("second"))
_MOST_CALLS: Final = 30  # of one top-level step; sends beyond do nothing


class Run:
    """A world on its way.

    ``probe`` tells what of ours is set where a receiver runs, ``leak`` what is set where none
    does; both are for the record, not for comparison.
    """

    def __init__(
        self, world: World, probe: Callable[[], object], leak: Callable[[], object]
    ) -> None:
        self.world = world
        self.sent: list[Sent] = []
        self.observations: list[Observation] = []
        self.leaks: list[object] = []
        self.log: list[object] = []
        self.gates: set[int] = set()
        self.budget = 0
        self.outermost: asyncio.Task[Any] | None = None
        self.is_real = world.threads is None
        self.senders = signals.make_senders()
        self.signals = [signals.make(spec) for spec in world.signals]
        self.held: dict[int, Any] = {}  # what keeps receivers alive, beside the signals
        self.made: list[Made] = []
        for index, receiver in enumerate(world.receivers):
            self.held[index], made = make(self, index, receiver)
            self.made.append(made)
        self.labels = Labels(self.signals, self.senders, self.made)
        self._probe = probe
        self._leak = leak

    def run(self) -> None:
        """Play the whole world through, and let go of it."""
        with Watching(self.log) as watching, world_loops(self.world.threads):
            for link in self.world.links:
                acting.act(self, Connect(link), None)
            for index, receiver in enumerate(self.world.receivers):
                if not receiver.held:
                    del self.held[index]
            for step in self.world.steps:
                self.budget = _MOST_CALLS
                outcome = top_level.outcome(self, step)
                flush_thread()
                self._observe(step, outcome, watching)
            self.held.clear()
            self._observe("the world lets go of its receivers", None, watching)
            for signal in self.signals:
                signal.receivers.clear()
                signal.sender_receivers_cache.clear()
            self._observe("the signals let go of them, too", None, watching)

    def _observe(self, step: Step | str, outcome: object, watching: Watching) -> None:
        gc.collect()
        self.observations.append(
            Observation(
                step=step,
                outcome=outcome,
                log=self.log[:],
                loose=watching.loose(),
                variables=self.variables(),
                signals=[self.labels.state(signal) for signal in self.signals],
                alive=[made.is_alive for made in self.made],
            )
        )
        self.log.clear()
        self.look_for_leaks()

    def look_for_leaks(self) -> None:
        """Outside all receivers nothing of ours must be set."""
        found = self._leak()
        if found is not None:
            self.leaks.append(found)

    def variables(self) -> tuple[int | None, ...]:
        """The values of the context variables, here and now."""
        return tuple(variable.get(None) for variable in _VARIABLES)

    def set_variable(self, variable: int, value: int) -> None:
        _VARIABLES[variable].set(value)

    def is_alone(self, sent: Sent) -> bool:
        """Whether the send is an override's that never calls Signal's own method."""
        kind = self.world.signals[sent.signal].kind
        return kind is SignalKind.ALONE and sent.method in signals.Alone.__dict__

    # --- what receivers call ---

    def enter(self, index: int, signal: Any, sender: Any, named: dict[str, Any]) -> Call:
        """A receiver was called."""
        sent = next(sent for sent in self.sent if sent.key == named["key"])
        call = Call(sent, index, len(sent.calls))
        sent.calls.append(call)
        self.budget -= 1
        who = (self.labels.signal(signal), self.labels.sender(sender))
        arguments = [(name, describe.value(value)) for name, value in named.items()]
        self._note(call, "called", *who, *arguments)
        return call

    def play(self, call: Call) -> Any:
        """What a sync receiver does."""
        receiver = self.world.receivers[call.receiver]
        with self._ending(call):
            for step in receiver.steps:
                acting.act(self, step, call)
                self._note(call, type(step).__name__)
            return endings.finish(receiver.ending, f"{call.send.key}:{call.number}")

    async def play_async(self, call: Call) -> Any:
        """What an async receiver does."""
        receiver = self.world.receivers[call.receiver]
        with self._ending(call):
            for step in receiver.steps:
                await acting.act_async(self, step, call)
                self._note(call, type(step).__name__)
            return endings.finish(receiver.ending, f"{call.send.key}:{call.number}")

    @contextmanager
    def _ending(self, call: Call) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            is_end = isinstance(error, asyncio.CancelledError | GeneratorExit)
            call.outcome = "cancelled" if is_end else "raised"
            call.error = type(error).__name__
            if isinstance(error, StopIteration):
                call.error = "RuntimeError"  # which is what becomes of it in a coroutine
            self._note(call, call.outcome, call.error)
            raise
        call.outcome = "returned"
        self._note(call, "returned")

    def _note(self, call: Call, *what: object) -> None:
        call.probes.append(self._probe())
        who = (call.send.key, call.number, call.receiver)
        self.log.append((*who, *what, self.variables(), *_place()))


def _place() -> tuple[object, ...]:
    """Where code runs: in the main thread or not, and among how many tasks."""
    tasks = len(asyncio.all_tasks()) if has_loop() else None
    return threading.current_thread() is threading.main_thread(), tasks
