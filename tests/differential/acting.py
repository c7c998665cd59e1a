"""What receivers, and top-level code, do besides sending."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Final

import django

from tests.differential import sending, signals
from tests.differential.loop import SPAWNED, has_loop
from tests.differential.seen import Call
from tests.differential.spec import (
    Cancel,
    Connect,
    Disconnect,
    Drop,
    Link,
    Open,
    ReceiverKind,
    Send,
    SetVar,
    Spawn,
    Step,
    Tick,
    Wait,
    Warn,
)

if TYPE_CHECKING:
    from tests.differential.run import Run

_PATIENCE: Final = 8  # ticks that a receiver waits for a gate
_PLAIN: Final = (ReceiverKind.FUNCTION, ReceiverKind.LAMBDA, ReceiverKind.PARTIAL)


def act(run: Run, step: Step, call: Call | None) -> None:
    """Do what sync code can do; leave out what it cannot."""
    match step:
        case SetVar(var, value):
            run.set_variable(var, value)
        case Open(gate):
            run.gates.add(gate)
        case Connect(link):
            _connect(run, link)
        case Disconnect(link):
            _disconnect(run, link)
        case Drop(receiver):
            _drop(run, receiver, call)
        case Send():
            sending.send(run, step, call)
        case Spawn(steps):
            _spawn(run, steps, call)
        case Cancel(outermost):
            _cancel(run, outermost)
        case Warn():
            _warn(run, call)


async def act_async(run: Run, step: Step, call: Call) -> None:
    """Do what async code can do."""
    match step:
        case Tick(times):
            await tick(times)
        case Wait(gate):
            for _ in range(_PATIENCE):
                if gate in run.gates:
                    break
                await asyncio.sleep(0)
        case Send(method=method) if method.is_async:
            await sending.asend(run, step, call)
        case _:
            act(run, step, call)


async def tick(times: int) -> None:
    """Let the event loop go round."""
    for _ in range(times):
        await asyncio.sleep(0)


def _connect(run: Run, link: Link) -> None:
    holder = run.made[link.receiver].ref()
    if holder is not None and _may_connect(run, link):
        run.signals[link.signal].connect(
            run.made[link.receiver].bind(holder),
            sender=None if link.sender is None else run.senders[link.sender],
            weak=link.weak,
            dispatch_uid=link.uid,
        )


def _may_connect(run: Run, link: Link) -> bool:
    """In real threads: whether no two receivers of a dispatch could run at a time."""
    if not run.is_real:
        return True
    connected = [entry[-1] for entry in run.signals[link.signal].receivers]
    if run.world.receivers[link.receiver].kind.is_async:
        return not any(connected) and (django.VERSION >= (6, 1) or not connected)
    return django.VERSION >= (6, 1) or not any(connected)


def _disconnect(run: Run, link: Link) -> None:
    holder = run.made[link.receiver].ref()
    gone = run.signals[link.signal].disconnect(
        None if holder is None else run.made[link.receiver].bind(holder),
        sender=None if link.sender is None else run.senders[link.sender],
        dispatch_uid=link.uid,
    )
    run.log.append(("disconnected", gone))


def _drop(run: Run, receiver: int, call: Call | None) -> None:
    if run.is_real and call is not None:
        return  # a thread holds on to its results until some time after it has told them
    run.held.pop(receiver, None)
    gc.collect()
    run.log.append(("dropped", [made.is_alive for made in run.made]))


def _spawn(run: Run, steps: tuple[Step, ...], call: Call | None) -> None:
    if call is None or run.is_real or not has_loop():
        return

    async def task() -> None:
        for step in steps:
            await act_async(run, step, call)
            run.log.append((call.send.key, "in a task", run.variables()))

    asyncio.get_running_loop().create_task(task(), name=SPAWNED)


def _cancel(run: Run, outermost: bool) -> None:
    if run.is_real:
        return  # what waits for a thread would no longer wait
    if not outermost:
        task = asyncio.current_task() if has_loop() else None
        if task is not None:
            task.cancel()
    elif run.outermost is not None:
        run.outermost.get_loop().call_soon_threadsafe(run.outermost.cancel)


def _warn(run: Run, call: Call | None) -> None:
    # Receivers on the async path, and those of overrides, have frames of ours above them.
    if call is None or call.send.method.is_async or run.is_alone(call.send):
        return
    kinds = [receiver.kind for receiver in run.world.receivers]
    if kinds[call.receiver] in _PLAIN and not any(kind.is_async for kind in kinds):
        signals.warn_about_sender()
