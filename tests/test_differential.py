"""Random worlds of signals are under the wrapper what they are on bare Django."""

from __future__ import annotations

import pytest
from hypothesis import example, given

from tests.differential.modes import compare
from tests.differential.profiles import PROFILE
from tests.differential.spec import (
    How,
    Link,
    Method,
    Raise,
    Receiver,
    ReceiverKind,
    Send,
    SignalKind,
    SignalSpec,
    Tick,
    World,
)
from tests.differential.strategies import worlds

pytestmark = pytest.mark.usefixtures("_nothing_stays_frozen")

# What random worlds have found, made small.

#: The wrapper made a task to await what Django gathers as it is (before 6.1).
RETURNS_A_TASK = World(
    signals=(SignalSpec(),),
    receivers=(Receiver(ReceiverKind.MARKED_TASK, (Tick(1), Tick(1))),),
    links=(Link(0, 0, weak=False),),
    steps=(Send(0, 1, Method.ASEND),),
)
#: The receiver's coroutine was dropped unawaited, with a warning.
CANCELLED_BEFORE_ITS_FIRST_STEP = World(
    signals=(SignalSpec(),),
    receivers=(Receiver(ReceiverKind.ASYNC_FUNCTION),),
    links=(Link(0, 0, weak=False),),
    steps=(Send(0, 1, Method.ASEND, how=How.TIMEOUT),),
)
#: The send in the receiver was taken for a part of the override, and not recorded.
RECURSION_IN_AN_OVERRIDE = World(
    signals=(SignalSpec(SignalKind.ALONE),),
    receivers=(Receiver(steps=(Send(0, 1, Method.SEND, swallow=True),)),),
    links=(Link(0, 0, weak=False),),
    steps=(Send(0, 1, Method.SEND),),
)
#: Nobody awaits the future of the first, as calling the second raises: asyncio logs its failure.
NEVER_RETRIEVED = World(
    signals=(SignalSpec(),),
    receivers=(
        Receiver(ReceiverKind.MARKED_FUTURE, ending=Raise()),
        Receiver(ReceiverKind.MARKED_PLAIN, ending=Raise()),
    ),
    links=(Link(0, 0, weak=False), Link(1, 0, weak=False)),
    steps=(Send(0, 1, Method.ASEND),),
)


@PROFILE
@given(worlds())
@example(RETURNS_A_TASK)
@example(CANCELLED_BEFORE_ITS_FIRST_STEP)
@example(RECURSION_IN_AN_OVERRIDE)
@example(NEVER_RETRIEVED)
def test_worlds_stay_as_they_are(world: World) -> None:
    """Idle, recording and through a live sink, nothing observable differs from bare Django."""
    compare(world)
