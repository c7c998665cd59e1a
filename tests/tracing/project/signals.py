"""The signals of the project, and the code that receives them.

Each receiver opens a span of its own that says which order it works on: a span that ended up
below the wrong request would give itself away.
"""

from __future__ import annotations

import asyncio
import random
import time

from django.dispatch import Signal, receiver
from opentelemetry import trace

placed = Signal()  # sync receivers alone
shipped = Signal()  # sync and async receivers
counted = Signal()  # sent by receivers of the other two

tracer = trace.get_tracer(__name__)


def pause() -> float:
    """Seconds: long enough for other requests to come in between."""
    return random.uniform(0.001, 0.008)


@receiver(placed)
def reserve(sender: object, token: str, **kwargs: object) -> None:
    with tracer.start_as_current_span("work", attributes={"token": token}):
        time.sleep(pause())
        counted.send(sender=None, token=token)


@receiver(placed)
def refuse(sender: object, token: str, **kwargs: object) -> None:
    with tracer.start_as_current_span("work", attributes={"token": token}):
        time.sleep(pause())
    raise ValueError("refused")


@receiver(shipped)
def weigh(sender: object, token: str, **kwargs: object) -> None:
    with tracer.start_as_current_span("work", attributes={"token": token}):
        time.sleep(pause())


@receiver(shipped)
async def announce(sender: object, token: str, **kwargs: object) -> None:
    with tracer.start_as_current_span("work", attributes={"token": token}):
        await asyncio.sleep(pause())
        await counted.asend(sender=None, token=token)
        await asyncio.sleep(pause())


@receiver(shipped)
async def follow_up(sender: object, token: str, **kwargs: object) -> None:
    await asyncio.sleep(pause())
    with tracer.start_as_current_span("work", attributes={"token": token}):
        await asyncio.sleep(pause())


@receiver(counted)
def count(sender: object, token: str, **kwargs: object) -> None:
    with tracer.start_as_current_span("work", attributes={"token": token}):
        pass
