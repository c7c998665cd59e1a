"""The code that is outside all receivers: it sends, in an event loop if need be."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final

from tests.differential import acting, describe, sending
from tests.differential.loop import WorldLoop
from tests.differential.spec import How, Send, Step

if TYPE_CHECKING:
    from tests.differential.run import Run

_SETTLING: Final = 80  # ticks until what a step left running is cut off
_TOO_LONG: Final = 20.0  # seconds; a world that hangs is a failure


def outcome(run: Run, step: Step) -> object:
    """Do a step; what it raised, in words."""
    try:
        if isinstance(step, Send) and (step.method.is_async or step.how is not How.PLAIN):
            with asyncio.Runner(loop_factory=lambda: WorldLoop(run.world.threads)) as runner:
                runner.run(_in_loop(run, step))
        else:
            acting.act(run, step, None)
    except BaseException as error:
        return describe.exception(error)
    return "done"


async def _in_loop(run: Run, step: Send) -> None:
    hung = asyncio.get_running_loop().call_later(_TOO_LONG, _hang, run)
    outermost = run.outermost = asyncio.create_task(_launch(run, step))
    if step.how is How.CANCEL and not run.is_real:
        await acting.tick(step.ticks)
        outermost.cancel()
    await asyncio.wait([outermost])
    if outermost.cancelled():
        run.log.append("the step was cancelled")
    else:
        run.log.append(("the step", describe.exception(outermost.exception())))
    await _settle(run)
    run.outermost = None
    hung.cancel()


async def _settle(run: Run) -> None:
    """Give the tasks that go on some time, to go on in peace."""
    run.log.append(("tasks left", len(asyncio.all_tasks()) - 1))
    for _ in range(_SETTLING):
        if len(asyncio.all_tasks()) == 1:
            break
        await asyncio.sleep(0)
    run.log.append(("tasks that stay", len(asyncio.all_tasks()) - 1))


def _hang(run: Run) -> None:
    raise AssertionError(f"the world hangs: {run.world!r}")


async def _launch(run: Run, step: Send) -> None:
    # In real threads what is stopped would leave a thread running beside what comes next.
    how = How.PLAIN if run.is_real and step.how not in _HARMLESS else step.how
    try:
        match how:
            case How.IN_LOOP:
                sending.send(run, step, None)
            case How.UNAWAITED:
                getattr(run.signals[step.signal], step.method)(run.senders[step.sender])
            case How.TIMEOUT:
                async with asyncio.timeout(0):
                    await sending.asend(run, step, None)
            case How.TWICE:
                await asyncio.gather(*(sending.asend(run, step, None) for _ in range(2)))
            case How.CLOSE:
                await _step_by_hand(sending.asend(run, step, None), step.ticks)
            case _:
                await sending.asend(run, step, None)
    finally:
        run.log.append(("variables", run.variables()))
        run.look_for_leaks()


_HARMLESS: Final = (How.IN_LOOP, How.UNAWAITED)


async def _step_by_hand(coroutine: Coroutine[Any, Any, None], steps: int) -> None:
    try:
        for _ in range(steps):
            coroutine.send(None)
            await asyncio.sleep(0)
    except StopIteration:
        return
    finally:
        coroutine.close()
